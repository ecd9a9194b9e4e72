/** Turns processor time since the start into a share of the time since the last look. */
import type { Clock } from '../../../platform/index.ts'

interface Sample {
  atMs: number
  usedMs: number
}

/** Tasks that are remembered; the one looked at longest ago goes first. */
const SAMPLES_MAX = 1000

export class CpuMeter {
  readonly #clock: Clock
  readonly #samples = new Map<string, Sample>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** @returns percent of one processor; 0 at the first look, which has nothing to compare with. */
  percent(key: string, { userMs, systemMs }: { userMs: number; systemMs: number }): number {
    const now = { atMs: this.#clock.monotonic(), usedMs: userMs + systemMs }
    const before = this.#samples.get(key)
    this.#samples.delete(key)
    this.#samples.set(key, now)
    if (this.#samples.size > SAMPLES_MAX) {
      const [oldest] = this.#samples.keys()
      if (oldest !== undefined) this.#samples.delete(oldest)
    }
    if (before === undefined || now.atMs <= before.atMs) return 0
    return Math.max((100 * (now.usedMs - before.usedMs)) / (now.atMs - before.atMs), 0)
  }
}
