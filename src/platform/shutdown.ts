/**
 * Orderly ends: what was opened last is closed first, each within its share of one deadline.
 *
 * The order is the whole point: intake before loops, loops before the store, the engine last.
 */
import type { Clock } from './clock.ts'
import { deadline } from './clock.ts'
import type { Log } from './log.ts'

export interface Shutdown {
  /** Registers what closes a part that has just been opened. */
  add(name: string, close: () => Promise<unknown>): void
  /** Runs every closer once, newest first; a second call waits for the first. */
  close(): Promise<void>
}

/** `caravan dev` promises to be gone 5 s after SIGTERM. */
const SHUTDOWN_MS = 5000

export function createShutdown(clock: Clock, log: Log): Shutdown {
  const closers: { name: string; close: () => Promise<unknown> }[] = []
  let closing: Promise<void> | null = null
  const closeAll = async () => {
    const limit = deadline(clock, SHUTDOWN_MS)
    const late = new Promise<'late'>((resolve) =>
      limit.signal.addEventListener('abort', () => resolve('late'), { once: true }),
    )
    for (const { name, close } of closers.toReversed()) {
      try {
        const outcome = await Promise.race([close(), late])
        if (outcome === 'late') log.warn('a part did not stop in time', { part: name })
      } catch (cause) {
        log.warn('a part did not stop cleanly', { part: name, cause })
      }
    }
    limit.cancel()
  }
  return {
    add: (name, close) => void closers.push({ name, close }),
    close: () => (closing ??= closeAll()),
  }
}
