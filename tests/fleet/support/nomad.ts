/**
 * Nomad as the fleet sees it, in this process and on any clock: nodes, allocations, drains.
 *
 * As the real one, it calls a drain without a deadline complete when the last allocation on the node has
 * ended, whoever may see it, unless that was of a sysbatch job: then only when the drain is changed; takes
 * the result of a drain that is over for no part of the next eligibility; and writes a placement a moment
 * after it was decided, whatever has happened to the node meanwhile.
 */
import { isDeepStrictEqual } from 'node:util'
import type { FleetNomad } from '../../../src/fleet/index.ts'
import type {
  NodeReceipt,
  NomadAllocation,
  NomadNode,
  StreamItem,
} from '../../../src/nomad/index.ts'
import type { Clock } from '../../../src/platform/index.ts'
import { sleep } from '../../../src/platform/index.ts'
import { aNode, anAllocation, type FakeJobOptions, type FakeNodeOptions } from './nomad-shapes.ts'

/** Longer than any hook can hold a machine: a drain with such a deadline ends nothing. */
const HOOK_MS = 48 * 3_600_000

export class FakeNomad implements FleetNomad {
  readonly nodes = new Map<string, NomadNode>()
  readonly allocations = new Map<string, NomadAllocation>()
  /** Namespaces that the token may not see: what runs in them is left out of every list, without a word. */
  readonly hidden = new Set<string>()
  /** Every write, in order. */
  readonly writes: string[] = []
  /** Whether those that have ended can still be read; of a whole day they would be too many. */
  keepsEnded = true
  /** Of lists: what happens between two pages shows on the second one only. */
  pageSize = Infinity
  /** Called before each call; what it throws is what the call throws. */
  before: (call: string) => void | Promise<void> = () => undefined
  #index = 100
  #count = 0
  /** What has ended on nodes that are cut off: nobody can know yet. */
  readonly #untold = new Map<string, NomadAllocation['ClientStatus']>()
  /** By node id, whatever became of them. */
  readonly #onNode = new Map<string, Set<NomadAllocation>>()
  /** By instance, the ids of all nodes that it has been, oldest first. */
  readonly #idsOf = new Map<string, string[]>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(options: FakeNodeOptions): NomadNode {
    this.#count += 1
    const index = this.#next()
    const node = { ...aNode(this.#count, options), CreateIndex: index, ModifyIndex: index }
    this.nodes.set(node.ID, node)
    const instance = node.Attributes?.['unique.platform.aws.instance-id']
    if (instance !== undefined) {
      this.#idsOf.set(instance, [...(this.#idsOf.get(instance) ?? []), node.ID])
    }
    return node
  }

  nodeOf(instanceId: string): NomadNode | undefined {
    const all = (this.#idsOf.get(instanceId) ?? []).flatMap((id) => this.nodes.get(id) ?? [])
    return all.find(({ Status }) => Status === 'ready') ?? all.at(-1)
  }

  /** Of an instance, whatever the node says of placements. */
  run(node: NomadNode, job: string, options: FakeJobOptions = {}): NomadAllocation {
    this.#count += 1
    const index = this.#next()
    const shape = anAllocation(this.#count, node, job, options)
    const allocation = { ...shape, CreateIndex: index, ModifyIndex: index }
    this.allocations.set(allocation.ID, allocation)
    const there = this.#onNode.get(node.ID) ?? new Set()
    this.#onNode.set(node.ID, there.add(allocation))
    return allocation
  }

  finish(id: string, status: NomadAllocation['ClientStatus'] = 'complete'): void {
    const allocation = this.allocations.get(id)
    if (allocation === undefined) return
    if (this.nodes.get(allocation.NodeID)?.Status === 'disconnected') {
      this.#untold.set(id, status)
      return
    }
    allocation.ClientStatus = status
    allocation.ModifyIndex = this.#next()
    if (allocation.JobType !== 'sysbatch') this.#goOn(allocation.NodeID)
    if (this.keepsEnded || isLive(allocation)) return
    this.allocations.delete(id)
    this.#onNode.get(allocation.NodeID)?.delete(allocation)
  }

  liveOn(nodeId: string): NomadAllocation[] {
    return this.#on(nodeId).filter(isLive)
  }

  /** The machine is gone: its node is down, what ran there is lost. */
  lose(nodeId: string): void {
    const node = this.nodes.get(nodeId)
    if (node === undefined) return
    node.Status = 'down'
    for (const { ID } of this.liveOn(nodeId)) this.finish(ID, 'lost')
  }

  /** The network of a machine is gone; what runs there runs on. */
  disconnect(nodeId: string): void {
    const node = this.nodes.get(nodeId)
    if (node?.Status !== 'ready') return
    for (const allocation of this.liveOn(nodeId)) allocation.ClientStatus = 'unknown'
    node.Status = 'disconnected'
  }

  /** It is back, and tells what has happened meanwhile. */
  reconnect(nodeId: string): void {
    const node = this.nodes.get(nodeId)
    if (node?.Status !== 'disconnected') return
    node.Status = 'ready'
    for (const { ID } of this.liveOn(nodeId)) {
      this.finish(ID, this.#untold.get(ID) ?? 'running')
      this.#untold.delete(ID)
    }
  }

  /** A person gives it back, whoever has taken it out. */
  giveBack(node: NomadNode): void {
    if (node.DrainStrategy) node.LastDrain = { ...node.LastDrain, Status: 'canceled' }
    Object.assign(node, { DrainStrategy: null, Drain: false, SchedulingEligibility: 'eligible' })
  }

  /** Somebody drains it with a deadline, by `nomad node drain`: what was told of an earlier drain stays. */
  drainByHand(node: NomadNode, deadlineMs: number): void {
    node.LastDrain = { ...node.LastDrain, Status: 'draining' }
    Object.assign(node, { Drain: true, SchedulingEligibility: 'ineligible' })
    node.DrainStrategy = { Deadline: deadlineMs * 1e6, IgnoreSystemJobs: false }
    node.ModifyIndex = this.#next()
  }

  async *listNodes(): ReturnType<FleetNomad['listNodes']> {
    const all = () => [...this.nodes.values()]
    const toStub = (node: NomadNode): NomadNode => ({ ...node, Attributes: null })
    yield* this.#pages('listNodes', all, (page) => page.map(toStub))
  }

  async readNode(id: string): Promise<NomadNode | null> {
    await this.before('readNode')
    const node = this.nodes.get(id)
    return node === undefined ? null : { ...node }
  }

  /** Of filters it knows the one that there is: for those that may run. */
  async *listAllocations({ filter }: Parameters<FleetNomad['listAllocations']>[0] = {}): ReturnType<
    FleetNomad['listAllocations']
  > {
    const all = () => {
      const seen: NomadAllocation[] = []
      for (const each of this.allocations.values()) {
        if ((filter === undefined || isLive(each)) && this.#isSeen(each)) seen.push(each)
      }
      return seen
    }
    yield* this.#pages('listAllocations', all, (page) => page)
  }

  async nodeAllocations(id: string): Promise<NomadAllocation[]> {
    await this.before('nodeAllocations')
    return this.#on(id).filter((each) => this.#isSeen(each))
  }

  async drainNode(
    id: string,
    drain: Parameters<FleetNomad['drainNode']>[1],
    options: Parameters<FleetNomad['drainNode']>[2] = {},
  ): Promise<NodeReceipt> {
    await this.before('drainNode')
    const node = this.#node(id)
    this.writes.push(`${drain === null ? 'undrain' : 'drain'} ${node.Name}`)
    const deadlineMs = drain?.deadlineMs ?? 0
    if (deadlineMs !== 0 && deadlineMs < HOOK_MS) throw new Error('a drain with a deadline')
    let isSeen = false
    if (drain !== null) {
      const { ignoreSystemJobs = false } = drain
      const strategy = { Deadline: deadlineMs * 1e6, IgnoreSystemJobs: ignoreSystemJobs }
      isSeen = !isDeepStrictEqual(node.DrainStrategy, strategy)
      node.DrainStrategy = strategy
      node.LastDrain = { Status: 'draining', Meta: options.meta ?? null }
      node.SchedulingEligibility = 'ineligible'
    } else {
      if (node.DrainStrategy && node.LastDrain) {
        node.LastDrain = { ...node.LastDrain, Status: 'canceled' }
      }
      node.DrainStrategy = null
      if (options.markEligible) node.SchedulingEligibility = 'eligible'
    }
    node.Drain = drain !== null
    if (isSeen) this.#goOn(id)
    node.ModifyIndex = this.#next()
    return { evalIds: [], nodeModifyIndex: this.#index, index: this.#index }
  }

  async setEligibility(id: string, eligibility: 'eligible' | 'ineligible'): Promise<NodeReceipt> {
    await this.before('setEligibility')
    const node = this.#node(id)
    if (eligibility === 'eligible' && node.DrainStrategy) {
      throw new Error('can not be made eligible while it is draining')
    }
    node.SchedulingEligibility = eligibility
    return { evalIds: [], nodeModifyIndex: this.#next(), index: this.#index }
  }

  async purgeNode(id: string): Promise<NodeReceipt> {
    await this.before('purgeNode')
    this.writes.push(`purge ${this.#node(id).Name}`)
    this.nodes.delete(id)
    return { evalIds: [], nodeModifyIndex: this.#next(), index: this.#index }
  }

  /** Silent: the fleet must do without. */
  async *events(_subscription: unknown, signal: AbortSignal): AsyncGenerator<StreamItem> {
    yield { kind: 'connected', index: this.#index }
    while (!signal.aborted) await sleep(this.#clock, 3_600_000, signal)
  }

  /** By id, each page as things stand when it is read. */
  async *#pages<Item extends { ID: string }, Told>(
    call: string,
    all: () => Item[],
    tell: (page: Item[]) => Told[],
  ): AsyncGenerator<{ items: Told[]; index: number }> {
    for (let after: string | null = ''; after !== null;) {
      await this.before(call)
      const from: string = after
      const rest = from === '' ? all() : all().filter(({ ID }) => ID > from)
      if (rest.length > this.pageSize) rest.sort((a, b) => (a.ID < b.ID ? -1 : 1))
      const page = rest.slice(0, this.pageSize)
      after = page.length < rest.length ? (page.at(-1)?.ID ?? null) : null
      yield { items: tell(page), index: this.#index }
    }
  }

  #on(nodeId: string): NomadAllocation[] {
    return [...(this.#onNode.get(nodeId) ?? [])]
  }

  #isSeen({ Namespace }: NomadAllocation): boolean {
    return this.hidden.size === 0 || !this.hidden.has(Namespace)
  }

  /** With the drain of a node: those of system jobs end last, and not at all when they are to be ignored. */
  #goOn(nodeId: string): void {
    const node = this.nodes.get(nodeId)
    if (node?.DrainStrategy === null || node?.DrainStrategy === undefined) return
    const live = this.liveOn(nodeId)
    const system = live.filter(({ JobType }) => JobType === 'system')
    const others = live.filter(({ JobType }) => JobType !== 'system')
    if (others.length > 0) return
    const { IgnoreSystemJobs } = node.DrainStrategy
    node.DrainStrategy = null
    node.Drain = false
    node.LastDrain = { ...node.LastDrain, Status: 'complete' }
    if (!IgnoreSystemJobs) for (const { ID } of system) this.finish(ID)
  }

  #node(id: string): NomadNode {
    const node = this.nodes.get(id)
    if (node === undefined) throw new Error(`no node ${id}`)
    return node
  }

  #next(): number {
    this.#index += 1
    return this.#index
  }
}

function isLive({ ClientStatus }: NomadAllocation): boolean {
  return ClientStatus === 'pending' || ClientStatus === 'running' || ClientStatus === 'unknown'
}
