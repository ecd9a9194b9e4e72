/**
 * How long a machine may be without a slice before it goes. Pure.
 *
 * What is declared is meant as it is. On its own the pool waits about as long as it would cost to need the
 * machine again a moment later: the boot that is paid for, and as long once more for those who wait for it.
 */
import { bootQuantile } from './ledger.ts'
import type { PoolMemory } from '../memory.ts'
import type { PoolPolicy } from '../policy.ts'
import { lasting } from './words.ts'

export interface IdleOff {
  ms: number
  /** What says so. */
  by: string
}

const BOOTS = 2
/** Pushes of the same morning come minutes apart, however quick a boot is. */
const LEAST_MS = 2 * 60_000
/** A machine that boots for longer than this is kept by a schedule, not by a timer. */
const MOST_MS = 20 * 60_000
/** Before any boot was seen. */
const UNKNOWN_MS = 10 * 60_000
/** Finer than this the timer would only move with every boot that is learned. */
const STEP_MS = 10_000

export function idleOff({ idleOffMs }: Pick<PoolPolicy, 'idleOffMs'>, memory: PoolMemory): IdleOff {
  if (idleOffMs !== 'auto') return { ms: idleOffMs, by: 'idle_off' }
  const bootMs = bootQuantile(memory, 0.5)
  if (bootMs === null) return { ms: UNKNOWN_MS, by: 'idle_off is auto, and no boot was seen yet' }
  const ms = Math.ceil((BOOTS * bootMs) / STEP_MS) * STEP_MS
  return {
    ms: Math.min(MOST_MS, Math.max(LEAST_MS, ms)),
    by: `idle_off is auto, and a machine boots in ${lasting(bootMs)}`,
  }
}
