/** What befalls a region without anybody calling its API: for tests, and as steps of a script. */
import { z } from 'zod'
import { checkLater } from './core/health.ts'
import { REASONS, haltMachine, isAlive } from './core/machines.ts'
import { giveSpotNotice, recommendRebalance } from './core/spot.ts'
import type { Machine, World } from './core/world.ts'
import { Refusal } from './actions/refusal.ts'
import { parseDurationMs } from '../../model/index.ts'

/** `5s`, `2m`. */
export const duration = z.string().transform((text, context) => {
  const ms = parseDurationMs(text)
  if (ms !== null) return ms
  context.addIssue({ code: 'custom', message: `not a duration such as 5s or 2m: "${text}"` })
  return z.NEVER
})

const instance = z.string()
const count = z.number().int().positive()

export const DISTURBANCES = {
  /** EC2 takes a spot instance back: two minutes from now it ends. */
  'spot-notice': z.strictObject({ do: z.literal('spot-notice'), instance }),
  /** EC2 recommends to replace an instance that is at risk. */
  'rebalance-recommendation': z.strictObject({
    do: z.literal('rebalance-recommendation'),
    instance,
  }),
  /** The machine shuts itself down. */
  'self-shutdown': z.strictObject({ do: z.literal('self-shutdown'), instance }),
  /** The machine is gone at once, as when its hardware fails. */
  'machine-failure': z.strictObject({ do: z.literal('machine-failure'), instance }),
  /** From now on its end takes so long. */
  'slow-shutdown': z.strictObject({ do: z.literal('slow-shutdown'), instance, for: duration }),
  /** The next launches fail. */
  'fail-launches': z.strictObject({
    do: z.literal('fail-launches'),
    code: z.string().default('InsufficientInstanceCapacity'),
    zone: z.string().optional(),
    group: z.string().optional(),
    /** Until `mend-launches` when absent. */
    times: count.optional(),
  }),
  'mend-launches': z.strictObject({ do: z.literal('mend-launches') }),
  /** The next machines run, but their software never comes up. */
  'break-boots': z.strictObject({ do: z.literal('break-boots'), times: count.default(1) }),
  /** Answers become older: eventual consistency. */
  lag: z.strictObject({
    do: z.literal('lag'),
    group: duration.optional(),
    instance: duration.optional(),
    ec2: duration.optional(),
    activity: duration.optional(),
    imds: duration.optional(),
  }),
} as const

type Schema = (typeof DISTURBANCES)[keyof typeof DISTURBANCES]
export type Disturbance = z.input<Schema>
type Parsed = z.output<Schema>

/** As the activities of real groups tell them. */
const MESSAGES: Readonly<Record<string, string>> = {
  InsufficientInstanceCapacity:
    'We currently do not have sufficient {type} capacity in the Availability Zone you requested ({zone}).',
  InstanceLimitExceeded:
    'You have requested more instances than your current instance limit of 20 allows for the specified instance type.',
  VcpuLimitExceeded:
    'You have requested more vCPU capacity than your current vCPU limit of 32 allows for the instance bucket that the specified instance type belongs to.',
  InvalidLaunchTemplateId: 'The launch template does not exist.',
  UnauthorizedOperation: 'You are not authorized to perform this operation.',
}

/** @throws Refusal when it names an instance that is not there, ZodError when it makes no sense. */
export function disturb(world: World, disturbance: Disturbance): void {
  happen(world, DISTURBANCES[disturbance.do].parse(disturbance))
}

function happen(world: World, what: Parsed): void {
  switch (what.do) {
    case 'spot-notice':
      return giveSpotNotice(world, find(world, what.instance))
    case 'rebalance-recommendation':
      return recommendRebalance(world, find(world, what.instance))
    case 'self-shutdown':
      return shutDown(world, find(world, what.instance))
    case 'machine-failure':
      return fail(world, find(world, what.instance))
    case 'slow-shutdown':
      find(world, what.instance).shutdownMs = what.for
      return undefined
    case 'fail-launches': {
      const { do: _do, times = Number.POSITIVE_INFINITY, code, ...where } = what
      const message = MESSAGES[code] ?? `The launch failed: ${code}.`
      world.conditions.launchFailures.push({ ...where, code, message, remaining: times })
      return undefined
    }
    case 'mend-launches':
      world.conditions.launchFailures = []
      return undefined
    case 'break-boots':
      world.conditions.brokenBoots += what.times
      return undefined
    case 'lag': {
      const { lag } = world.settings
      lag.groupMs = what.group ?? lag.groupMs
      lag.instanceMs = what.instance ?? lag.instanceMs
      lag.ec2Ms = what.ec2 ?? lag.ec2Ms
      lag.activityMs = what.activity ?? lag.activityMs
      lag.imdsMs = what.imds ?? lag.imdsMs
      return undefined
    }
  }
}

function find(world: World, id: string): Machine {
  const machine = world.machines.get(id)
  if (machine !== undefined) return machine
  throw new Refusal('InvalidInstanceID.NotFound', `The instance ID '${id}' does not exist`)
}

/** What the machine then does is an attribute of the instance. */
function shutDown(world: World, machine: Machine): void {
  if (!isAlive(machine)) return
  haltMachine(
    world,
    machine,
    machine.onShutdown === 'stop' ? 'stopped' : 'terminated',
    REASONS.self,
  )
  checkLater(world, machine.id)
}

function fail(world: World, machine: Machine): void {
  if (!isAlive(machine)) return
  haltMachine(world, machine, 'terminated', {
    code: 'Server.InternalError',
    message: 'Server.InternalError: the hardware of the instance failed',
  })
  checkLater(world, machine.id)
}
