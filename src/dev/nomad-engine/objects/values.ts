/** Small values that all objects share. */
import type { RandomSource } from '../../../platform/index.ts'

/** Nomad writes instants as unix nanoseconds, beyond what a double holds exactly: good to 256 ns. */
export function toNanoseconds(ms: number): number {
  return ms * 1_000_000
}

export function fromNanoseconds(ns: number): number {
  return ns / 1_000_000
}

/** RFC 3339, as Nomad writes instants that are no integers. */
export function toTimestamp(ms: number): string {
  return new Date(ms).toISOString()
}

/** Asks for many bytes at once: each call of the machine's own source costs more than an id. */
export function withPool(random: RandomSource): RandomSource {
  let pool: Uint8Array = new Uint8Array()
  let used = 0
  return {
    number: () => random.number(),
    bytes(size) {
      if (size > POOL_BYTES) return random.bytes(size)
      if (used + size > pool.length) {
        pool = random.bytes(POOL_BYTES)
        used = 0
      }
      used += size
      return pool.subarray(used - size, used)
    },
  }
}

const POOL_BYTES = 4096

/** Random in all 128 bits: Nomad's ids carry no version digit. */
export function createUuid(random: RandomSource): string {
  const hex = Buffer.from(random.bytes(16)).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
