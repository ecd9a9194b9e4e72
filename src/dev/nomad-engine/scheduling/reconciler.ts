/**
 * What a job wants against what it has: which allocations to stop, to keep, to place.
 *
 * Pure. The names `job.group[0]` to `job.group[count-1]` are the places to fill; an allocation holds its
 * place while it runs, and after its end when nothing may follow it: a batch allocation that succeeded,
 * a failed one whose reschedules are used up, a drained one.
 */
import type { Allocation } from '../objects/allocation.ts'
import { isTerminal } from '../objects/allocation.ts'
import type { DesiredUpdates } from '../objects/evaluation.ts'
import type { Job, TaskGroup } from '../objects/job.ts'
import type { Node } from '../objects/node.ts'
import { isDestructive } from '../jobs/changes.ts'
import { nextReschedule } from './reschedule.ts'

export interface Stop {
  allocation: Allocation
  description: string
  /** Written in the client's stead, when its node can not. */
  clientStatus?: 'lost'
}

export interface Placement {
  group: TaskGroup
  name: string
  /** Which allocation this one follows, and how. */
  previous?: { allocation: Allocation; rescheduleDelayNs?: number }
  /** Only there: jobs that run on every node. */
  nodeId?: string
}

export interface Later {
  allocation: Allocation
  atMs: number
}

export interface Reconciliation {
  stop: Stop[]
  /** Running allocations that take over the new version of the job as they are. */
  update: Allocation[]
  place: Placement[]
  later: Later[]
  desired: Record<string, DesiredUpdates>
}

export const NOT_NEEDED = 'alloc not needed due to job update'
const UPDATED = 'alloc is being updated due to job update'
const MIGRATED = 'alloc is being migrated'
const LOST = 'alloc is lost since its node is down'
const RESCHEDULED = 'alloc was rescheduled because it failed'

export interface ReconcileInput {
  /** Absent when it was purged. */
  job: Job | undefined
  /** All of the job's id, of earlier incarnations too. */
  allocations: readonly Allocation[]
  nodes: { get(id: string): Node | undefined }
  /** Nodes on which a job that runs everywhere could run. */
  everywhere: readonly Node[]
  nowMs: number
  /** The evaluation being processed: what was put off to it is due now. */
  evaluationId: string
}

export function reconcile(input: ReconcileInput): Reconciliation {
  const { job, allocations } = input
  const result: Reconciliation = { stop: [], update: [], place: [], later: [], desired: {} }
  const wanted = job === undefined || job.Stop ? [] : job.TaskGroups
  for (const allocation of allocations) {
    const isWanted = wanted.some((group) => group.Name === allocation.TaskGroup)
    if (isWanted && allocation.Job.CreateIndex === job?.CreateIndex) continue
    if (isTerminal(allocation)) continue
    result.stop.push(
      isLost(input, allocation) ? toLost(allocation) : toStop(allocation, NOT_NEEDED),
    )
    countFor(result, allocation.TaskGroup).Stop++
  }
  for (const group of wanted) {
    const own = allocations.filter(
      (each) => each.TaskGroup === group.Name && each.Job.CreateIndex === job?.CreateIndex,
    )
    if (job === undefined) break
    countFor(result, group.Name)
    if (job.Type === 'system' || job.Type === 'sysbatch') {
      reconcileEverywhere(input, job, group, own, result)
    } else {
      reconcileCounted(input, job, group, own, result)
    }
  }
  return result
}

/** A group with a number of places to fill. */
function reconcileCounted(
  input: ReconcileInput,
  job: Job,
  group: TaskGroup,
  allocations: readonly Allocation[],
  result: Reconciliation,
): void {
  const count = countFor(result, group.Name)
  const held = new Set<string>()
  const followers = new Map<string, Placement['previous']>()
  const surplus = new Set(pickSurplus(group, allocations))
  for (const allocation of allocations) {
    const fate = surplus.has(allocation)
      ? { kind: 'stop' as const, stop: toStop(allocation, NOT_NEEDED) }
      : decide(input, job, allocation)
    if (fate.kind === 'keep') {
      count.Ignore++
      held.add(allocation.Name)
    } else if (fate.kind === 'update') {
      count.InPlaceUpdate++
      result.update.push(allocation)
      held.add(allocation.Name)
    } else if (fate.kind === 'later') {
      count.RescheduleLater++
      result.later.push({ allocation, atMs: fate.atMs })
      if (fate.stop) result.stop.push(fate.stop)
      held.add(allocation.Name)
    } else if (fate.kind === 'stop') {
      result.stop.push(fate.stop)
      countStop(count, fate.stop)
      if (fate.holds) held.add(allocation.Name)
      else if (fate.follow) followers.set(allocation.Name, fate.follow)
    } else {
      count.Ignore++
    }
  }
  for (let index = 0; index < group.Count; index++) {
    const name = `${job.ID}.${group.Name}[${index}]`
    if (held.has(name)) continue
    count.Place++
    const previous = followers.get(name)
    result.place.push({ group, name, ...(previous ? { previous } : {}) })
  }
}

type Fate =
  | { kind: 'keep' }
  | { kind: 'update' }
  /** It is over and nothing keeps its place. */
  | { kind: 'gone' }
  | { kind: 'later'; atMs: number; stop?: Stop }
  | { kind: 'stop'; stop: Stop; follow?: Placement['previous']; holds?: boolean }

