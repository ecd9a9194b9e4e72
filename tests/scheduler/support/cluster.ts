/**
 * Nomad as the scheduler sees it, in memory: jobs are created once, allocations appear and end when the
 * test says so, and every change is an event.
 */
import { CaravanError } from '../../../src/model/index.ts'
import {
  parseNomadVersion,
  type JobStatus,
  type NomadAllocation,
  type NomadEvaluation,
  type NomadEvent,
  type NomadJob,
  type NomadNode,
  type RegisterOutcome,
  type SchedulerConfiguration,
  type StreamItem,
} from '../../../src/nomad/index.ts'
import type { SchedulerNomad } from '../../../src/scheduler/index.ts'
import { aNode, anAllocation, anEvaluation } from './nomad.ts'

type Fate = 'lost' | undefined

export class FakeCluster implements SchedulerNomad {
  readonly namespace = 'default'
  nodes: NomadNode[] = [aNode()]
  versionText = '2.0.5'
  configuration: SchedulerConfiguration = { SchedulerAlgorithm: 'binpack' }
  readonly jobs = new Map<string, NomadJob>()
  readonly allocations = new Map<string, NomadAllocation>()
  readonly evaluations: NomadEvaluation[] = []
  /** Every job that was asked to stop, in order. */
  readonly stopped: string[] = []
  registrations = 0
  /** Places each new job at once. */
  places = true
  /** Called before a registration is carried out; throw to refuse, give 'lost' to lose the answer. */
  onRegister: (job: NomadJob) => Fate | Promise<Fate> = () => undefined
  /** Without events, lists are all there is. */
  hasEvents = true
  hasStatuses = true
  #index = 100
  readonly #streams = new Set<(item: StreamItem) => void>()

  async registerJob(job: NomadJob): Promise<RegisterOutcome> {
    const fate = await this.onRegister(job)
    if (this.jobs.has(job.ID)) return { kind: 'conflict', index: 0 }
    this.registrations += 1
    const index = ++this.#index
    const stored = { ...job, Stop: false, Status: 'pending', JobModifyIndex: index }
    this.jobs.set(job.ID, stored)
    if (this.places) this.place(job.ID)
    if (fate === 'lost') throw new CaravanError('NOMAD_UNKNOWN_OUTCOME', 'the answer was lost')
    return { kind: 'registered', evalId: 'e', jobModifyIndex: index, index, warnings: '' }
  }

  readJob(id: string): Promise<NomadJob | null> {
    return Promise.resolve(this.jobs.get(id) ?? null)
  }

