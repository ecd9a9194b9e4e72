/** How late the event loop of this process is: what holds it up holds up every agent's call. */
import { monitorEventLoopDelay } from 'node:perf_hooks'

export interface LoopLag {
  /** The worst since it was asked last, in milliseconds. */
  takeWorstMs(): number
  close(): void
}

/** The finest that is cheap; lags that matter are a hundred times as long. */
const RESOLUTION_MS = 20

export function watchLoopLag(): LoopLag {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  histogram.enable()
  return {
    takeWorstMs() {
      const worstMs = histogram.max / 1e6
      histogram.reset()
      // The timer that measures sleeps for its resolution itself.
      return Math.max(0, worstMs - RESOLUTION_MS)
    },
    close: () => void histogram.disable(),
  }
}
