/**
 * What a node has, what of it is reserved, and what allocations hold, from the answers of every Nomad
 * since 0.5. MHz and MB, and I/O operations for Nomads that still knew them.
 */
import type {
  AllocationReading,
  CoreReading,
  LegacyResources,
  NodeReading,
  NodeResourcesReading,
  TaskResourcesReading,
} from '../nomad/index.ts'

export const DIMENSIONS = ['cpu', 'memory', 'disk', 'iops'] as const
export type Dimension = (typeof DIMENSIONS)[number]
export type Amounts = Record<Dimension, number>

/** Fields that old versions have, in our order. */
const LEGACY: Readonly<Record<Dimension, keyof LegacyResources>> = {
  cpu: 'CPU',
  memory: 'MemoryMB',
  disk: 'DiskMB',
  iops: 'IOPS',
}

export interface NodeAmounts {
  total: Amounts
  reserved: Amounts
}

export interface NodeLeft {
  total: Amounts
  used: Amounts
  available: Amounts
  /** What is given away beyond what the node has: a gauge below zero would be read as a difference. */
  overcommit: Amounts
}

/** @throws Error for a node that tells nothing of its size although it should know it. */
export function measureNode(node: NodeReading): NodeAmounts {
  const amounts = hasNewFields(node.NodeResources) ? measureNew(node) : measureLegacy(node)
  const { total } = amounts
  if (total.cpu === 0 && total.memory === 0 && node.Status !== 'initializing') {
    throw new Error(`node ${node.ID} is ${node.Status} and tells neither CPU nor memory`)
  }
  return amounts
}

/** Allocations that have ended hold nothing; one that is to stop holds its share until it has. */
export function measureUsage(allocations: readonly AllocationReading[]): Amounts {
  const used = none()
  for (const allocation of allocations) {
    if (['complete', 'failed', 'lost'].includes(allocation.ClientStatus)) continue
    add(used, measureAllocation(allocation))
  }
  return used
}

export function measureLeft({ total, reserved }: NodeAmounts, used: Amounts): NodeLeft {
  const left = (sign: 1 | -1): Amounts => {
    const of = (dimension: Dimension) =>
      Math.max(0, sign * (total[dimension] - reserved[dimension] - used[dimension]))
    return { cpu: of('cpu'), memory: of('memory'), disk: of('disk'), iops: of('iops') }
  }
  return { total, used, available: left(1), overcommit: left(-1) }
}

function hasNewFields(resources: NodeReading['NodeResources']): resources is NodeResourcesReading {
  return (resources?.Cpu ?? resources?.Memory ?? resources?.Processors ?? null) !== null
}

function measureNew({
  NodeResources: own,
  ReservedResources,
  Resources,
}: NodeReading): NodeAmounts {
  const topology = own?.Processors?.Topology
  const cores = topology?.Cores ?? []
  const override = number(topology?.OverrideTotalCompute, 'OverrideTotalCompute')
  const computed = override > 0 ? override : sumSpeed(cores)
  const shares = number(own?.Cpu?.CpuShares, 'CpuShares')
  const total = fromNew(own, shares > 0 ? shares : computed)
  const withheld = number(topology?.OverrideWitholdCompute, 'OverrideWitholdCompute')
  // Cores that are kept from tasks show nowhere else.
  const usable = sumSpeed(cores.filter(({ Disable }) => Disable !== true)) - withheld
  const reservedShares = number(ReservedResources?.Cpu?.CpuShares, 'reserved CpuShares')
  // With a total that an operator has set, the speeds of the cores do not add up to it.
  const byCores = cores.length > 0 && override === 0 && sumSpeed(cores) === total.cpu
  const reserved = fromNew(
    ReservedResources,
    byCores ? Math.max(reservedShares, total.cpu - usable) : Math.max(reservedShares, withheld),
  )
  return { total: { ...total, iops: number(Resources?.IOPS, 'IOPS') }, reserved }
}

