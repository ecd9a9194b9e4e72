/** One step from its first event to its last: output, commands, outcome. */
import {
  type CheckoutStep,
  isCaravanError,
  type RunStep,
  type StepSpec,
} from '../../model/index.ts'
import { describeCause } from '../../platform/index.ts'
import type { StepOutput } from '../output/step-output.ts'
import type { OomKills } from '../process/oom.ts'
import { StepPipe } from '../process/pipe.ts'
import { checkout } from './checkout.ts'
import type { JobContext, StepIo } from './context.ts'
import { failed, type StepOutcome } from './outcome.ts'
import { recordStep, type StartedStep } from './record-step.ts'
import { untilItSucceeds } from './rerun.ts'
import { runCommand, toShellLine } from './run-command.ts'
import { showService } from './show-service.ts'
import { SilenceWatch, supervise } from './supervise.ts'

/** A checkout has no limit of its own in the configuration. */
const CHECKOUT_SILENCE_MS = 600_000
/** With less than this left a disk counts as full: what failed was hardly a small file. */
const DISK_FULL_BYTES = 1024 * 1024
const LEAKED =
  'caravan: a process that this step left running still holds its output; what it writes from now on is not kept'

/**
 * Starts one of the steps that need a ground to run on.
 *
 * @param jobOver ends a background step; absent for the others.
 */
export async function startStep(
  context: JobContext,
  index: number,
  jobOver?: AbortSignal,
): Promise<StartedStep> {
  const { task, mask } = context
  const step = task.steps[index]
  if (step === undefined) throw new RangeError(`there is no step ${index}`)
  const shell = step.kind === 'run' ? { shell: mask.text(toShellLine(context, step)) } : {}
  return await recordStep(context, { index, ...shell }, async (output) =>
    performSafely(context, { index, step, output, jobOver }),
  )
}

interface OpenStep {
  index: number
  step: StepSpec
  output: StepOutput
  jobOver: AbortSignal | undefined
}

/** A fault of ours ends the job, but is never blamed on the user's command. */
async function performSafely(context: JobContext, open: OpenStep): Promise<StepOutcome> {
  const { output, index } = open
  try {
    return await untilItSucceeds(context, open, async () => {
      const before = await context.executor.countOomKills()
      const outcome = await explainDisk(context, output, await perform(context, open))
      return await explainMemory(context, { output, outcome, before })
    })
  } catch (cause) {
    if (isCaravanError(cause, 'INPUT_INVALID')) {
      output.line(`caravan: ${cause.message}`)
      return failed('config_error')
    }
    if (isDiskFull(cause)) {
      output.line(`caravan: the step could not be started: ${describeCause(cause)}`)
      return failed('disk_full')
    }
    context.log.error('a step could not be run', { step: index, cause })
    output.line(`caravan: the agent could not run this step: ${describeCause(cause)}`)
    return failed(isCaravanError(cause, 'DOCKER_FAILED') ? 'executor_lost' : 'agent_crashed')
  }
}

async function perform(context: JobContext, open: OpenStep): Promise<StepOutcome> {
  const { step, output, jobOver } = open
  switch (step.kind) {
    case 'run':
    case 'checkout':
      return await performCommands(context, { ...open, step })
    case 'service':
      return await showService(context.services.get(step.container), output, jobOver ?? OVER)
    case 'environment':
      // Ran before there was anything to run steps in.
      return failed('agent_crashed')
  }
}

/** A service without a job beside it has nothing to show. */
const OVER = AbortSignal.abort()

async function performCommands(
  context: JobContext,
  open: OpenStep & { step: RunStep | CheckoutStep },
): Promise<StepOutcome> {
  const { clock, timings, ending, executor, pipes } = context
  const { index, step, output, jobOver } = open
  const file = pipes[index] ?? ''
  const silence = new SilenceWatch(clock, {
    limitMs: toSilenceLimit(step),
    // A step that we hold back can not write.
    isExcused: () => output.isFull,
  })
  const pipe = new StepPipe(file, (bytes) => {
    silence.heard()
    return output.write(bytes)
  })
  output.onRoom = () => {
    // The time in which it could not write was no silence of its own.
    if (!output.isFull && pipe.resume()) silence.heard()
  }
  const io: StepIo = {
    output,
    async run(command) {
      const running = await executor.start(command, {
        fd: pipe.writeEnd,
        file,
        say: (line) => output.line(line),
      })
      return await supervise(running, { ending, silence, graceMs: timings.graceMs, jobOver })
    },
  }
  try {
    const outcome = await (step.kind === 'run'
      ? runCommand(context, { index, step }, io)
      : checkout(context, step, io))
    if (!(await pipe.finish(clock, timings.leakedPipeMs))) output.line(LEAKED)
    if (outcome.reason === 'no_output') output.line(silence.message())
    return outcome
  } finally {
    pipe.abandon()
  }
}

function toSilenceLimit(step: RunStep | CheckoutStep): number {
  if (step.kind === 'checkout') return CHECKOUT_SILENCE_MS
  return step.no_output_timeout_ms ?? Number.POSITIVE_INFINITY
}

/** A command that fails on a full disk seldom says so in a way that people find. */
async function explainDisk(
  { executor, place }: JobContext,
  output: StepOutput,
  outcome: StepOutcome,
): Promise<StepOutcome> {
  if (outcome.reason !== 'exit_code' && outcome.reason !== 'checkout') return outcome
  if ((await executor.freeBytes(place.workingDirectory)) >= DISK_FULL_BYTES) return outcome
  output.line(`caravan: the disk of ${place.workingDirectory} is full`)
  return { ...outcome, reason: 'disk_full' }
}

/** What steps write fills the disk on which the agent keeps their scripts too. */
function isDiskFull(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOSPC'
}

/** Who kills for want of memory says so in its counter; what the command says may be anything. */
async function explainMemory(
  { executor }: JobContext,
  step: { output: StepOutput; outcome: StepOutcome; before: OomKills | null },
): Promise<StepOutcome> {
  const { output, outcome, before } = step
  if (outcome.state !== 'failed' || before === null) return outcome
  const after = await executor.countOomKills()
  const kills = (after?.count ?? 0) - before.count
  // In a group that others use too, only what was killed itself is known to be among them.
  const isKilled = outcome.signal === 'SIGKILL' || outcome.exitCode === KILLED
  if (kills <= 0 || !(before.isOurs || isKilled)) return outcome
  output.line('caravan: there was no memory left, so the kernel killed a process of this step')
  return { ...outcome, reason: 'oom' }
}

/** What a shell ends with when SIGKILL ended its command. */
const KILLED = 137
