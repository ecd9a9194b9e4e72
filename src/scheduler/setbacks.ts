/** What failed, why, how often in a row, and when it is worth another try. */
import { backoffMs, type Clock, type RandomSource } from '../platform/index.ts'

export interface Setback {
  reason: string
  failures: number
  /** No try before; monotonic. */
  untilMs: number
}

const BACKOFF = { baseMs: 250, maxMs: 30_000 }

export class Setbacks<Key> {
  readonly #clock: Clock
  readonly #random: RandomSource
  readonly #known = new Map<Key, Setback>()

  constructor(deps: { clock: Clock; random: RandomSource }) {
    this.#clock = deps.clock
    this.#random = deps.random
  }

  get(key: Key): Setback | undefined {
    return this.#known.get(key)
  }

  keys(): Iterable<Key> {
    return this.#known.keys()
  }

  /** How long until the next try; 0 when nothing failed. @param nowMs monotonic. */
  leftMs(key: Key, nowMs: number): number {
    return Math.max(0, (this.#known.get(key)?.untilMs ?? 0) - nowMs)
  }

  /** Once more, with a longer pause than the time before. */
  add(key: Key, reason: string): Setback {
    const failures = (this.#known.get(key)?.failures ?? 0) + 1
    const restMs = backoffMs(failures, { ...BACKOFF, random: () => this.#random.number() })
    const setback = { reason, failures, untilMs: this.#clock.monotonic() + restMs }
    this.#known.set(key, setback)
    return setback
  }

  /** @returns whether there was one. */
  forget(key: Key): boolean {
    return this.#known.delete(key)
  }

  /** Each is worth a try now. */
  hurry(): void {
    for (const setback of this.#known.values()) setback.untilMs = 0
  }
}
