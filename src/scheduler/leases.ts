/**
 * When each agent was heard of last.
 *
 * Kept in memory: after our own start, and after our own loop stood still, nobody can have been heard,
 * so every agent is counted as heard then.
 */
import type { SliceKey } from '../model/index.ts'
import type { Clock } from '../platform/index.ts'

export interface Leases {
  heard(key: SliceKey): void
  /** Since the last call, or since we began to listen. */
  silentMs(key: SliceKey): number
  extendAll(): void
  forget(key: SliceKey): void
}

export function createLeases(clock: Clock): Leases {
  const heardMs = new Map<SliceKey, number>()
  let sinceMs = clock.monotonic()
  return {
    heard: (key) => void heardMs.set(key, clock.monotonic()),
    silentMs: (key) => clock.monotonic() - Math.max(sinceMs, heardMs.get(key) ?? 0),
    extendAll() {
      sinceMs = clock.monotonic()
      heardMs.clear()
    },
    forget: (key) => void heardMs.delete(key),
  }
}
