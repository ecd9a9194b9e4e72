/**
 * One emulated region: groups, their members, and the machines behind them.
 *
 * Plain state. Everything in this folder changes it as a function of (world, time, event) and nothing else:
 * no clock, no socket, no randomness but the one passed in. `now` moves only in `advance`.
 */
import type { RandomSource } from '../../../platform/index.ts'
import { Agenda } from './agenda.ts'
import type { WorldEvent } from './events.ts'
import type { WorldSettings } from './settings.ts'
import type { ActionResult, LifecycleState, MachineState, Transition } from './states.ts'
import type { Timeline } from './timeline.ts'

export interface World {
  /** Milliseconds since 1970, by the region's own clock. */
  now: number
  readonly settings: WorldSettings
  readonly random: RandomSource
  readonly agenda: Agenda
  readonly groups: Map<string, Group>
  readonly machines: Map<string, Machine>
  /** Newest last, by group; those of deleted groups stay. */
  readonly activities: Map<string, Activity[]>
  readonly templates: Map<string, Template>
  readonly conditions: Conditions
  /** What happened and has not been told yet. */
  outbox: WorldEvent[]
}

/** What is wrong with the region at present, by order of a test or a script. */
export interface Conditions {
  launchFailures: LaunchFailure[]
  /** So many of the next machines never come up. */
  brokenBoots: number
}

export interface LaunchFailure {
  /** Every zone when absent. */
  zone?: string | undefined
  group?: string | undefined
  /** Such as `InsufficientInstanceCapacity`. */
  code: string
  /** With `{type}` and `{zone}` for those of the launch. */
  message: string
  /** Infinity until it is lifted. */
  remaining: number
}

/** Any name is accepted and exists from then on. */
export interface Template {
  id: string
  name: string
  latest: number
  createdAt: number
}

export interface TemplateReference {
  id: string
  name: string
  /** As it was given: a number, `$Latest` or `$Default`. */
  version: string
}

export interface Group {
  readonly name: string
  readonly arn: string
  readonly createdAt: number
  min: number
  max: number
  desired: number
  template: TemplateReference | null
  /** Kept as given, to be told again. */
  readonly mirrored: Record<string, unknown>
  instanceType: string
  spot: boolean
  zones: string[]
  subnets: string[]
  cooldownSeconds: number
  healthGraceSeconds: number
  terminationPolicies: string[]
  protectsNew: boolean
  maxLifetimeSeconds: number
  capacityRebalance: boolean
  retainsAbandoned: boolean
  readonly tags: Map<string, { value: string; propagate: boolean }>
  readonly hooks: Map<string, Hook>
  readonly suspended: Map<ScalingProcess, string>
  /** Those in the group, the warm pool's too. */
  readonly members: Map<string, Member>
  /** Those that left, for as long as an answer may lag. */
  readonly departed: Map<string, Member>
  readonly openActions: Map<string, { member: Member; action: LifecycleAction }>
  readonly scheduled: Map<string, ScheduledAction>
  readonly refreshes: Refresh[]
  warmPool: WarmPool | null
  /** By the successor's id: the instance that goes once the successor serves. */
  readonly replacing: Map<string, { instance: string; why: string }>
  /** Answers of LaunchInstances by client token. */
  readonly launchRequests: Map<string, { input: unknown; output: Record<string, unknown> }>
  watchesZones: boolean
  lastScalingAt: number | null
  launching: LaunchTrouble
  isDeleting: boolean
}

/** How launching went lately: a group that fails waits longer and longer. */
export interface LaunchTrouble {
  failures: number
  failingSince: number | null
  retryAt: number
}

export const SCALING_PROCESSES = [
  'Launch',
  'Terminate',
  'AddToLoadBalancer',
  'AlarmNotification',
  'AZRebalance',
  'HealthCheck',
  'InstanceRefresh',
  'ReplaceUnhealthy',
  'ScheduledActions',
] as const
export type ScalingProcess = (typeof SCALING_PROCESSES)[number]

export interface Hook {
  name: string
  transition: Transition
  heartbeatSeconds: number
  defaultResult: ActionResult
  targetArn: string | null
  roleArn: string | null
  metadata: string | null
}

