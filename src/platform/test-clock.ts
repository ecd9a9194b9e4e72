/** A clock that only moves when told to. Lives beside the port so that tests and simulation share it. */
import type { Clock, Timer } from './clock.ts'

export class TestClock implements Clock {
  #nowMs: number
  #monotonicMs = 0
  #timers = new Map<symbol, { dueMs: number; run: () => void }>()

  constructor(nowMs = 1_700_000_000_000) {
    this.#nowMs = nowMs
  }

  now(): number {
    return this.#nowMs
  }

  monotonic(): number {
    return this.#monotonicMs
  }

  after(delayMs: number, run: () => void): Timer {
    const key = Symbol('timer')
    this.#timers.set(key, { dueMs: this.#monotonicMs + Math.max(delayMs, 0), run })
    const timer: Timer = { cancel: () => void this.#timers.delete(key), unref: () => timer }
    return timer
  }

  /** Moves both clocks and fires what falls due, in order, letting promises settle in between. */
  async tick(ms: number): Promise<void> {
    const end = this.#monotonicMs + ms
    for (;;) {
      await settle()
      const next = [...this.#timers].sort((a, b) => a[1].dueMs - b[1].dueMs)[0]
      if (next === undefined || next[1].dueMs > end) break
      this.#timers.delete(next[0])
      this.#advanceTo(Math.max(next[1].dueMs, this.#monotonicMs))
      next[1].run()
    }
    this.#advanceTo(end)
    await settle()
  }

  /** The wall clock alone jumps, as after a correction by NTP. */
  jump(ms: number): void {
    this.#nowMs += ms
  }

  #advanceTo(monotonicMs: number): void {
    this.#nowMs += monotonicMs - this.#monotonicMs
    this.#monotonicMs = monotonicMs
  }
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
