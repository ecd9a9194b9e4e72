/** The first step of a job in containers: what is made ready, and why it could not be. */
import { isCaravanError } from '../../model/index.ts'
import { describeCause } from '../../platform/index.ts'
import type { Ending } from '../ending.ts'
import { ImageMissing } from '../executors/docker/images.ts'
import type { Ground, OpenGround } from '../ground.ts'
import type { StepOutput } from '../output/step-output.ts'
import { resolveWorkingDirectory } from '../paths.ts'
import { failed, type StepOutcome, toEndingReason } from './outcome.ts'
import { recordStep, type StepBase } from './record-step.ts'

const SUCCEEDED: StepOutcome = { state: 'succeeded', exitCode: null, signal: null, reason: null }
const NO_DOCKER =
  'caravan: a job in containers needs a Docker Engine on the node; `caravan run --executor host` does without'

export interface Opened {
  outcome: StepOutcome
  /** Null when it can not be used. */
  ground: OpenGround | null
}

/** On a machine nothing has to be made ready, and there is no such step. */
export async function openGround(
  base: StepBase & { ending: Ending },
  ground: Ground,
): Promise<Opened> {
  const signal = base.ending.signal
  const [first] = base.task.steps
  if (first?.kind !== 'environment') {
    return {
      outcome: SUCCEEDED,
      ground: await openAt(base, ground, { say: () => undefined, signal }),
    }
  }
  const opened: { ground: OpenGround | null } = { ground: null }
  const step = await recordStep(base, { index: 0 }, async (output) => {
    try {
      const say = (line: string) => output.line(line)
      opened.ground = await openAt(base, ground, { say, signal })
      return SUCCEEDED
    } catch (cause) {
      return explain(base, output, cause)
    }
  })
  const outcome = await step.done
  return { outcome, ground: opened.ground }
}

async function openAt(
  { task }: StepBase,
  ground: Ground,
  io: Parameters<Ground['open']>[0],
): Promise<OpenGround> {
  const open = await ground.open(io)
  await open.executor.makeFolder(
    resolveWorkingDirectory(task.working_directory, open.executor.home),
  )
  return open
}

function explain(
  { ending, log }: StepBase & { ending: Ending },
  output: StepOutput,
  cause: unknown,
): StepOutcome {
  if (ending.cause !== null) {
    const reason = toEndingReason(ending.cause)
    return { ...SUCCEEDED, state: reason === 'max_run_time' ? 'timed_out' : 'canceled', reason }
  }
  log.error('the containers could not be made ready', { cause })
  if (cause instanceof ImageMissing) {
    output.line(`caravan: ${cause.message}`)
    return failed('image_pull')
  }
  output.line(`caravan: ${describeCause(cause)}`)
  if (isCaravanError(cause, 'INPUT_INVALID')) return failed('config_error')
  if (/ENOENT|ECONNREFUSED|EACCES/.test(describeCause(cause))) output.line(NO_DOCKER)
  return failed('executor_lost')
}