/** One instance waiting for one hook. */
export interface LifecycleAction {
  readonly hook: string
  readonly token: string
  readonly startedAt: number
  /** When the default result is taken, unless a heartbeat comes first. */
  deadlineAt: number
  result: ActionResult | null
}

export interface Member {
  readonly machine: Machine
  readonly group: Group
  readonly joinedAt: number
  readonly state: Timeline<LifecycleState>
  /** Rises with every change of state. */
  step: number
  health: 'Healthy' | 'Unhealthy'
  isProtected: boolean
  inServiceAt: number | null
  /** No hook holds it any more: it goes when its machine has ended. */
  isEnding: boolean
  /** Scaled in by a group whose warm pool takes such instances back. */
  returnsToPool: boolean
  actions: LifecycleAction[]
  /** What the group is doing to it at present. */
  activity: Activity | null
}

export interface Machine {
  readonly id: string
  readonly reservationId: string
  group: string | null
  readonly zone: string
  readonly subnet: string
  readonly instanceType: string
  readonly template: (TemplateReference & { number: number }) | null
  readonly imageId: string
  readonly privateIp: string
  readonly isSpot: boolean
  readonly bootsBroken: boolean
  /** When it was last started. */
  launchedAt: number
  readonly state: Timeline<MachineState>
  readonly tags: Map<string, string>
  /** What instance metadata shows as target-lifecycle-state. */
  readonly target: Timeline<TargetState>
  isBooted: boolean
  spotNotice: { at: number; time: number; action: 'terminate' | 'stop' | 'hibernate' } | null
  rebalanceAt: number | null
  stateReason: { code: string; message: string } | null
  isTerminationDisabled: boolean
  onShutdown: 'stop' | 'terminate'
  /** How long its end takes, from the first to the last. */
  shutdownMs: number
}

export type TargetState =
  | 'InService'
  | 'Terminated'
  | 'Detached'
  | 'Standby'
  | `Warmed:${'Hibernated' | 'Running' | 'Stopped' | 'Terminated'}`

export interface Activity {
  readonly id: string
  readonly order: number
  readonly group: string
  readonly groupArn: string
  readonly description: string
  readonly cause: string
  readonly details: string
  readonly startedAt: number
  readonly instance: string | null
  endedAt: number | null
  status: ActivityStatus
  message: string | null
  progress: number
}

export type ActivityStatus =
  | 'PreInService'
  | 'InProgress'
  | 'MidLifecycleAction'
  | 'Successful'
  | 'Failed'
  | 'Cancelled'

export interface ScheduledAction {
  readonly name: string
  readonly revision: number
  startAt: number | null
  endAt: number | null
  recurrence: string | null
  timeZone: string | null
  min: number | null
  max: number | null
  desired: number | null
}

export interface WarmPool {
  state: 'Stopped' | 'Running' | 'Hibernated'
  min: number
  maxPrepared: number | null
  reusesOnScaleIn: boolean
}

export interface Refresh {
  readonly id: string
  readonly startedAt: number
  endedAt: number | null
  status:
    | 'Pending'
    | 'InProgress'
    | 'Successful'
    | 'Failed'
    | 'Cancelling'
    | 'Cancelled'
    | 'Baking'
    | 'RollbackInProgress'
    | 'RollbackSuccessful'
  reason: string | null
  /** Ids that stood in the group when it began and are to be replaced. */
  readonly targets: Set<string>
  total: number
  minHealthyPercent: number
  maxHealthyPercent: number
  warmupSeconds: number
  bakeSeconds: number
  protectedInstances: 'Refresh' | 'Ignore' | 'Wait'
  standbyInstances: 'Terminate' | 'Ignore' | 'Wait'
  readonly preferences: Record<string, unknown>
  bakedAt: number | null
  oldTemplate: TemplateReference | null
}

export function createWorld(options: {
  now: number
  settings: WorldSettings
  random: RandomSource
}): World {
  return {
    ...options,
    agenda: new Agenda(),
    groups: new Map(),
    machines: new Map(),
    activities: new Map(),
    templates: new Map(),
    conditions: { launchFailures: [], brokenBoots: 0 },
    outbox: [],
  }
}

/** The member that stands for a machine, while it is in a group. */
export function memberOf(world: World, instance: string): Member | undefined {
  const group = world.machines.get(instance)?.group
  return group ? world.groups.get(group)?.members.get(instance) : undefined
}
