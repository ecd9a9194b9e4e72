/**
 * What will happen when, as data: the world has no timers of its own.
 *
 * A binary heap by time; entries of one time come out in the order in which they went in, so that a run
 * can be repeated. Nothing is ever taken back: whoever handles an entry looks whether it still means
 * something.
 */

/** What falls due. `step` is the member's when it was put in: a later state makes the entry void. */
export type Due =
  | { kind: 'machine-running'; instance: string }
  | { kind: 'machine-booted'; instance: string; launchedAt: number }
  | { kind: 'machine-halted'; instance: string }
  | { kind: 'machine-forgotten'; instance: string }
  | { kind: 'spot-interruption'; instance: string }
  | { kind: 'member-proceeds'; instance: string; step: number }
  | { kind: 'member-forgotten'; instance: string; group: string }
  | { kind: 'member-expires'; instance: string; step: number }
  | { kind: 'action-expires'; instance: string; token: string }
  | { kind: 'health-check'; instance: string }
  | { kind: 'group-settles'; group: string }
  | { kind: 'zones-rebalance'; group: string }
  | { kind: 'scheduled-action'; group: string; name: string; revision: number }
  | { kind: 'refresh-step'; group: string; refresh: string }

interface Entry {
  at: number
  order: number
  due: Due
}

export class Agenda {
  readonly #heap: Entry[] = []
  #order = 0

  get size(): number {
    return this.#heap.length
  }

  /** When the next entry falls due, or null when there is none. */
  get nextAt(): number | null {
    return this.#heap[0]?.at ?? null
  }

  add(at: number, due: Due): void {
    const heap = this.#heap
    heap.push({ at, order: this.#order++, due })
    let child = heap.length - 1
    while (child > 0) {
      const parent = (child - 1) >> 1
      if (!this.#isBefore(child, parent)) return
      this.#swap(child, parent)
      child = parent
    }
  }

  /** Takes out the next entry that is due at that time. */
  take(now: number): { at: number; due: Due } | null {
    const heap = this.#heap
    const [first] = heap
    if (first === undefined || first.at > now) return null
    const last = heap.pop()
    if (heap.length > 0 && last !== undefined) {
      heap[0] = last
      this.#sink()
    }
    return first
  }

  #sink(): void {
    let parent = 0
    for (;;) {
      let smallest = parent
      for (const child of [2 * parent + 1, 2 * parent + 2]) {
        if (child < this.#heap.length && this.#isBefore(child, smallest)) smallest = child
      }
      if (smallest === parent) return
      this.#swap(smallest, parent)
      parent = smallest
    }
  }

  #isBefore(left: number, right: number): boolean {
    const a = this.#heap[left]
    const b = this.#heap[right]
    if (a === undefined || b === undefined) return false
    return a.at < b.at || (a.at === b.at && a.order < b.order)
  }

  #swap(left: number, right: number): void {
    const a = this.#heap[left]
    const b = this.#heap[right]
    if (a === undefined || b === undefined) return
    this.#heap[left] = b
    this.#heap[right] = a
  }
}