function decide(input: ReconcileInput, job: Job, allocation: Allocation): Fate {
  if (isTerminal(allocation)) return decideOver(input, job, allocation)
  if (isLost(input, allocation)) {
    return { kind: 'stop', stop: toLost(allocation), follow: { allocation } }
  }
  const { Migrate, MigrateDisablePlacement, Reschedule } = allocation.DesiredTransition
  if (Migrate) {
    const stop = toStop(allocation, MIGRATED)
    if (MigrateDisablePlacement) return { kind: 'stop', stop, holds: true }
    if (!Reschedule) return { kind: 'stop', stop, follow: { allocation } }
    // Asked to go elsewhere as if it had failed: then its policy says whether and when.
    const next = nextReschedule(allocation, input.nowMs)
    if (next.when === 'never') return { kind: 'stop', stop, holds: true }
    return { kind: 'later', atMs: input.nowMs + next.delayNs / 1_000_000, stop }
  }
  if (allocation.Job.Version === job.Version) return { kind: 'keep' }
  if (!isDestructive(allocation.Job, job, allocation.TaskGroup)) return { kind: 'update' }
  return { kind: 'stop', stop: toStop(allocation, UPDATED), follow: { allocation } }
}

/** An allocation that is over: does it keep its place, and if not, does anything follow it? */
function decideOver(input: ReconcileInput, job: Job, allocation: Allocation): Fate {
  const isCurrent = allocation.Job.Version === job.Version
  if (!isCurrent || allocation.ClientStatus === 'lost') return { kind: 'gone' }
  if (allocation.DesiredStatus !== 'run') return decideStopped(input, allocation)
  if (allocation.ClientStatus === 'complete') {
    return job.Type === 'batch' ? { kind: 'keep' } : { kind: 'gone' }
  }
  const next = nextReschedule(allocation, input.nowMs)
  if (next.when === 'never') return { kind: 'keep' }
  const isDue = next.atMs <= input.nowMs || allocation.FollowupEvalID === input.evaluationId
  if (isDue) {
    const follow = { allocation, rescheduleDelayNs: next.delayNs }
    return { kind: 'stop', stop: toStop(allocation, RESCHEDULED), follow }
  }
  return allocation.FollowupEvalID === '' ? { kind: 'later', atMs: next.atMs } : { kind: 'keep' }
}

function decideStopped(input: ReconcileInput, allocation: Allocation): Fate {
  const { MigrateDisablePlacement, Reschedule } = allocation.DesiredTransition
  if (MigrateDisablePlacement) return { kind: 'keep' }
  if (!Reschedule) return { kind: 'gone' }
  // It keeps its place until the evaluation it was put off to; for ever when there is none.
  return allocation.FollowupEvalID === input.evaluationId ? { kind: 'gone' } : { kind: 'keep' }
}

/** Running allocations beyond the count, the last ones first. */
function pickSurplus(group: TaskGroup, allocations: readonly Allocation[]): Allocation[] {
  return allocations.filter((each) => !isTerminal(each) && indexOf(each.Name) >= group.Count)
}

/** The number in `job.group[3]`. */
export function indexOf(name: string): number {
  return Number(/\[(\d+)\]$/.exec(name)?.[1] ?? 0)
}

/** A group that has one place on every node. */
function reconcileEverywhere(
  input: ReconcileInput,
  job: Job,
  group: TaskGroup,
  allocations: readonly Allocation[],
  result: Reconciliation,
): void {
  const count = countFor(result, group.Name)
  const held = new Set<string>()
  for (const allocation of allocations) {
    const fate = decideEverywhere(input, job, allocation)
    if (fate.kind === 'stop') {
      result.stop.push(fate.stop)
      countStop(count, fate.stop)
    } else if (fate.kind !== 'gone') {
      count.Ignore++
      if (fate.kind === 'update') result.update.push(allocation)
      held.add(allocation.NodeID)
    }
  }
  for (const node of input.everywhere) {
    if (held.has(node.ID)) continue
    count.Place++
    result.place.push({ group, name: `${job.ID}.${group.Name}[0]`, nodeId: node.ID })
  }
}

function decideEverywhere(input: ReconcileInput, job: Job, allocation: Allocation): Fate {
  if (!isTerminal(allocation)) {
    const fate = decide(input, job, allocation)
    return fate.kind === 'later' ? { kind: 'stop', stop: toStop(allocation, MIGRATED) } : fate
  }
  const ranToEnd = job.Type === 'sysbatch' && allocation.Job.Version === job.Version
  return ranToEnd && allocation.DesiredStatus === 'run' ? { kind: 'keep' } : { kind: 'gone' }
}

function isLost(input: ReconcileInput, allocation: Allocation): boolean {
  const node = input.nodes.get(allocation.NodeID)
  return node === undefined || node.Status === 'down'
}

function toStop(allocation: Allocation, description: string): Stop {
  return { allocation, description }
}

function toLost(allocation: Allocation): Stop {
  return { allocation, description: LOST, clientStatus: 'lost' }
}

function countStop(count: DesiredUpdates, stop: Stop): void {
  if (stop.description === UPDATED) count.DestructiveUpdate++
  else if (stop.description === MIGRATED) count.Migrate++
  else if (stop.description === RESCHEDULED) count.RescheduleNow++
  else count.Stop++
}

function countFor(result: Reconciliation, group: string): DesiredUpdates {
  const known = result.desired[group]
  if (known !== undefined) return known
  const none: DesiredUpdates = {
    Ignore: 0,
    Place: 0,
    Migrate: 0,
    Stop: 0,
    InPlaceUpdate: 0,
    DestructiveUpdate: 0,
    Canary: 0,
    Preemptions: 0,
    Disconnect: 0,
    Reconnect: 0,
    RescheduleNow: 0,
    RescheduleLater: 0,
  }
  result.desired[group] = none
  return none
}
