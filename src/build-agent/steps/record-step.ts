/** What the server hears of a step: that it began, what it wrote, how it ended. */
import { createHash } from 'node:crypto'
import type { StepSpec, Task } from '../../model/index.ts'
import type { Clock, Log } from '../../platform/index.ts'
import type { EventLog } from '../event-log.ts'
import type { Mask } from '../output/mask-filter.ts'
import type { Outputs, StepOutput } from '../output/step-output.ts'
import type { StepOutcome } from './outcome.ts'

export interface StepBase {
  task: Task
  outputs: Outputs
  events: EventLog
  mask: Mask
  clock: Clock
  log: Log
}

export interface StartedStep {
  /** Settles when the step is over and all of its output is spooled. Never rejects. */
  done: Promise<StepOutcome>
}

/**
 * Returns once the step has begun, so that a background step's first event comes before the next step's.
 *
 * @param perform does the work; must not throw.
 */
export async function recordStep(
  base: StepBase,
  { index, shell }: { index: number; shell?: string },
  perform: (output: StepOutput) => Promise<StepOutcome>,
): Promise<StartedStep> {
  const { task, events, outputs, log } = base
  const step = task.steps[index]
  if (step === undefined) throw new RangeError(`there is no step ${index}`)
  const output = await outputs.open(index)
  const header = shell === undefined ? {} : { shell }
  events.push({ type: 'step_started', step: index, attempt: 1, ...header })
  log.info('step started', { step: index, name: toShownName(base, step) })
  return { done: runToEnd(base, { index, step, output }, perform) }
}

async function runToEnd(
  base: StepBase,
  { index, step, output }: { index: number; step: StepSpec; output: StepOutput },
  perform: (output: StepOutput) => Promise<StepOutcome>,
): Promise<StepOutcome> {
  const { clock, events, log } = base
  const startedMs = clock.monotonic()
  const outcome = await perform(output)
  const totals = await output.close()
  const durationMs = Math.round(clock.monotonic() - startedMs)
  const { state, exitCode, signal, reason } = outcome
  events.push({
    type: 'step_finished',
    step: index,
    attempt: 1,
    state,
    exit_code: exitCode,
    signal,
    reason,
    duration_ms: durationMs,
    output: totals,
  })
  log.info('step finished', {
    step: index,
    name: toShownName(base, step),
    state,
    ...(reason === null ? {} : { reason }),
    ...(exitCode === null ? {} : { exit: exitCode }),
    seconds: durationMs / 1000,
  })
  return outcome
}

const EMPTY_OUTPUT = { length: 0, sha256: createHash('sha256').digest('hex'), dropped: 0 }

export function skipStep({ events, log, task }: StepBase, index: number): void {
  events.push({
    type: 'step_finished',
    step: index,
    attempt: 1,
    state: 'skipped',
    exit_code: null,
    signal: null,
    reason: null,
    duration_ms: 0,
    output: EMPTY_OUTPUT,
  })
  log.debug('step skipped', { step: index, of: task.steps.length })
}

/** For logs and sentences: one line, nothing secret. */
export function toShownName({ mask }: Pick<StepBase, 'mask'>, step: StepSpec): string {
  const line = mask.text(step.name).split('\n', 1)[0] ?? ''
  return line.length > NAME_MAX ? `${line.slice(0, NAME_MAX)}...` : line
}

const NAME_MAX = 100
