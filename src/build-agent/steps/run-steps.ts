/** The steps of a slice in their order, the background ones beside them, and what it all comes to. */
import { createHash } from 'node:crypto'
import { access } from 'node:fs/promises'
import type { JobContext } from './context.ts'
import {
  shouldRun,
  type SliceFacts,
  type SliceOutcome,
  type StepOutcome,
  toSliceOutcome,
} from './outcome.ts'
import { CancelTime, isForCancel } from './on-cancel.ts'
import { startStep, toShownName } from './run-step.ts'
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

/** @param background gets the steps that go on when this returns. */
async function runForeground(
  context: JobContext,
  background: Promise<StepOutcome>[],
  jobOver: AbortSignal,
): Promise<SliceOutcome> {
  const { task, ending, workspace } = context
  const checkBashEnv = warnOfBrokenBashEnv(context)
  let failing: SliceFacts['failing'] = null
  const cancelTime = new CancelTime(context)
  let isHalted = false
  for (const [index, step] of task.steps.entries()) {
    const isOver = isHalted || ending.cause !== null || failing?.outcome.reason === 'agent_crashed'
    if (isForCancel(step)) {
      const rest = isHalted ? null : cancelTime.open()
      if (rest === null) skipStep(context, index)
      else await (await startStep(rest, index)).done
      continue
    }
    if (!shouldRun(step, { isFailing: failing !== null, isOver })) {
      skipStep(context, index)
      continue
    }
    const isBackground = step.kind === 'run' && step.background
    const { done } = await startStep(context, index, isBackground ? jobOver : undefined)
    if (isBackground) {
      background.push(done)
      continue
    }
    const outcome = await done
    if (outcome.state !== 'succeeded') {
      failing ??= { index, name: toShownName(context, step), outcome }
    }
    isHalted ||= await exists(workspace.haltFile)
    await checkBashEnv(index)
  }
  cancelTime.close()
  return toSliceOutcome({ cause: ending.cause, failing, isHalted })
}

const EMPTY_OUTPUT = { length: 0, sha256: createHash('sha256').digest('hex'), dropped: 0 }

function skipStep({ events, log, task }: JobContext, index: number): void {
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

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}
