/** Something that is done every few seconds, on a grid of its own. */
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
  return mix(id) % intervalMs
}

/** 32 bits that depend on every character: FNV-1a, and the last step of MurmurHash3. It guards nothing. */
function mix(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
