/** Something that is done every few seconds, on a grid of its own. */
import { createHash } from 'node:crypto'
import { sleep, type Clock } from '../platform/index.ts'

export interface TicksOptions {
  intervalMs: number
  /** Before the first time. */
  delayMs?: number
  clock: Clock
  signal: AbortSignal
  /** One at a time: what would begin while it is under way is left out. */
  run: () => Promise<void>
  /** Told how many runs were left out. */
  onSkipped?: (runs: number) => void
}

/**
 * Runs until the signal. Counted on the clock that never jumps; a machine that slept for an hour goes on
 * with one run, not with hundreds.
 */
export async function runTicks(options: TicksOptions): Promise<void> {
  const { intervalMs, delayMs = 0, clock, signal, run, onSkipped } = options
  const startMs = clock.monotonic() + delayMs
  if (delayMs > 0) await sleep(clock, delayMs, signal)
  for (let tick = 0; !signal.aborted;) {
    await run()
    const passed = Math.floor((clock.monotonic() - startMs) / intervalMs)
    if (passed > tick) onSkipped?.(passed - tick)
    tick = Math.max(tick, passed) + 1
    await sleep(clock, startMs + tick * intervalMs - clock.monotonic(), signal)
  }
}

/**
 * Where in the interval a node has its turn, by its id: ten thousand machines that boot at once must
 * not all ask, and send, in the same moment.
 */
export function toOffsetMs(id: string, intervalMs: number): number {
  return createHash('sha256').update(id).digest().readUIntBE(0, 6) % intervalMs
}
