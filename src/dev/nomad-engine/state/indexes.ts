/** What is looked up often, kept beside the rows: all of it follows from them. */
import { askOf, groupOf, isClientTerminal, isTerminal } from '../objects/allocation.ts'
import type { Allocation, Ask } from '../objects/allocation.ts'
import type { Evaluation } from '../objects/evaluation.ts'
import type { Job } from '../objects/job.ts'
import type { Node } from '../objects/node.ts'
import { jobKeyOf } from './rows.ts'
import type { RowChange } from './rows.ts'

/** Nomad keeps this many versions of a job. */
const VERSIONS_MAX = 6

interface JobRelations {
  allocations: Set<string>
  evaluations: Set<string>
  /** Allocations that are wanted and not over. */
  live: number
  /** Evaluations that are pending or blocked. */
  open: number
  /** From the evaluation that last ran to its end. */
  queued: { index: number; byGroup: Record<string, number> } | null
  /** Last change of any of them. */
  summaryIndex: number
}

interface NodeUsage extends Ask {
  allocations: Set<string>
  ports: Set<number>
}

const NOTHING: JobRelations = {
  allocations: new Set(),
  evaluations: new Set(),
  live: 0,
  open: 0,
  queued: null,
  summaryIndex: 0,
}
const UNUSED: NodeUsage = {
  allocations: new Set(),
  ports: new Set(),
  cpuMhz: 0,
  memoryMiB: 0,
  diskMiB: 0,
}

export class Indexes {
  readonly #jobs = new Map<string, JobRelations>()
  readonly #nodes = new Map<string, NodeUsage>()
  readonly #versions = new Map<string, Job[]>()
  readonly pending = new Set<string>()
  readonly blocked = new Set<string>()
  /** Of the last change of any job's summary. */
  summaryIndex = 0
  /** Grows with every change of a node that matters to placement. */
  nodesVersion = 0

  ofJob(jobKey: string): Readonly<JobRelations> {
    return this.#jobs.get(jobKey) ?? NOTHING
  }

  /** What is reserved on a node: everything whose client is not done with it. */
  ofNode(nodeId: string): Readonly<NodeUsage> {
    return this.#nodes.get(nodeId) ?? UNUSED
  }

  /** Newest first. */
  versions(jobKey: string): readonly Job[] {
    return this.#versions.get(jobKey) ?? []
  }

  note(index: number, change: RowChange): void {
    if (change.table === 'allocation') this.#noteAllocation(index, change.before, change.after)
    else if (change.table === 'evaluation') this.#noteEvaluation(index, change.before, change.after)
    else if (change.table === 'node')
      this.nodesVersion += Number(isNews(change.before, change.after))
    else if (change.table === 'job') this.#noteJob(index, change.key, change.after)
  }

  #noteJob(index: number, key: string, after: Job | undefined): void {
    if (after === undefined) {
      this.#versions.delete(key)
      this.#forgetIfEmpty(key)
      return
    }
    const versions = this.#versions.get(key) ?? []
    const older = versions.filter((each) => each.Version !== after.Version)
    this.#versions.set(key, [after, ...older].slice(0, VERSIONS_MAX))
    if (after.CreateIndex === index) this.#touch(this.#relations(key), index)
  }

  #noteEvaluation(
    index: number,
    before: Evaluation | undefined,
    after: Evaluation | undefined,
  ): void {
    const row = after ?? before
    if (row === undefined) return
    const job = this.#relations(jobKeyOf(row))
    setMember(job.evaluations, row.ID, after !== undefined)
    job.open += Number(isOpen(after)) - Number(isOpen(before))
    setMember(this.pending, row.ID, after?.Status === 'pending')
    setMember(this.blocked, row.ID, after?.Status === 'blocked')
    if (after !== undefined && after.Status !== 'pending' && after.QueuedAllocations !== null) {
      if (after.ModifyIndex < (job.queued?.index ?? 0)) return
      job.queued = { index: after.ModifyIndex, byGroup: after.QueuedAllocations }
      this.#touch(job, index)
    }
    if (after === undefined) this.#forgetIfEmpty(jobKeyOf(row))
  }

  #noteAllocation(
    index: number,
    before: Allocation | undefined,
    after: Allocation | undefined,
  ): void {
    const row = after ?? before
    if (row === undefined) return
    const job = this.#relations(jobKeyOf(row))
    setMember(job.allocations, row.ID, after !== undefined)
    job.live += Number(isLive(after)) - Number(isLive(before))
    this.#touch(job, index)
    this.#noteUsage(row.NodeID, before, after)
    if (after === undefined) this.#forgetIfEmpty(jobKeyOf(row))
  }

  #noteUsage(nodeId: string, before: Allocation | undefined, after: Allocation | undefined): void {
    const node = this.#nodes.get(nodeId) ?? { ...UNUSED, allocations: new Set(), ports: new Set() }
    this.#nodes.set(nodeId, node)
    setMember(node.allocations, after?.ID ?? before?.ID ?? '', after !== undefined)
    const change = Number(holdsResources(after)) - Number(holdsResources(before))
    const row = after ?? before
    const group = row && groupOf(row)
    if (change === 0 || row === undefined || group === undefined) return
    const ask = askOf(group)
    node.cpuMhz += change * ask.cpuMhz
    node.memoryMiB += change * ask.memoryMiB
    node.diskMiB += change * ask.diskMiB
    for (const port of row.AllocatedResources.Shared.Ports ?? []) {
      setMember(node.ports, port.Value, change > 0)
    }
  }

  #relations(jobKey: string): JobRelations {
    const known = this.#jobs.get(jobKey)
    if (known !== undefined) return known
    const created = { ...NOTHING, allocations: new Set<string>(), evaluations: new Set<string>() }
    this.#jobs.set(jobKey, created)
    return created
  }

  /** Jobs come and go for as long as the engine runs. */
  #forgetIfEmpty(jobKey: string): void {
    const job = this.#jobs.get(jobKey)
    const isEmpty = job?.allocations.size === 0 && job.evaluations.size === 0
    if (isEmpty && !this.#versions.has(jobKey)) this.#jobs.delete(jobKey)
  }

  #touch(job: JobRelations, index: number): void {
    job.summaryIndex = index
    this.summaryIndex = index
  }
}

/** The client's last update of its allocations is written to its node too, and is no news here. */
function isNews(before: Node | undefined, after: Node | undefined): boolean {
  return before?.ModifyIndex !== after?.ModifyIndex
}

function isOpen(evaluation: Evaluation | undefined): boolean {
  return evaluation?.Status === 'pending' || evaluation?.Status === 'blocked'
}

function isLive(allocation: Allocation | undefined): boolean {
  return allocation !== undefined && !isTerminal(allocation)
}

function holdsResources(allocation: Allocation | undefined): boolean {
  return allocation !== undefined && !isClientTerminal(allocation)
}

function setMember<T>(set: Set<T>, member: T, isMember: boolean): void {
  if (isMember) set.add(member)
  else set.delete(member)
}
