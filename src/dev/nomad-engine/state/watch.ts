/** Waits for news: how blocking queries learn that something changed. */
import type { Clock } from '../../../platform/index.ts'
import type { Commit, TableName } from './rows.ts'

export class Watch {
  readonly #clock: Clock
  readonly #waiting = new Map<TableName, Set<() => void>>()
  #closed = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Wakes whoever waits for news of these tables. */
  note(commit: Commit): void {
    for (const table of new Set(commit.changes.map((change) => change.table))) {
      for (const wake of this.#waiting.get(table) ?? []) wake()
    }
  }

  /** Lets everybody go who waits, now and later. */
  close(): void {
    this.#closed = true
    for (const waiting of this.#waiting.values()) for (const wake of waiting) wake()
  }

  /** Until `isNews` is true, the time is over, or the signal aborts. It is asked after each change. */
  until(
    tables: readonly TableName[],
    isNews: () => boolean,
    options: { waitMs: number; signal: AbortSignal },
  ): Promise<void> {
    const { signal, waitMs } = options
    if (this.#closed || signal.aborted || isNews()) return Promise.resolve()
    return new Promise((resolve) => {
      const end = () => {
        timer.cancel()
        signal.removeEventListener('abort', end)
        for (const table of tables) this.#waiting.get(table)?.delete(look)
        resolve()
      }
      const look = () => {
        if (this.#closed || isNews()) end()
      }
      const timer = this.#clock.after(waitMs, end)
      signal.addEventListener('abort', end, { once: true })
      for (const table of tables) {
        const waiting = this.#waiting.get(table) ?? new Set()
        this.#waiting.set(table, waiting.add(look))
      }
    })
  }
}
