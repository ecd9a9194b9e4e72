/** Wakes who waits for changes: once for many that come together, and never too late. */
import { sleep, type Clock } from '../../platform/index.ts'

export interface Bell {
  ring(): void
  /** Hears what rings from now on. */
  listen(): BellListener
}

export interface BellListener {
  /**
   * Until it rang since the last wait, and `gatherMs` after that one are over, so that no more than one
   * answer is made in that time; at the latest when `longestMs` are over, or when the signal aborts.
   */
  wait(
    clock: Clock,
    options: { gatherMs: number; longestMs: number; signal: AbortSignal },
  ): Promise<void>
  stop(): void
}

export function createBell(): Bell {
  const listeners = new Set<() => void>()
  return {
    ring() {
      for (const listener of listeners) listener()
    },
    listen() {
      let hasRung = false
      let answer: AbortController | null = null
      let lastMs = -Infinity
      const hear = () => {
        hasRung = true
        answer?.abort()
      }
      listeners.add(hear)
      return {
        async wait(clock, { gatherMs, longestMs, signal }) {
          if (!hasRung) {
            answer = new AbortController()
            await sleep(clock, longestMs, AbortSignal.any([signal, answer.signal]))
            answer = null
          }
          await sleep(clock, Math.max(0, lastMs + gatherMs - clock.monotonic()), signal)
          hasRung = false
          lastMs = clock.monotonic()
        },
        stop: () => void listeners.delete(hear),
      }
    },
  }
}
