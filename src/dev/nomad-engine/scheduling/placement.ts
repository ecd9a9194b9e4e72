/**
 * Finds a node for one allocation.
 *
 * Feasible nodes carry the driver and satisfy the constraints; fitting ones have room as well; of two
 * fitting ones the better packed wins. Every node that was looked at is accounted for in the metric.
 */
import type { RandomSource } from '../../../platform/index.ts'
import { askOf } from '../objects/allocation.ts'
import type { Ask, PortMapping } from '../objects/allocation.ts'
import type { AllocationMetric } from '../objects/evaluation.ts'
import type { Affinity, Constraint, Job, TaskGroup } from '../objects/job.ts'
import type { Node } from '../objects/node.ts'
import type { SchedulerConfiguration } from '../state/rows.ts'
import type { View } from '../state/state.ts'
import type { CandidateNodes } from './candidates.ts'
import { describeConstraint, isDistinct, satisfies } from './constraints.ts'
import { takePorts } from './ports.ts'

export interface PlacementRequest {
  job: Job
  group: TaskGroup
  /** Nodes that already carry allocations of this group, with their number. */
  siblings: ReadonlyMap<string, number>
  /** Where it ran before, to be avoided. */
  previousNode?: string | undefined
}

export interface Placed {
  node: Node
  ports: PortMapping[] | null
}

interface Option extends Placed {
  score: number
  scores: Record<string, number>
}

/** Nomad compares two fitting nodes for a batch job: good packing at a cost that does not grow. */
const OPTIONS_MAX = 2

/** What this plan has given away so far, on top of what the state knows. */
export class Reservations {
  readonly #planned = new Map<string, Ask & { ports: Set<number> }>()
  readonly #view: View

  constructor(view: View) {
    this.#view = view
  }

  free(node: Node): Ask {
    const used = this.#view.indexes.ofNode(node.ID)
    const planned = this.#planned.get(node.ID)
    const { Cpu, Memory, Disk } = node.NodeResources
    return {
      cpuMhz: Cpu.CpuShares - used.cpuMhz - (planned?.cpuMhz ?? 0),
      memoryMiB: Memory.MemoryMB - used.memoryMiB - (planned?.memoryMiB ?? 0),
      diskMiB: Disk.DiskMB - used.diskMiB - (planned?.diskMiB ?? 0),
    }
  }

