/**
 * How long the next attempt at a slice still has to wait.
 *
 * The row tells by the wall clock when it is due, so that a restart makes no wait shorter. From when it is
 * seen first the monotonic clock counts: a wall clock that jumps makes none longer.
 */
import type { SliceKey } from '../model/index.ts'
import type { Clock } from '../platform/index.ts'
import { RETRY_WAIT_MAX_MS } from './retries.ts'
import type { SliceRow } from './store/index.ts'

export interface RetryWaits {
  /** @param nowMs monotonic. */
  leftMs(key: SliceKey, slice: Pick<SliceRow, 'epoch' | 'due_ms'>, nowMs: number): number
  /** Forgets all that wait no more. */
  keepOnly(isWaiting: (key: SliceKey) => boolean): void
}

export function createRetryWaits(clock: Pick<Clock, 'now'>): RetryWaits {
  const ends = new Map<SliceKey, { epoch: number; endMs: number }>()
  return {
    leftMs(key, { epoch, due_ms: dueMs }, nowMs) {
      if (dueMs === null) return 0
      let known = ends.get(key)
      if (known?.epoch !== epoch) {
        const leftMs = Math.min(dueMs - clock.now(), RETRY_WAIT_MAX_MS)
        known = { epoch, endMs: nowMs + Math.max(0, leftMs) }
        ends.set(key, known)
      }
      return Math.max(0, known.endMs - nowMs)
    },
    keepOnly(isWaiting) {
      for (const key of ends.keys()) if (!isWaiting(key)) ends.delete(key)
    },
  }
}
