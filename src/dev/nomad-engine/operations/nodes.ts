/** What can be done to a node: drain, eligibility, purge, and the news of its status. */
import { isTerminal } from '../objects/allocation.ts'
import { createEvaluation } from '../objects/evaluation.ts'
import type { Job } from '../objects/job.ts'
import { addNodeEvent } from '../objects/node.ts'
import type { Node, NodeEvent } from '../objects/node.ts'
import { toTimestamp } from '../objects/values.ts'
import { toJobKey } from '../state/rows.ts'
import type { Write } from '../state/rows.ts'
import type { Core } from './jobs.ts'
import { Refusal } from './refusal.ts'

export interface NodeOutcome {
  index: number
  nodeModifyIndex: number
  evaluationIds: string[]
}

export interface DrainRequest {
  /** Null ends a drain. The deadline is in nanoseconds. */
  specification: { Deadline: number; IgnoreSystemJobs: boolean } | null
  markEligible: boolean
  meta: Record<string, string> | null
}

/** @throws Refusal when there is no such node. */
export function drainNode(core: Core, id: string, request: DrainRequest): NodeOutcome {
  const node = find(core, id)
  const patch = request.specification
    ? startDrain(core, node, request.specification, request.meta)
    : endDrain(core, node, request)
  const becomesEligible =
    patch.SchedulingEligibility === 'eligible' && node.SchedulingEligibility !== 'eligible'
  const index = core.state.commit('NodeDrain', [{ table: 'node', key: id, patch }])
  const evaluationIds = becomesEligible ? evaluateNode(core, node) : []
  return { index, nodeModifyIndex: index, evaluationIds }
}

function startDrain(
  core: Core,
  node: Node,
  { Deadline, IgnoreSystemJobs }: { Deadline: number; IgnoreSystemJobs: boolean },
  Meta: Record<string, string> | null,
): Partial<Node> {
  const nowMs = core.clock.now()
  const StartedAt = node.DrainStrategy?.StartedAt ?? toTimestamp(nowMs)
  const ForceDeadline = Deadline > 0 ? toTimestamp(nowMs + Deadline / 1_000_000) : null
  const isUpdate = node.DrainStrategy !== null
  const isTold = Meta !== null && Object.keys(Meta).length > 0
  return {
    DrainStrategy: { Deadline, IgnoreSystemJobs, ForceDeadline, StartedAt },
    SchedulingEligibility: 'ineligible',
    LastDrain: {
      StartedAt: isUpdate ? (node.LastDrain?.StartedAt ?? StartedAt) : StartedAt,
      UpdatedAt: toTimestamp(nowMs),
      Status: 'draining',
      AccessorID: 'token:acls-disabled',
      // What tells of the drain stays when somebody changes it without a word.
      Meta: isTold ? Meta : isUpdate ? (node.LastDrain?.Meta ?? null) : null,
    },
    Events: tell(core, node, `Node drain strategy ${isUpdate ? 'updated' : 'set'}`, 'Drain'),
  }
}

function endDrain(core: Core, node: Node, { markEligible }: DrainRequest): Partial<Node> {
  const isDraining = node.DrainStrategy !== null
  return {
    DrainStrategy: null,
    ...(markEligible ? { SchedulingEligibility: 'eligible' as const } : {}),
    ...(isDraining && node.LastDrain
      ? {
          LastDrain: {
            ...node.LastDrain,
            Status: 'canceled' as const,
            UpdatedAt: toTimestamp(core.clock.now()),
          },
        }
      : {}),
    ...(isDraining ? { Events: tell(core, node, 'Node drain disabled', 'Drain') } : {}),
  }
}

