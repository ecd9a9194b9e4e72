/** How many registrations may be under way at once, learnt from how Nomad takes them. */
import type { Clock } from '../platform/index.ts'

export interface Pace {
  readonly limit: number
  /** One was carried out. */
  went(): void
  /** One failed in a way that a leader shows when it has too much to do. @param startedMs monotonic. */
  strained(startedMs: number): void
}

/**
 * Halves the limit when Nomad can not keep up, and adds one after as many successes as the limit is: a
 * leader that is slow gets worse with every request that waits for its log.
 */
export function createPace(clock: Clock, max: number): Pace {
  let limit = max
  let went = 0
  let cutMs = Number.NEGATIVE_INFINITY
  return {
    get limit() {
      return limit
    },
    went() {
      went += 1
      if (went < limit || limit === max) return
      limit += 1
      went = 0
    },
    strained(startedMs) {
      // Those that were under way already tell nothing of the new limit.
      if (startedMs <= cutMs) return
      limit = Math.max(1, Math.floor(limit / 2))
      went = 0
      cutMs = clock.monotonic()
    },
  }
}
