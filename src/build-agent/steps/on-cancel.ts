/** What steps with `when: on_cancel` run in: a job that is ending, and a little time. */
import { REASONS, type StepSpec } from '../../model/index.ts'
import { Ending } from '../ending.ts'
import type { JobContext } from './context.ts'
import { toEndingReason } from './outcome.ts'

export function isForCancel(step: StepSpec): boolean {
  return step.kind === 'run' && step.when === 'on_cancel'
}

/** Opened by the first step that needs it; all steps of a slice share its time. */
export class CancelTime {
  readonly #context: JobContext
  #opened: JobContext | null = null
  #close: () => void = () => {}

  constructor(context: JobContext) {
    this.#context = context
  }

  /** Null when the job is not canceled, or when there is no time left. */
  open(): JobContext | null {
    const { ending, clock, timings } = this.#context
    const reason = toEndingReason(ending.cause)
    // A slice that is made again elsewhere was not canceled.
    const { result } = reason === null ? { result: null } : REASONS[reason]
    if (reason === null || (result !== 'canceled' && result !== 'timed_out')) return null
    if (this.#opened === null && !ending.urgent.aborted) {
      const bounded = new Ending()
      const end = () => {
        bounded.begin({ kind: 'asked', reason })
        bounded.hurry()
      }
      const timer = clock.after(timings.onCancelMs, end)
      ending.urgent.addEventListener('abort', end)
      this.#opened = { ...this.#context, ending: bounded }
      this.#close = () => {
        timer.cancel()
        ending.urgent.removeEventListener('abort', end)
      }
    }
    return this.#opened?.ending.cause === null ? this.#opened : null
  }

  close(): void {
    this.#close()
  }
}
