/** How steps and slices ended: pure readings of what happened. */
import {
  type Reason,
  REASONS,
  type Result,
  type RunStep,
  type StepSpec,
} from '../../model/index.ts'
import type { EndingCause } from '../ending.ts'
import type { CommandExit } from '../process/launch.ts'

export interface StepOutcome {
  state: 'succeeded' | 'failed' | 'timed_out' | 'canceled'
  exitCode: number | null
  signal: string | null
  reason: Reason | null
}

/** Why we ended a command that would have gone on: it was silent, the job has to end, the others are done. */
export type CutShort = 'no_output' | 'ending' | 'job_over'

export function failed(reason: Reason, exit: Partial<CommandExit> = {}): StepOutcome {
  return { exitCode: null, signal: null, ...exit, state: 'failed', reason }
}

/** Reads a finished command. What we did to it comes before what it says itself. */
export function toStepOutcome(
  exit: CommandExit,
  cutShort: CutShort | null,
  cause: EndingCause | null,
): StepOutcome {
  switch (cutShort) {
    case 'no_output':
      return { ...exit, state: 'timed_out', reason: 'no_output' }
    case 'job_over':
      // A background step that we ended did what it was there for.
      return { ...exit, state: 'succeeded', reason: null }
    case 'ending': {
      const reason = toEndingReason(cause)
      return { ...exit, state: reason === 'max_run_time' ? 'timed_out' : 'canceled', reason }
    }
    default:
      if (exit.exitCode === 0) return { ...exit, state: 'succeeded', reason: null }
      return { ...exit, state: 'failed', reason: exit.signal === null ? 'exit_code' : 'signal' }
  }
}

/** Where the job stands when a step is about to start. */
export interface JobProgress {
  /** A foreground step did not succeed. */
  isFailing: boolean
  /** A step asked for an early end, or the end was asked for from outside. */
  isOver: boolean
}

/**
 * After an early end nothing runs any more, whatever its `when` says. `on_cancel` is for then alone, and not
 * judged here.
 */
export function shouldRun(step: StepSpec, job: JobProgress): boolean {
  if (job.isOver) return false
  const when: RunStep['when'] = step.kind === 'run' ? step.when : 'on_success'
  if (when === 'on_cancel') return false
  return when === 'always' || (when === 'on_fail') === job.isFailing
}

export interface SliceOutcome {
  result: Result
  reason: Reason
  /** One sentence. */
  detail: string
}

export interface SliceFacts {
  /** Null when the work ended by itself. */
  cause: EndingCause | null
  /** The first foreground step that did not succeed. */
  failing: { index: number; name: string; outcome: StepOutcome } | null
  isHalted: boolean
}

/** An end from outside comes first, then the first step that went wrong; halting mends nothing. */
export function toSliceOutcome({ cause, failing, isHalted }: SliceFacts): SliceOutcome {
  const ending = toEndingReason(cause)
  if (ending !== null) return { result: REASONS[ending].result, reason: ending, detail: '' }
  if (failing !== null) {
    const reason = failing.outcome.reason ?? 'exit_code'
    return { result: REASONS[reason].result, reason, detail: describeFailure(failing) }
  }
  return { result: 'succeeded', reason: isHalted ? 'halted' : 'succeeded', detail: '' }
}

function describeFailure({ index, name, outcome }: NonNullable<SliceFacts['failing']>): string {
  const place = `step ${index} (${name})`
  if (outcome.reason === 'no_output') return `${place} wrote nothing for too long`
  if (outcome.signal !== null) return `${place} was ended by ${outcome.signal}`
  if (outcome.exitCode !== null) return `${place} ended with exit code ${outcome.exitCode}`
  return `${place} could not be run`
}

/** What people are told of an end that came from outside. Null when there was none, or nobody to tell. */
export function toEndingReason(cause: EndingCause | null): Reason | null {
  switch (cause?.kind) {
    case 'asked':
      return cause.reason
    case 'max_run_time':
      return 'max_run_time'
    case 'orphaned':
      return 'agent_lost'
    default:
      return null
  }
}
