/** The life of one slice between its claim and its last event. */
import {
  AGENT_EXIT,
  CaravanError,
  type ClaimAnswer,
  type Control,
  formatDuration,
  isCaravanError,
} from '../model/index.ts'
import { deadline, describeCause } from '../platform/index.ts'
import type { Ending } from './ending.ts'
import { buildJobEnvironment, findOversized } from './environment.ts'
import { EventLog } from './event-log.ts'
import type { Executor } from './executors/executor.ts'
import { createGround, type Ground } from './ground.ts'
import { Mask } from './output/mask-filter.ts'
import { Outputs } from './output/step-output.ts'
import type { AgentCalls, AgentOptions } from './ports.ts'
import { makePipes } from './process/pipe.ts'
import { report } from './report.ts'
import { Session } from './session.ts'
import type { SignalPlan } from './signals.ts'
import type { JobContext } from './steps/context.ts'
import { openGround } from './steps/open-ground.ts'
import { type SliceOutcome, type StepOutcome, toSliceOutcome } from './steps/outcome.ts'
import { skipStep, type StepBase, toShownName } from './steps/record-step.ts'
import { runSteps } from './steps/run-steps.ts'
import { writeRecord } from './sweep/record.ts'
import { sweep, toSweepPlaces } from './sweep/sweep.ts'
import type { AgentTimings } from './timings.ts'
import { type Folders, removeInternal, removeSpool, toJobPlace } from './workspace.ts'

export interface SliceInput {
  options: AgentOptions & { timings: AgentTimings }
  claim: ClaimAnswer
  calls: AgentCalls
  ending: Ending
  plan: SignalPlan
  onAccepted: () => void
  /** Ready to be used; made while the claim was under way. */
  folders: Folders
  executor: Executor
  /** Unlike that of any other slice of this machine. */
  name: string
}

export interface Parts {
  mask: Mask
  session: Session
  events: EventLog
  outputs: Outputs
}

/** How long before its end a job that runs too long is warned: a tenth of its time, and a minute. */
const WARNING_SHARE = 0.1
const WARNING_MS = 60_000
/** A minute of a server that is away at more than any build prints; a quarter of the usual ephemeral disk. */
const SPOOL_BYTES = 256 * 1024 ** 2
/** A slice is there for its own work: a sweep that takes longer is left to the next one. */
const SWEPT_MAX = 16
const SWEEP_MS = 120_000
/** As much as the protocol takes. */
const DETAIL_MAX = 4000

/**
 * @returns an exit code of AGENT_EXIT.
 * @throws before the slice is accepted, when this machine can not run it.
 */
export async function runSlice(input: SliceInput): Promise<number> {
  const { claim, ending, plan, options } = input
  const ground = await createGround(options, claim.task, input)
  const { folders } = ground
  const parts = assemble({ ...input, folders })
  plan.session = parts.session
  plan.killTimeoutMs = claim.task.limits.kill_timeout_ms ?? options.timings.killTimeoutMs
  try {
    const pipes = await makePipes(folders.pipesDir, claim.task.steps.length, ground.pipes)
    const refused = await accept(input, parts.session)
    if (refused !== null) {
      // Nothing has run, and nobody sweeps a spool without a record.
      await removeSpool(folders)
      return refused
    }
    input.onAccepted()
    await leaveRecord(input)
    const sweeping = sweepOthers(input)
    parts.session.start()
    const outcome = await plan.reconsider(await work({ ...input, ground, pipes }, parts))
    options.log.info('steps are over', { result: outcome.result, reason: outcome.reason })
    const code = await report(input, parts, outcome)
    ending.giveUpReport()
    await sweeping
    return code
  } finally {
    ending.giveUpReport()
    await parts.session.close()
    await ground.close()
    await removeInternal(folders)
  }
}

function assemble(input: SliceInput): Parts {
  const { options, claim, calls, ending, folders } = input
  const { clock, log } = options
  const mask = new Mask()
  const unmaskable = mask.add(claim.task.mask)
  const onFenced = (why: string) => {
    log.error('the slice is not ours any more', { why })
    ending.begin({ kind: 'fenced' })
  }
  const session = new Session({
    ...options,
    calls,
    claim,
    orphanMs: claim.task.limits.orphan_ms,
    onControl(control) {
      obey(control, { mask, ending })
      outputs.repace()
    },
    onFenced,
    onOrphaned: () => {
      log.error('the server was silent for too long', { ms: claim.task.limits.orphan_ms })
      ending.begin({ kind: 'orphaned' })
    },
  })
  const events = new EventLog({
    session,
    file: folders.eventsFile,
    clock,
    log,
    serverEpochMs: claim.server_time_ms - clock.monotonic(),
    signal: ending.reportOver,
    onFenced,
  })
  if (unmaskable > 0) {
    events.notice(`${unmaskable} secret values are not masked: they are too short or too common.`)
  }
  if (mask.plainOnly > 0) {
    events.notice(
      `${mask.plainOnly} secret values are not masked where they are encoded: too many.`,
    )
  }
  const outputs = new Outputs({
    ...options,
    folder: folders.spoolDir,
    mask,
    session,
    events,
    chunkBytes: claim.chunk_bytes,
    limitBytes: claim.task.limits.output_bytes,
    spoolBytes: options.spoolBytes ?? SPOOL_BYTES,
    signal: ending.outputOver,
    hurry: ending.signal,
    onFenced,
  })
  return { mask, session, events, outputs }
}

