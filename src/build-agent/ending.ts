/**
 * Why and how fast the work is to end before its time.
 *
 * The first cause counts, because it is what the user is told. Only `fenced` replaces another: then
 * nothing may be told any more.
 */
import type { Reason } from '../model/index.ts'

export type EndingCause =
  /**
   * A person, a newer build or an operator wants the slice to end, or Nomad wants the node. `graceMs` is
   * there when whoever kills us leaves another time than the usual one.
   */
  | { kind: 'asked'; reason: Reason; graceMs?: number }
  /** The job ran longer than it may. */
  | { kind: 'max_run_time' }
  /** The server was silent for longer than it lets a slice live on alone. */
  | { kind: 'orphaned' }
  /** The server has given the slice to another agent, or is done with it. */
  | { kind: 'fenced' }

export class Ending {
  readonly #steps = new AbortController()
  readonly #urgent = new AbortController()
  readonly #output = new AbortController()
  readonly #report = new AbortController()
  #cause: EndingCause | null = null

  get cause(): EndingCause | null {
    return this.#cause
  }

  /** Aborts when the running steps are to end and no further one may start. */
  get signal(): AbortSignal {
    return this.#steps.signal
  }

  /** Aborts when there is no time for a grace. */
  get urgent(): AbortSignal {
    return this.#urgent.signal
  }

  /** Aborts when output that the server lacks stays behind. */
  get outputOver(): AbortSignal {
    return this.#output.signal
  }

  /** Aborts when nothing at all is said to the server any more. */
  get reportOver(): AbortSignal {
    return this.#report.signal
  }

  begin(cause: EndingCause): void {
    if (this.#cause === null || cause.kind === 'fenced') this.#cause = cause
    this.#steps.abort()
    if (cause.kind === 'fenced') this.hurry()
    if (cause.kind === 'fenced' || cause.kind === 'orphaned') this.giveUpReport()
  }

  hurry(): void {
    this.#urgent.abort()
  }

  giveUpOutput(): void {
    this.#output.abort()
  }

  giveUpReport(): void {
    this.giveUpOutput()
    this.#report.abort()
  }
}