/** Nothing is written when it is so already. @throws Refusal */
export function setEligibility(core: Core, id: string, eligibility: string): NodeOutcome {
  if (eligibility !== 'eligible' && eligibility !== 'ineligible') {
    throw new Refusal(500, `invalid scheduling eligibility "${eligibility}"`)
  }
  const node = find(core, id)
  if (node.DrainStrategy !== null && eligibility === 'eligible') {
    const why = "can not set node's scheduling eligibility to eligible while it is draining"
    throw new Refusal(500, why)
  }
  if (node.SchedulingEligibility === eligibility) {
    return { index: 0, nodeModifyIndex: 0, evaluationIds: [] }
  }
  const Events = tell(core, node, `Node marked as ${eligibility} for scheduling`, 'Cluster')
  const patch = { SchedulingEligibility: eligibility, Events } as const
  const index = core.state.commit('NodeEligibility', [{ table: 'node', key: id, patch }])
  const evaluationIds = eligibility === 'eligible' ? evaluateNode(core, node) : []
  return { index, nodeModifyIndex: 0, evaluationIds }
}

/** Forgets a node. What ran on it is lost. @throws Refusal */
export function purgeNode(core: Core, id: string): NodeOutcome {
  const node = find(core, id)
  const index = core.state.commit('NodeDeregistration', [{ table: 'node', key: id, drop: true }])
  return { index, nodeModifyIndex: index, evaluationIds: evaluateNode(core, node) }
}

/** Takes a node in, or takes it up again as it presents itself now. Its pool is made when it is new. */
export function registerNode(core: Core, node: Node): void {
  const { state } = core
  const known = state.tables.node.get(node.ID)
  const writes: Write[] = [{ table: 'node', key: node.ID, put: node }]
  if (state.tables.pool.get(node.NodePool) === undefined) {
    const put = { Name: node.NodePool, Description: '', CreateIndex: 0, ModifyIndex: 0 }
    writes.unshift({ table: 'pool', key: put.Name, put })
  }
  state.commit('NodeRegistration', writes)
  if (known?.Status !== 'ready') evaluateNode(core, node)
}

/** As if its heartbeats had stopped, or come back. @throws Refusal */
export function setNodeStatus(core: Core, id: string, status: 'ready' | 'down'): NodeOutcome {
  const node = find(core, id)
  if (node.Status === status) return { index: 0, nodeModifyIndex: 0, evaluationIds: [] }
  const message = status === 'down' ? 'Node heartbeat missed' : 'Node reregistered by heartbeat'
  const patch = {
    Status: status,
    StatusUpdatedAt: Math.floor(core.clock.now() / 1000),
    Events: tell(core, node, message, 'Cluster'),
  }
  const index = core.state.commit('NodeStreamEvent', [{ table: 'node', key: id, patch }])
  return { index, nodeModifyIndex: index, evaluationIds: evaluateNode(core, node) }
}

function find(core: Core, id: string): Node {
  const node = core.state.tables.node.get(id)
  if (node === undefined) throw new Refusal(500, 'node not found')
  return node
}

function tell(
  core: Core,
  node: Node,
  Message: string,
  Subsystem: NodeEvent['Subsystem'],
): NodeEvent[] {
  const Timestamp = toTimestamp(core.clock.now())
  const CreateIndex = core.state.index + 1
  return addNodeEvent(node.Events, { Message, Subsystem, Timestamp, CreateIndex })
}

/** A new look at every job that has something on the node, or runs everywhere. */
function evaluateNode(core: Core, node: Node): string[] {
  const { state, clock, random } = core
  const jobs = new Map<string, Job>()
  for (const id of state.indexes.ofNode(node.ID).allocations) {
    const allocation = state.tables.allocation.get(id)
    if (allocation && !isTerminal(allocation)) jobs.set(toJobKey(allocation.Job), allocation.Job)
  }
  for (const [key, job] of state.tables.job.rows) {
    const runsEverywhere = job.Type === 'system' || job.Type === 'sysbatch'
    if (runsEverywhere && !job.Stop) jobs.set(key, job)
  }
  const writes: Write[] = [...jobs.values()].map((job) => {
    const more = { NodeID: node.ID, NodeModifyIndex: state.index }
    const put = createEvaluation(job, 'node-update', { nowMs: clock.now(), random }, more)
    return { table: 'evaluation', key: put.ID, put }
  })
  if (writes.length > 0) state.commit('EvaluationUpdated', writes)
  return writes.map(({ key }) => key)
}
