/**
 * One evaluation, decided: what to write so that the job gets what it wants.
 *
 * Pure: the same state, evaluation and random numbers give the same plan. The broker carries it out.
 */
import type { RandomSource } from '../../../platform/index.ts'
import type { Allocation } from '../objects/allocation.ts'
import { NO_TRANSITION, isTerminal } from '../objects/allocation.ts'
import { createEvaluation } from '../objects/evaluation.ts'
import type { AllocationMetric, Evaluation } from '../objects/evaluation.ts'
import type { Job, TaskGroup } from '../objects/job.ts'
import { createUuid, toNanoseconds, toTimestamp } from '../objects/values.ts'
import { jobKeyOf } from '../state/rows.ts'
import type { SchedulerConfiguration, Write } from '../state/rows.ts'
import type { View } from '../state/state.ts'
import { endEvaluation } from './ending.ts'
import type { Failure } from './ending.ts'
import { findObstacle, place, Reservations } from './placement.ts'
import type { Placed } from './placement.ts'
import type { Candidates } from './candidates.ts'
import { reconcile } from './reconciler.ts'
import type { Placement, Reconciliation } from './reconciler.ts'
import { trackReschedule } from './reschedule.ts'

export interface PlanContext {
  nowMs: number
  random: RandomSource
  configuration: SchedulerConfiguration
  candidates: Candidates
}

export interface Plan {
  /** Allocations that come, change or go. */
  writes: Write<'allocation'>[]
  /** How the evaluation ends, and the ones that follow from it. */
  evaluations: Write<'evaluation'>[]
}

export function makePlan(view: View, evaluation: Evaluation, context: PlanContext): Plan {
  const key = jobKeyOf(evaluation)
  const job = view.tables.job.get(key)
  const allocations = [...view.indexes.ofJob(key).allocations].flatMap(
    (id) => view.tables.allocation.get(id) ?? [],
  )
  const everywhere = job === undefined ? [] : findEverywhere(view, job, context)
  const { nowMs } = context
  const nodes = view.tables.node
  const input = { job, allocations, nodes, everywhere, nowMs, evaluationId: evaluation.ID }
  const reconciliation = reconcile(input)
  const writes = new Map<string, Write<'allocation'>>()
  stopAndUpdate(writes, reconciliation, job, context)
  const followups = putOff(writes, reconciliation, evaluation, context)
  const failed = new Map<string, Failure>()
  if (job !== undefined) {
    const placer = createPlacer(view, job, allocations, context)
    for (const placement of reconciliation.place) {
      const outcome = placer(placement)
      if (outcome.placed === null) noteFailure(failed, placement, outcome.metric)
      else addAllocation(writes, job, evaluation, placement, outcome, context)
    }
  }
  const result = { job, desired: reconciliation.desired, failed, followups }
  const ending = endEvaluation(view, evaluation, result, context)
  return { writes: [...writes.values()], evaluations: ending }
}

type Outcome = { placed: Placed | null; metric: AllocationMetric }

/** Nodes that a job which runs everywhere would use; constraints decide here, room when placing. */
function findEverywhere(view: View, job: Job, context: PlanContext) {
  if (job.Type !== 'system' && job.Type !== 'sysbatch') return []
  const siblings = new Map<string, number>()
  return context.candidates
    .of(view, job)
    .nodes.filter((node) =>
      job.TaskGroups.some((group) => findObstacle(node, { job, group, siblings }) === null),
    )
}

function createPlacer(
  view: View,
  job: Job,
  allocations: readonly Allocation[],
  context: PlanContext,
): (placement: Placement) => Outcome {
  const reservations = new Reservations(view)
  const candidates = context.candidates.of(view, job)
  const siblings = new Map<string, Map<string, number>>()
  for (const each of allocations) {
    if (!isTerminal(each)) addSibling(siblings, each.TaskGroup, each.NodeID)
  }
  return ({ group, previous, nodeId }) => {
    const request = {
      job,
      group,
      siblings: siblings.get(group.Name) ?? new Map<string, number>(),
      previousNode:
        previous?.rescheduleDelayNs === undefined ? undefined : previous.allocation.NodeID,
    }
    const only = nodeId === undefined ? null : candidates.nodes.filter((node) => node.ID === nodeId)
    const among = only === null ? candidates : { ...candidates, nodes: only }
    const outcome = place(among, request, reservations, context)
    if (outcome.placed !== null) addSibling(siblings, group.Name, outcome.placed.node.ID)
    return outcome
  }
}

function addSibling(siblings: Map<string, Map<string, number>>, group: string, node: string): void {
  const byNode = siblings.get(group) ?? new Map<string, number>()
  siblings.set(group, byNode.set(node, (byNode.get(node) ?? 0) + 1))
}

