/** Plays a script: each step at its time, one after the other. */
import { CaravanError } from '../../../model/index.ts'
import type { Clock, Log } from '../../../platform/index.ts'
import { sleep } from '../../../platform/index.ts'
import { Refusal } from '../actions/refusal.ts'
import { isInProgress } from '../core/activities.ts'
import type { World } from '../core/world.ts'
import type { Faults } from '../calls.ts'
import type { AwsEmulator } from '../emulator.ts'
import type { Step } from './script.ts'

export interface PlayerDeps {
  aws: AwsEmulator
  faults: Faults
  clock: Clock
  log: Log
  /** Puts a job of simulated tasks onto the cluster. */
  runJob(job: RehearsalJob): Promise<void>
}

export interface RehearsalJob {
  name: string
  count: number
  runMs: number
  cpuMhz: number
  memoryMiB: number
}

/** How often it looks whether everything has settled. */
const SETTLED_POLL_MS = 200

/** `ended`: the script said so. `played`: it has no end, and goes on until it is stopped. */
export type Outcome = 'ended' | 'played' | 'stopped'

/** @throws CaravanError INPUT_INVALID when the region refuses a step, which ends the rehearsal. */
export async function play(
  steps: readonly Step[],
  deps: PlayerDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  const { clock, log } = deps
  const start = clock.monotonic()
  for (const step of steps) {
    const delayMs = start + step.at - clock.monotonic()
    if (delayMs > 0) await sleep(clock, delayMs, signal)
    if (signal.aborted) return 'stopped'
    if (step.do === 'end') {
      return step.when === 'now' ? 'ended' : await untilSettled(deps, signal)
    }
    log.info(`script: ${step.do}`, describe(step))
    await perform(step, deps).catch((cause: unknown) => {
      throw cause instanceof Refusal ? refused(step, cause) : cause
    })
  }
  return 'played'
}

function refused({ number, at, do: name }: Step, cause: Refusal): CaravanError {
  const message = `step ${number} of the script (${name}, at ${at / 1000} s) was refused`
  return new CaravanError('INPUT_INVALID', message, { cause })
}

async function perform(step: Exclude<Step, { do: 'end' }>, deps: PlayerDeps): Promise<void> {
  const { aws } = deps
  switch (step.do) {
    case 'say':
      return
    case 'call':
      aws.order(step.service, step.action, step.input)
      return
    case 'scale':
      aws.order('autoscaling', 'SetDesiredCapacity', {
        AutoScalingGroupName: step.group,
        DesiredCapacity: step.desired,
      })
      return
    case 'terminate':
      aws.order('autoscaling', 'TerminateInstanceInAutoScalingGroup', {
        InstanceId: choose(aws.world, step),
        ShouldDecrementDesiredCapacity: step.decrement,
      })
      return
    case 'run':
      return deps.runJob({
        name: step.job,
        count: step.count,
        runMs: step.for,
        cpuMhz: step.cpu,
        memoryMiB: step.memory,
      })
    case 'fail-calls': {
      const { action, fault, times } = step
      deps.faults.add({ fault, times, ...(action === undefined ? {} : { action }) })
      return
    }
    case 'spot-notice':
    case 'rebalance-recommendation':
    case 'self-shutdown':
    case 'machine-failure':
      aws.disturb({ do: step.do, instance: choose(aws.world, step) })
      return
    case 'slow-shutdown':
      aws.disturb({ do: step.do, instance: choose(aws.world, step), for: step.for })
      return
    default: {
      const { at: _at, number: _number, ...disturbance } = step
      aws.disturb(disturbance)
    }
  }
}

/** The oldest or newest that is in service. @throws Refusal when none is. */
function choose(world: World, step: { instance: string; group?: string | undefined }): string {
  if (step.instance !== 'oldest' && step.instance !== 'newest') return step.instance
  const serving = [...world.groups.values()]
    .filter(({ name }) => (step.group ?? name) === name)
    .flatMap(({ members }) => [...members.values()])
    .filter(({ state }) => state.value === 'InService')
    .sort((a, b) => a.machine.launchedAt - b.machine.launchedAt)
  const chosen = step.instance === 'oldest' ? serving[0] : serving.at(-1)
  if (chosen !== undefined) return chosen.machine.id
  const where = step.group === undefined ? 'any group' : `group ${step.group}`
  throw new Refusal('ValidationError', `the script finds no instance in service in ${where}`)
}

async function untilSettled(deps: PlayerDeps, signal: AbortSignal): Promise<Outcome> {
  for (;;) {
    if (isSettled(deps.aws.world)) return 'ended'
    if (!(await sleep(deps.clock, SETTLED_POLL_MS, signal))) return 'stopped'
  }
}

function isSettled(world: World): boolean {
  return [...world.groups.values()].every(
    ({ members, desired }) =>
      [...members.values()].every(({ activity }) => !isInProgress(activity)) &&
      [...members.values()].filter(({ state }) => state.value === 'InService').length >= desired,
  )
}

function describe(step: Step): Record<string, unknown> {
  const { at: _at, do: _do, number: _number, ...fields } = step
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}
