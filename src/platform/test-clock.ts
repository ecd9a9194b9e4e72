/** A clock that only moves when told to. Lives beside the port so that tests and simulation share it. */
import type { Clock, Timer } from './clock.ts'

interface Entry {
  dueMs: number
  /** Of two that are due at the same time, the older one goes first. */
  order: number
  /** Null when it was canceled. */
  run: (() => void) | null
}

export class TestClock implements Clock {
  #nowMs: number
  #monotonicMs = 0
  /** A binary heap: a day of a large fleet sets millions of timers, most of which are canceled. */
  #heap: Entry[] = []
  #order = 0
  #canceled = 0

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
    this.#order += 1
    const entry: Entry = {
      dueMs: this.#monotonicMs + Math.max(delayMs, 0),
      order: this.#order,
      run,
    }
    this.#add(entry)
    const timer: Timer = {
      cancel: () => {
        if (entry.run === null) return
        entry.run = null
        this.#canceled += 1
      },
      unref: () => timer,
    }
    return timer
  }

  /** Moves both clocks and fires what falls due, in order, letting promises settle in between. */
  async tick(ms: number): Promise<void> {
    const end = this.#monotonicMs + ms
    for (;;) {
      await settle()
      const run = this.#takeDue(end)
      if (run === null) break
      run()
    }
    this.#advanceTo(end)
    await settle()
  }

  /** The wall clock alone jumps, as after a correction by NTP. */
  jump(ms: number): void {
    this.#nowMs += ms
  }

  /** Moves to the next timer that is due by then, and takes it out; null when there is none. */
  #takeDue(end: number): (() => void) | null {
    if (this.#canceled > this.#heap.length / 2) this.#sweep()
    for (
      let [first] = this.#heap;
      first !== undefined && first.dueMs <= end;
      [first] = this.#heap
    ) {
      this.#removeFirst()
      const { run } = first
      if (run === null) {
        this.#canceled -= 1
        continue
      }
      // To cancel what has begun is nothing.
      first.run = null
      this.#advanceTo(Math.max(first.dueMs, this.#monotonicMs))
      return run
    }
    return null
  }

  /** Those that were canceled leave the heap. */
  #sweep(): void {
    const left = this.#heap.filter(({ run }) => run !== null)
    // A sorted list is a heap.
    this.#heap = left.sort((a, b) => (isBefore(a, b) ? -1 : 1))
    this.#canceled = 0
  }

  #add(entry: Entry): void {
    const heap = this.#heap
    let at = heap.length
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = heap[above]
      if (parent === undefined || isBefore(parent, entry)) break
      heap[at] = parent
      at = above
    }
    heap[at] = entry
  }

  #removeFirst(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      const left = 2 * at + 1
      const a = heap[left]
      const b = heap[left + 1]
      if (a === undefined) break
      const isRight = b !== undefined && isBefore(b, a)
      const child = isRight ? b : a
      if (isBefore(last, child)) break
      heap[at] = child
      at = isRight ? left + 1 : left
    }
    heap[at] = last
  }

  #advanceTo(monotonicMs: number): void {
    this.#nowMs += monotonicMs - this.#monotonicMs
    this.#monotonicMs = monotonicMs
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order)
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
