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

/** Random in all 128 bits: Nomad's ids carry no version digit. */
export function createUuid(random: RandomSource): string {
  const hex = Buffer.from(random.bytes(16)).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
