/** The steps of a slice in their order, the background ones beside them, and what it all comes to. */
import type { Reason } from '../../model/index.ts'
import type { JobContext } from './context.ts'
import {
  shouldRun,
  type SliceFacts,
  type SliceOutcome,
  type StepOutcome,
  toSliceOutcome,
} from './outcome.ts'
import { CancelTime, isForCancel } from './on-cancel.ts'
import { skipStep, toShownName } from './record-step.ts'
import { startStep } from './run-step.ts'
import { warnOfBrokenBashEnv } from './bash-env.ts'

/** Runs until every process of the job is gone. */
export async function runSteps(context: JobContext): Promise<SliceOutcome> {
  const jobOver = new AbortController()
  const background: Promise<StepOutcome>[] = []
  try {
    return await runForeground(context, background, jobOver.signal)
  } finally {
    jobOver.abort()
    await Promise.all(background)
    await context.executor.sweep()
  }
}

/** After these there is nothing left that could run a step. */
const LOST: ReadonlySet<Reason | null> = new Set(['agent_crashed', 'executor_lost'])

/** @param background gets the steps that go on when this returns. */
async function runForeground(
  context: JobContext,
  background: Promise<StepOutcome>[],
  jobOver: AbortSignal,
): Promise<SliceOutcome> {
  const { task, ending, executor } = context
  const checkBashEnv = warnOfBrokenBashEnv(context)
  let failing: SliceFacts['failing'] = null
  const cancelTime = new CancelTime(context)
  let isHalted = false
  for (const [index, step] of task.steps.entries()) {
    // The ground of the job, which was opened before.
    if (step.kind === 'environment') continue
    const isLost = LOST.has(failing?.outcome.reason ?? null)
    const isOver = isHalted || ending.cause !== null || isLost
    if (isForCancel(step)) {
      const rest = isHalted || isLost ? null : cancelTime.open()
      if (rest === null) skipStep(context, index)
      else await (await startStep(rest, index)).done
      continue
    }
    if (!shouldRun(step, { isFailing: failing !== null, isOver })) {
      skipStep(context, index)
      continue
    }
    const isBackground = step.kind === 'service' || (step.kind === 'run' && step.background)
    const { done } = await startStep(context, index, isBackground ? jobOver : undefined)
    if (isBackground) {
      background.push(done)
      continue
    }
    const outcome = await done
    if (outcome.state !== 'succeeded') {
      failing ??= { index, name: toShownName(context, step), outcome }
    }
    isHalted ||= await executor.isHalted()
    await checkBashEnv(index)
  }
  cancelTime.close()
  return toSliceOutcome({ cause: ending.cause, failing, isHalted })
}