function fromNew(resources: NodeReading['NodeResources'], cpu: number): Amounts {
  return {
    cpu,
    memory: number(resources?.Memory?.MemoryMB, 'MemoryMB'),
    disk: number(resources?.Disk?.DiskMB, 'DiskMB'),
    iops: 0,
  }
}

function measureLegacy({ Resources, Reserved }: NodeReading): NodeAmounts {
  return { total: fromLegacy(Resources), reserved: fromLegacy(Reserved) }
}

function fromLegacy(resources: LegacyResources | null | undefined): Amounts {
  const of = (dimension: Dimension) => number(resources?.[LEGACY[dimension]], LEGACY[dimension])
  return { cpu: of('cpu'), memory: of('memory'), disk: of('disk'), iops: of('iops') }
}

function measureAllocation(allocation: AllocationReading): Amounts {
  const { AllocatedResources: own, Resources, TaskResources } = allocation
  if (own === null || own === undefined) {
    if (Resources) return fromLegacy(Resources)
    const used = none()
    for (const task of Object.values(TaskResources ?? {})) add(used, fromLegacy(task))
    return used
  }
  return {
    ...measureTasks(own.Tasks ?? {}, own.TaskLifecycles),
    disk: number(own.Shared?.DiskMB, 'DiskMB'),
    iops: number(Resources?.IOPS, 'IOPS'),
  }
}

type Lifecycles = NonNullable<AllocationReading['AllocatedResources']>['TaskLifecycles']
type TaskAmounts = Pick<Amounts, 'cpu' | 'memory'>

/**
 * Tasks before, beside and after the main ones never run all at once: the largest of the three sums is
 * what Nomad sets aside. Without word of when a task runs, all of them count.
 */
function measureTasks(
  tasks: Readonly<Record<string, TaskResourcesReading>>,
  lifecycles: Lifecycles,
): TaskAmounts {
  const always = { cpu: 0, memory: 0 }
  const phases = {
    prestart: { cpu: 0, memory: 0 },
    main: { cpu: 0, memory: 0 },
    poststop: { cpu: 0, memory: 0 },
  }
  const put = (into: TaskAmounts, { Cpu, Memory }: TaskResourcesReading) => {
    into.cpu += number(Cpu?.CpuShares, 'CpuShares')
    into.memory += number(Memory?.MemoryMB, 'MemoryMB')
  }
  for (const [name, task] of Object.entries(tasks)) {
    const lifecycle = lifecycles?.[name]
    if (!lifecycles || (task.Cpu?.ReservedCores ?? []).length > 0) put(always, task)
    else if (lifecycle?.Hook === 'poststop') put(phases.poststop, task)
    else if (lifecycle?.Hook === 'prestart') {
      put(phases.prestart, task)
      if (lifecycle.Sidecar === true) put(phases.main, task)
    } else put(phases.main, task)
  }
  const largest = (of: 'cpu' | 'memory') => Math.max(...Object.values(phases).map((sum) => sum[of]))
  return { cpu: always.cpu + largest('cpu'), memory: always.memory + largest('memory') }
}

function sumSpeed(cores: readonly CoreReading[]): number {
  return cores.reduce((total, { BaseSpeed, GuessSpeed }) => {
    const base = number(BaseSpeed, 'BaseSpeed')
    return total + (base > 0 ? base : number(GuessSpeed, 'GuessSpeed'))
  }, 0)
}

function add(into: Amounts, more: Amounts): void {
  for (const dimension of DIMENSIONS) into[dimension] += more[dimension]
}

function none(): Amounts {
  return { cpu: 0, memory: 0, disk: 0, iops: 0 }
}

/** @throws Error when it is there and no number. */
function number(value: unknown, name: string): number {
  if (value === undefined || value === null) return 0
  if (typeof value === 'number') return value
  throw new Error(`${name} is no number`)
}