function obey(control: Control, { mask, ending }: { mask: Mask; ending: Ending }): void {
  mask.add(control.mask)
  if (control.action === 'none') return
  ending.begin({ kind: 'asked', reason: control.reason ?? 'canceled_by_user' })
  if (control.action === 'abort') ending.hurry()
}

/** From here on the slice is ours. @returns the exit code when it can not be. */
async function accept(
  { options, plan, ending }: SliceInput,
  session: Session,
): Promise<number | null> {
  const limit = deadline(options.clock, options.timings.claimMs, plan.arrived)
  const answer = await session.call('accept', (calls, s) => calls.accept(s), limit.signal)
  limit.cancel()
  if (answer !== null) {
    options.log.info('slice accepted')
    return null
  }
  if (ending.cause?.kind === 'fenced') return AGENT_EXIT.fenced
  return plan.arrived.aborted ? AGENT_EXIT.signaled : AGENT_EXIT.beforeAccept
}

/** For whoever finds the spool when we are gone. */
async function leaveRecord({ options, claim, folders }: SliceInput): Promise<void> {
  const { url, slice, epoch } = options.server
  const { session, chunk_bytes } = claim
  await writeRecord(folders.spoolDir, { url, slice, epoch, session, chunk_bytes })
}

/** What other agents of this machine have left for the same server is sent beside our own work. */
async function sweepOthers({ options, ending }: SliceInput): Promise<void> {
  const { allocation, server, log } = options
  try {
    await sweep({
      ...options,
      ...toSweepPlaces(allocation),
      url: server.url,
      spoolsMax: SWEPT_MAX,
      limitMs: SWEEP_MS,
      signal: AbortSignal.any([ending.signal, ending.reportOver]),
    })
  } catch (cause) {
    log.warn('the machine was not swept', { cause })
  }
}

async function work(
  input: SliceInput & { ground: Ground; pipes: readonly string[] },
  parts: Parts,
): Promise<SliceOutcome> {
  const { options, claim, ending, ground, pipes } = input
  const { task } = claim
  const base = { ...options, ...parts, task, ending }
  const stopTimers = limitRunTime(input, parts.events)
  try {
    const { outcome, ground: open } = await openGround(base, ground)
    if (open === null) return skipAll(base, outcome)
    const { executor } = open
    const place = toJobPlace(ground.folders, executor, task.working_directory)
    if (executor.shell.notice !== null) parts.events.notice(executor.shell.notice)
    const environment = buildJobEnvironment(executor.environment, task.environment, place)
    const oversized = findOversized([], environment)
    if (oversized !== null) throw new CaravanError('INPUT_INVALID', oversized)
    const context: JobContext = {
      ...base,
      ...open,
      workspace: ground.folders,
      place,
      environment,
      pipes,
      openSource: async (signal) =>
        await parts.session.repeat('source', (calls, s) => calls.source(s), signal),
    }
    return await runSteps(context)
  } catch (cause) {
    options.log.error('the steps could not be run', { cause })
    const detail = parts.mask.text(describeCause(cause)).slice(0, DETAIL_MAX)
    return isCaravanError(cause, 'INPUT_INVALID')
      ? { result: 'failed', reason: 'config_error', detail }
      : { result: 'infrastructure_failed', reason: 'agent_crashed', detail }
  } finally {
    stopTimers()
  }
}

/** Without anything to run in, no step runs, whatever its `when` says. */
function skipAll(base: StepBase & { ending: Ending }, outcome: StepOutcome): SliceOutcome {
  const [first, ...others] = base.task.steps
  for (const index of others.keys()) skipStep(base, index + 1)
  const name = first === undefined ? '' : toShownName(base, first)
  const failing = { index: 0, name, outcome }
  return toSliceOutcome({ cause: base.ending.cause, failing, isHalted: false })
}

/** Ends the job when its time is up, and says so before. @returns a function that stops the clock. */
function limitRunTime({ options, claim, ending }: SliceInput, events: EventLog): () => void {
  const { clock, log } = options
  const limitMs = claim.task.limits.max_run_time_ms
  const warn = (beforeMs: number) =>
    clock.after(limitMs - beforeMs, () =>
      events.notice(
        `The job is ended in ${formatDuration(beforeMs)}: it may run for ${formatDuration(limitMs)}.`,
      ),
    )
  const warnings = new Set([Math.round(limitMs * WARNING_SHARE), WARNING_MS])
  const timers = [...warnings].filter((ms) => ms < limitMs).map(warn)
  timers.push(
    clock.after(limitMs, () => {
      log.warn('the job ran longer than it may', { limitMs })
      ending.begin({ kind: 'max_run_time' })
    }),
  )
  return () => {
    for (const timer of timers) timer.cancel()
  }
}