  usedPorts(node: Node): Set<number> {
    const used = this.#view.indexes.ofNode(node.ID).ports
    return new Set([...used, ...(this.#planned.get(node.ID)?.ports ?? [])])
  }

  take({ node, ports }: Placed, ask: Ask): void {
    const known = this.#planned.get(node.ID)
    const planned = known ?? { cpuMhz: 0, memoryMiB: 0, diskMiB: 0, ports: new Set<number>() }
    planned.cpuMhz += ask.cpuMhz
    planned.memoryMiB += ask.memoryMiB
    planned.diskMiB += ask.diskMiB
    for (const port of ports ?? []) planned.ports.add(port.Value)
    this.#planned.set(node.ID, planned)
  }
}

/** @returns the node taken, and what was looked at; `placed` is null when nothing fits. */
export function place(
  candidates: CandidateNodes,
  request: PlacementRequest,
  reservations: Reservations,
  context: { random: RandomSource; configuration: SchedulerConfiguration },
): { placed: Placed | null; metric: AllocationMetric } {
  const { nodes } = candidates
  const metric = createMetric(request.job, candidates)
  const ask = askOf(request.group)
  const options: Option[] = []
  // Whoever would rather have some nodes than others wants all of them compared.
  const optionsMax = affinitiesOf(request).length > 0 ? nodes.length : OPTIONS_MAX
  // From a random place on: otherwise every plan would crowd the first nodes of the list.
  const start = nodes.length > OPTIONS_MAX ? Math.floor(context.random.number() * nodes.length) : 0
  for (let step = 0; step < nodes.length && options.length < optionsMax; step++) {
    const node = nodes[(start + step) % nodes.length]
    if (node === undefined) break
    metric.NodesEvaluated++
    const obstacle = findObstacle(node, request)
    if (obstacle !== null) {
      countFiltered(metric, node, obstacle)
      continue
    }
    const option = tryFit(node, ask, request, reservations, context.configuration)
    if (typeof option === 'string') countExhausted(metric, node, option)
    else options.push(option)
  }
  const best = options.sort((left, right) => right.score - left.score)[0]
  if (best === undefined) return { placed: null, metric }
  metric.ScoreMetaData = options.map((each) => ({
    NodeID: each.node.ID,
    Scores: each.scores,
    NormScore: each.score,
  }))
  reservations.take(best, ask)
  return { placed: best, metric }
}

/** @returns why the group can never run on this node, as the metric names it; null when it can. */
export function findObstacle(node: Node, request: PlacementRequest): string | null {
  const { job, group } = request
  const hasDrivers = group.Tasks.every((task) => node.Drivers[task.Driver]?.Healthy)
  if (!hasDrivers) return 'missing drivers'
  const constraints = constraintsOf(job, group)
  const broken = constraints.find((each) => !isDistinct(each) && !satisfies(node, each))
  if (broken !== undefined) return describeConstraint(broken)
  const wantsOwnHost = constraints.some(
    (each) => each.Operand === 'distinct_hosts' && each.RTarget !== 'false',
  )
  return wantsOwnHost && request.siblings.has(node.ID) ? 'distinct_hosts' : null
}

function constraintsOf(job: Job, group: TaskGroup): Constraint[] {
  const ofTasks = group.Tasks.flatMap((task) => task.Constraints ?? [])
  return [...(job.Constraints ?? []), ...(group.Constraints ?? []), ...ofTasks]
}

/** @returns the option, or the dimension of which there is too little. */
function tryFit(
  node: Node,
  ask: Ask,
  request: PlacementRequest,
  reservations: Reservations,
  configuration: SchedulerConfiguration,
): Option | string {
  const free = reservations.free(node)
  if (ask.cpuMhz > free.cpuMhz) return 'cpu'
  if (ask.memoryMiB > free.memoryMiB) return 'memory'
  if (ask.diskMiB > free.diskMiB) return 'disk'
  const outcome = request.group.Networks
    ? takePorts(request.group, node, reservations.usedPorts(node))
    : { ok: true as const, ports: null }
  if (!outcome.ok) return outcome.reason
  const packing = scorePacking(node, free, ask)
  const binpack = configuration.SchedulerAlgorithm === 'binpack' ? packing : 1 - packing
  const siblings = request.siblings.get(node.ID) ?? 0
  const scores: Record<string, number> = {
    binpack,
    'job-anti-affinity': siblings > 0 ? -(siblings + 1) / request.group.Count : 0,
    'node-reschedule-penalty': request.previousNode === node.ID ? -1 : 0,
    'node-affinity': scoreAffinity(node, request),
  }
  const counted = Object.values(scores).filter((score) => score !== 0)
  const score = counted.reduce((total, each) => total + each, 0) / Math.max(counted.length, 1)
  return { node, ports: outcome.ports, score, scores }
}

/** From -1 to 1: the share of all weights that speaks for the node, less what speaks against it. */
function scoreAffinity(node: Node, request: PlacementRequest): number {
  const affinities = affinitiesOf(request)
  const total = affinities.reduce((sum, each) => sum + Math.abs(each.Weight), 0)
  const matched = affinities.filter((each) => satisfies(node, each))
  return total === 0 ? 0 : matched.reduce((sum, each) => sum + each.Weight, 0) / total
}

function affinitiesOf({ job, group }: PlacementRequest): Affinity[] {
  const ofTasks = group.Tasks.flatMap((task) => task.Affinities ?? [])
  return [...(job.Affinities ?? []), ...(group.Affinities ?? []), ...ofTasks]
}

/** From 0 for an empty node to 1 for a full one: "BestFit v3", as published with Google's Borg traces. */
function scorePacking(node: Node, free: Ask, ask: Ask): number {
  const cpu = (free.cpuMhz - ask.cpuMhz) / node.NodeResources.Cpu.CpuShares
  const memory = (free.memoryMiB - ask.memoryMiB) / node.NodeResources.Memory.MemoryMB
  return (20 - (10 ** cpu + 10 ** memory)) / 18
}

function createMetric(job: Job, candidates: CandidateNodes): AllocationMetric {
  return {
    NodesEvaluated: 0,
    NodesFiltered: 0,
    NodesInPool: candidates.nodes.length,
    NodePool: job.NodePool,
    NodesAvailable: candidates.available,
    ClassFiltered: null,
    ConstraintFiltered: null,
    NodesExhausted: 0,
    ClassExhausted: null,
    DimensionExhausted: null,
    QuotaExhausted: null,
    ResourcesExhausted: null,
    Scores: null,
    ScoreMetaData: null,
    AllocationTime: 0,
    CoalescedFailures: 0,
  }
}

function countFiltered(metric: AllocationMetric, node: Node, reason: string): void {
  metric.NodesFiltered++
  metric.ConstraintFiltered = increment(metric.ConstraintFiltered, reason)
  if (node.NodeClass) metric.ClassFiltered = increment(metric.ClassFiltered, node.NodeClass)
}

function countExhausted(metric: AllocationMetric, node: Node, dimension: string): void {
  metric.NodesExhausted++
  metric.DimensionExhausted = increment(metric.DimensionExhausted, dimension)
  if (node.NodeClass) metric.ClassExhausted = increment(metric.ClassExhausted, node.NodeClass)
}

function increment(counts: Record<string, number> | null, key: string): Record<string, number> {
  return { ...counts, [key]: (counts?.[key] ?? 0) + 1 }
}