function stopAndUpdate(
  writes: Map<string, Write<'allocation'>>,
  { stop, update }: Reconciliation,
  job: Job | undefined,
  { nowMs }: PlanContext,
): void {
  const ModifyTime = toNanoseconds(nowMs)
  for (const { allocation, description, clientStatus } of stop) {
    patch(writes, allocation.ID, {
      DesiredStatus: 'stop',
      // A failed allocation that is followed by another is over already: nothing is asked of it.
      ...(isTerminal(allocation) ? {} : { DesiredDescription: description }),
      ...(clientStatus ? { ClientStatus: clientStatus } : {}),
      ModifyTime,
    })
  }
  for (const allocation of update) {
    if (job !== undefined) patch(writes, allocation.ID, { Job: job, ModifyTime })
  }
}

/** One evaluation for everything that is put off to the same moment. */
function putOff(
  writes: Map<string, Write<'allocation'>>,
  { later }: Reconciliation,
  evaluation: Evaluation,
  context: PlanContext,
): Evaluation[] {
  const byTime = new Map<number, Evaluation>()
  for (const { allocation, atMs } of later) {
    const owner = { ...evaluation, ID: evaluation.JobID }
    const followup =
      byTime.get(atMs) ??
      createEvaluation(owner, 'alloc-reschedule', context, {
        WaitUntil: toTimestamp(atMs),
        StatusDescription: 'created for delayed rescheduling',
        PreviousEval: evaluation.ID,
      })
    byTime.set(atMs, followup)
    patch(writes, allocation.ID, { FollowupEvalID: followup.ID })
  }
  return [...byTime.values()]
}

function noteFailure(
  failed: Map<string, Failure>,
  { group }: Placement,
  metric: AllocationMetric,
): void {
  const known = failed.get(group.Name)
  if (known === undefined) failed.set(group.Name, { metric, count: 1 })
  else {
    known.count++
    known.metric.CoalescedFailures++
  }
}

function addAllocation(
  writes: Map<string, Write<'allocation'>>,
  job: Job,
  evaluation: Evaluation,
  placement: Placement,
  { placed, metric }: Outcome,
  context: PlanContext,
): void {
  if (placed === null) return
  const { group, name, previous } = placement
  const ID = createUuid(context.random)
  const now = toNanoseconds(context.nowMs)
  const delayNs = previous?.rescheduleDelayNs
  const put: Allocation = {
    ID,
    Namespace: job.Namespace,
    EvalID: evaluation.ID,
    Name: name,
    NodeID: placed.node.ID,
    NodeName: placed.node.Name,
    JobID: job.ID,
    Job: job,
    TaskGroup: group.Name,
    AllocatedResources: toAllocatedResources(group, placed),
    Metrics: metric,
    DesiredStatus: 'run',
    DesiredDescription: '',
    DesiredTransition: NO_TRANSITION,
    ClientStatus: 'pending',
    ClientDescription: '',
    TaskStates: null,
    RescheduleTracker:
      previous && delayNs !== undefined
        ? trackReschedule(previous.allocation, context.nowMs, delayNs)
        : null,
    FollowupEvalID: '',
    NextAllocation: '',
    PreviousAllocation: previous?.allocation.ID ?? '',
    CreateIndex: 0,
    ModifyIndex: 0,
    AllocModifyIndex: 0,
    CreateTime: now,
    ModifyTime: now,
  }
  writes.set(ID, { table: 'allocation', key: ID, put })
  if (previous) patch(writes, previous.allocation.ID, { NextAllocation: ID })
}

function toAllocatedResources(
  group: TaskGroup,
  { ports }: Placed,
): Allocation['AllocatedResources'] {
  const Tasks = Object.fromEntries(
    group.Tasks.map(({ Name, Resources }) => [
      Name,
      {
        Cpu: { CpuShares: Resources.CPU, ReservedCores: null },
        Memory: { MemoryMB: Resources.MemoryMB, MemoryMaxMB: Resources.MemoryMaxMB },
        Networks: null,
        Devices: null,
      },
    ]),
  )
  return {
    Tasks,
    TaskLifecycles: Object.fromEntries(group.Tasks.map(({ Name }) => [Name, null])),
    Shared: { DiskMB: group.EphemeralDisk.SizeMB, Networks: null, Ports: ports },
  }
}

function patch(
  writes: Map<string, Write<'allocation'>>,
  key: string,
  fields: Partial<Allocation>,
): void {
  writes.set(key, { table: 'allocation', key, patch: { ...writes.get(key)?.patch, ...fields } })
}