  deregisterJob(
    id: string,
    { purge = false }: { purge?: boolean } = {},
  ): Promise<{ evalId: string; index: number }> {
    this.stopped.push(id)
    this.stopJob(id, { purge })
    return Promise.resolve({ evalId: '', index: this.#index })
  }

  /** Every job that was asked to be evaluated again. */
  readonly evaluated: string[] = []

  evaluateJob(id: string): Promise<{ evalId: string; index: number }> {
    this.evaluated.push(id)
    return Promise.resolve({ evalId: 'e', index: this.#index })
  }

  jobStatuses(ids: readonly string[]): Promise<JobStatus[] | null> {
    if (!this.hasStatuses) return Promise.resolve(null)
    const known = ids.map((id) => this.jobs.get(id)).filter((job) => job !== undefined)
    return Promise.resolve(known.map((job) => this.#statusOf(job)))
  }

  jobAllocations(id: string): Promise<NomadAllocation[]> {
    return Promise.resolve(this.#allocationsOf(id))
  }

  jobEvaluations(id: string): Promise<NomadEvaluation[]> {
    return Promise.resolve(this.evaluations.filter((each) => each.JobID === id))
  }

  readAllocation(id: string): Promise<NomadAllocation | null> {
    return Promise.resolve(this.allocations.get(id) ?? null)
  }

  async *listAllocations() {
    yield { items: [...this.allocations.values()], index: this.#index }
  }

  async *listJobs() {
    const items = [...this.jobs.values()].map((job) => ({
      ID: job.ID,
      Name: job.Name,
      Namespace: this.namespace,
      Type: job.Type,
      Priority: 50,
      Status: this.#statusOf(job).Status,
      Stop: job.Stop === true,
      SubmitTime: 0,
      CreateIndex: 0,
      ModifyIndex: 0,
      JobModifyIndex: 0,
      Meta: job.Meta ?? null,
    }))
    yield { items, index: this.#index }
  }

  async *listNodes() {
    yield { items: this.nodes, index: this.#index }
  }

  readNode(id: string): Promise<NomadNode | null> {
    return Promise.resolve(this.nodes.find((node) => node.ID === id) ?? null)
  }

  version() {
    return Promise.resolve(parseNomadVersion(this.versionText))
  }

  schedulerConfiguration() {
    return Promise.resolve(this.configuration)
  }

  async *events(_subscription: unknown, signal: AbortSignal): AsyncGenerator<StreamItem> {
    if (!this.hasEvents) throw new CaravanError('NOMAD_FORBIDDEN', 'no events for this token')
    const queue: StreamItem[] = [{ kind: 'connected', index: this.#index }]
    let wake: () => void = () => undefined
    const push = (item: StreamItem) => {
      queue.push(item)
      wake()
    }
    this.#streams.add(push)
    signal.addEventListener('abort', () => wake(), { once: true })
    while (!signal.aborted) {
      const item = queue.shift()
      if (item !== undefined) yield item
      else await new Promise<void>((resolve) => (wake = resolve))
    }
    this.#streams.delete(push)
  }

  /** Gives a job an allocation on the first node. */
  place(job: string, more: Partial<NomadAllocation> = {}): NomadAllocation {
    const CreateIndex = ++this.#index
    const allocation = anAllocation({
      ID: `alloc-${this.allocations.size + 1}`,
      JobID: job,
      NodeID: this.nodes[0]?.ID ?? '',
      NodeName: this.nodes[0]?.Name ?? '',
      ClientStatus: 'running',
      CreateIndex,
      ModifyIndex: CreateIndex,
      ...more,
    })
    this.allocations.set(allocation.ID, allocation)
    this.emit('Allocation', { Allocation: allocation })
    return allocation
  }

  change(id: string, more: Partial<NomadAllocation>): void {
    const before = this.allocations.get(id)
    if (before === undefined) throw new Error(`no allocation ${id}`)
    const after = { ...before, ...more, ModifyIndex: ++this.#index }
    this.allocations.set(id, after)
    this.emit('Allocation', { Allocation: after })
  }

  /** As `nomad job stop` does, or, purging, `nomad job stop -purge`. */
  stopJob(id: string, options: { purge?: boolean } = {}): void {
    const job = this.jobs.get(id)
    if (job === undefined) return
    const after = { ...job, Stop: true }
    this.jobs.set(id, after)
    for (const allocation of this.#allocationsOf(id)) {
      const stopped = { DesiredStatus: 'stop', ClientStatus: 'complete' } as const
      if (allocation.ClientStatus === 'running') this.change(allocation.ID, stopped)
      if (options.purge) this.allocations.delete(allocation.ID)
    }
    if (options.purge) this.jobs.delete(id)
    const TriggeredBy = 'job-deregister'
    this.emit('Evaluation', { Evaluation: anEvaluation({ JobID: id, TriggeredBy }) })
  }

  emit(Topic: string, Payload: NomadEvent['Payload']): void {
    const event = { Topic, Type: Topic, Key: '', Namespace: 'default', Index: this.#index, Payload }
    for (const push of this.#streams) push({ kind: 'batch', index: this.#index, events: [event] })
  }

  gap(): void {
    for (const push of this.#streams) push({ kind: 'gap', reason: 'ended' })
  }

  #allocationsOf(job: string): NomadAllocation[] {
    return [...this.allocations.values()].filter((each) => each.JobID === job)
  }

  #statusOf(job: NomadJob): JobStatus {
    const own = this.#allocationsOf(job.ID)
    const runs = own.some((each) => ['pending', 'running', 'unknown'].includes(each.ClientStatus))
    const isDead = !runs && (own.length > 0 || job.Stop === true)
    return {
      ID: job.ID,
      Namespace: this.namespace,
      Name: job.Name,
      Type: job.Type,
      Status: runs ? 'running' : isDead ? 'dead' : 'pending',
      Stop: job.Stop === true,
      Version: 0,
      SubmitTime: 0,
      ModifyIndex: 0,
      GroupCountSum: 1,
      Allocs: own.map((each) => ({
        ID: each.ID,
        Group: each.TaskGroup,
        ClientStatus: each.ClientStatus,
        NodeID: each.NodeID,
        JobVersion: 0,
      })),
    }
  }
}
