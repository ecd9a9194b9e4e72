/** Pools as they might be seen, for tests of the plan. */
import type { PoolPolicy } from '../../../src/fleet/index.ts'
import {
  emptyMemory,
  newUnit,
  type PoolMemory,
  type UnitMemory,
} from '../../../src/fleet/memory.ts'
import type { NodeView, PoolView, UnitView } from '../../../src/fleet/view.ts'
import type { AwsGroup, AwsHook, AwsMember } from '../../../src/platform/index.ts'

export const NOW = 1_700_000_000_000
export const MINUTE = 60_000
/** Two mediums of 5000 MHz and 8704 MiB fit on one. */
export const SHAPE = { cpuMhz: 14_000, memoryMiB: 61_440 }
export const MEDIUM = { cpuMhz: 5000, memoryMiB: 8704 }
export const MEDIUMS_PER_NODE = 2

export function aPolicy(over: Partial<PoolPolicy> = {}): PoolPolicy {
  return {
    name: 'linux',
    group: 'clients',
    region: 'us-east-1',
    min: 0,
    max: 20,
    idleOffMs: 10 * MINUTE,
    maxAgeMs: null,
    isSpot: false,
    shape: SHAPE,
    budget: { percent: 50 },
    schedules: [],
    ...over,
  }
}

export const HOOK: AwsHook = {
  name: 'drain',
  transition: 'terminating',
  defaultResult: 'CONTINUE',
  timeoutMs: 30 * MINUTE,
  capMs: 48 * 60 * MINUTE,
}

export interface UnitOptions {
  state?: 'idle' | 'busy' | 'booting' | 'cordoned' | 'held' | 'waiting'
  /** Of its own daemon, on the ineligible node of a `held` one. */
  told?: string
  /** Without a slice for so long. */
  idleMs?: number
  slices?: number
  remainingMs?: number | null
  member?: Partial<AwsMember>
  node?: Partial<NodeView> | null
  memory?: Partial<UnitMemory>
}

export type PoolOptions = Partial<Omit<PoolView, 'group'>> & { group?: Partial<AwsGroup> }

export interface Pool {
  view: PoolView
  memory: PoolMemory
}

/** Machines are `i-0`, `i-1`, ... in the order in which they are given, and nodes `n-0`, `n-1`, ... */
export function aPool(units: readonly UnitOptions[], over: PoolOptions = {}): Pool {
  const memory = emptyMemory('linux')
  const seen = units.map((unit, at) => toUnit(unit, at))
  memory.units = new Map(units.map((unit, at) => [`i-${at}`, toUnitMemory(unit)]))
  const { group, ...rest } = over
  const counted = seen.filter(({ member }) => !member.lifecycle.startsWith('Terminat')).length
  memory.seenDesired = group?.desired ?? counted
  const view: PoolView = {
    startedMs: NOW,
    group: {
      name: 'clients',
      min: 0,
      max: 20,
      desired: counted,
      status: null,
      suspended: [],
      protectsNew: false,
      template: { id: 'lt-1', version: '1' },
      maxLifetimeMs: null,
      hasWarmPool: false,
      rebalances: false,
      retains: false,
      ...group,
      instances: seen.map(({ member }) => member),
    },
    hooks: [HOOK],
    isRefreshing: false,
    newest: { id: 'lt-1', version: '1' },
    units: seen,
    isNomadKnown: true,
    demand: { classes: [], atMs: NOW },
    activities: [],
    strays: [],
    deadNodes: [],
    unmatched: 0,
    pins: new Map(),
    orderedSize: null,
    ...rest,
  }
  return { view, memory }
}

export function waitingSlices(count: number, need = MEDIUM): PoolView['demand'] {
  const one = { name: 'medium', pool: 'linux', need, waiting: count, oldestMs: 1000 }
  return { classes: [one], atMs: NOW }
}

const slicesOf = ({ state, slices = state === 'busy' ? 1 : 0 }: UnitOptions) => slices

function toUnitMemory(options: UnitOptions): UnitMemory {
  const { state = 'idle', idleMs = 0 } = options
  const slices = slicesOf(options)
  return {
    ...newUnit(NOW - 60 * MINUTE),
    readyMs: state === 'booting' ? null : NOW - 58 * MINUTE,
    idleSinceMs: slices > 0 ? null : NOW - idleMs,
    emptySinceMs: slices > 0 ? null : NOW - idleMs,
    ...(state === 'booting' && { firstSeenMs: NOW - 1000 }),
    ...(state === 'waiting' && { waitingSinceMs: NOW - MINUTE, drainedMs: NOW - MINUTE }),
    ...(state === 'cordoned' && {
      cordon: { reason: 'idle', askedMs: NOW - MINUTE, seenMs: NOW - MINUTE },
    }),
    ...options.memory,
  }
}

function toUnit(options: UnitOptions, at: number): UnitView {
  const { state = 'idle' } = options
  const instanceId = `i-${at}`
  const isOut = state === 'cordoned' || state === 'held' || state === 'waiting'
  const node: NodeView = {
    id: `n-${at}`,
    name: instanceId,
    status: 'ready',
    isEligible: !isOut,
    isDraining: false,
    isDrained: isOut,
    mark: markOf(isOut, options),
    room: SHAPE,
    ...options.node,
  }
  const indices = Array.from({ length: slicesOf(options) }, (_, index) => index)
  return {
    member: {
      instanceId,
      group: 'clients',
      zone: 'us-east-1a',
      type: 'm5.4xlarge',
      lifecycle: state === 'waiting' ? 'Terminating:Wait' : 'InService',
      isHealthy: true,
      isProtected: false,
      template: { id: 'lt-1', version: '1' },
      ...options.member,
    },
    launchedMs: NOW - 60 * MINUTE,
    node: state === 'booting' || options.node === null ? null : node,
    live: indices.map((index) => ({ id: `a-${at}-${index}`, job: `job-${at}-${index}` })),
    placed: indices.map(() => ({ need: MEDIUM, remainingMs: options.remainingMs ?? null })),
  }
}

function markOf(isOut: boolean, { state, told }: UnitOptions): NodeView['mark'] {
  const sinceMs = NOW - MINUTE
  if (told !== undefined) return { by: 'lifecycle', reason: told, sinceMs }
  return isOut && state !== 'held' ? { by: 'controller', reason: 'idle', sinceMs } : null
}
