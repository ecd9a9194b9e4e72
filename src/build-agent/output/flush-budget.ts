/**
 * Ends the wait for a server that answers everything but takes no output, such as one whose disk is full.
 *
 * A server that does not answer at all is waited for: it takes the output when it is back, and there is
 * the orphan limit for one that does not come back.
 */
import type { Clock, Timer } from '../../platform/index.ts'

export interface FlushBudget {
  clock: Clock
  /** How long a server that answers may take nothing. */
  limitMs: number
  /** When it last answered anything, as the monotonic clock had it. */
  heardMs: () => number
  /** How many bytes it lacks. */
  backlog: () => number
  onSpent: () => void
}

/** Looks in one limit, so that a server which is slow and one which takes nothing are told apart. */
const LOOKS = 6

/** @returns a function that stops the watch. */
export function watchFlush({ clock, limitMs, heardMs, backlog, onSpent }: FlushBudget): () => void {
  const lookMs = limitMs / LOOKS
  let least = backlog()
  let spentMs = 0
  let heardBeforeMs = heardMs()
  let timer: Timer
  const look = () => {
    const lacking = backlog()
    if (lacking < least) spentMs = 0
    // Between two polls it may have nothing to say for a while: that is made up for with the next answer.
    else if (heardMs() > heardBeforeMs) spentMs += lookMs
    least = Math.min(least, lacking)
    heardBeforeMs = heardMs()
    if (spentMs >= limitMs) onSpent()
    else timer = clock.after(lookMs, look)
  }
  timer = clock.after(lookMs, look)
  return () => timer.cancel()
}
