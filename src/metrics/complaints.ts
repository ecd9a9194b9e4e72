/** What goes wrong, told when it changes and now and then while it lasts: a log is no second gauge. */
import type { Clock } from '../platform/index.ts'

export interface Complaints {
  /**
   * @param topic what it is about: each has a state of its own.
   * @param text in words that stay the same while the reason does. One line is made of it.
   */
  tell(topic: string, text: string): void
  /** All is well: the next complaint is a change. */
  clear(topic: string): void
}

/** Whoever looks at the log of the last minutes should see it. */
const REPEAT_MS = 5 * 60_000
const LENGTH_MAX = 500

/** @param write takes whole lines. */
export function createComplaints(clock: Clock, write: (line: string) => void): Complaints {
  const told = new Map<string, { text: string; atMs: number }>()
  return {
    tell(topic, text) {
      const nowMs = clock.monotonic()
      const last = told.get(topic)
      if (last?.text === text && nowMs - last.atMs < REPEAT_MS) return
      told.set(topic, { text, atMs: nowMs })
      write(toOneLine(text))
    },
    clear: (topic) => void told.delete(topic),
  }
}

/** Bodies of answers are in it: control characters would write to the terminal of whoever reads it. */
export function toOneLine(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ').trim()
  return line.length > LENGTH_MAX ? `${line.slice(0, LENGTH_MAX)}...` : line
}
