/**
 * Nomad as the fleet sees it, in this process and on any clock: nodes, allocations, drains.
 *
 * As the real one, it calls a drain without a deadline complete when the last allocation on the node has
 * ended, whoever may see it; takes the result of a drain that is over for no part of the next eligibility; and
 * writes a placement a moment after it was decided, whatever has happened to the node meanwhile.
 */
import type { FleetNomad } from '../../../src/fleet/index.ts'
import type {
  NodeReceipt,
  NomadAllocation,
  NomadNode,
  StreamItem,
} from '../../../src/nomad/index.ts'
import type { Clock } from '../../../src/platform/index.ts'
import { sleep } from '../../../src/platform/index.ts'

export interface FakeNodeOptions {
  instanceId: string | null
  name?: string
  cpuMhz?: number
  memoryMiB?: number
  attributes?: Record<string, string>
}

export class FakeNomad implements FleetNomad {
  readonly nodes = new Map<string, NomadNode>()
  readonly allocations = new Map<string, NomadAllocation>()
  /** Namespaces that the token may not see: what runs in them is left out of every list, without a word. */
  readonly hidden = new Set<string>()
  /** Every write, in order. */
  readonly writes: string[] = []
  /** Called before each call; what it throws is what the call throws. */
  before: (call: string) => void | Promise<void> = () => undefined
  #index = 100
  #count = 0
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(options: FakeNodeOptions): NomadNode {
    this.#count += 1
    const id = `00000000-0000-4000-8000-${String(this.#count).padStart(12, '0')}`
    const node: NomadNode = {
      ID: id,
      Name: options.name ?? options.instanceId ?? `static-${this.#count}`,
      Datacenter: 'dc1',
      NodeClass: 'linux-64bit',
      Address: '',
      Drain: false,
      SchedulingEligibility: 'eligible',
      Status: 'ready',
      Attributes: {
        ...(options.instanceId === null
          ? {}
          : { 'unique.platform.aws.instance-id': options.instanceId }),
        ...options.attributes,
      },
      NodeResources: {
        Cpu: { CpuShares: options.cpuMhz ?? 14_000 },
        Memory: { MemoryMB: options.memoryMiB ?? 61_440 },
      },
      CreateIndex: this.#next(),
      ModifyIndex: this.#index,
    }
    this.nodes.set(id, node)
    return node
  }

  nodeOf(instanceId: string): NomadNode | undefined {
    const all = [...this.nodes.values()].filter(
      ({ Attributes }) => Attributes?.['unique.platform.aws.instance-id'] === instanceId,
    )
    return all.find(({ Status }) => Status === 'ready') ?? all.at(-1)
  }

  /** Of an instance, whatever the node says of placements. */
  run(
    node: NomadNode,
    job: string,
    { type = 'batch', namespace = 'default' }: { type?: string; namespace?: string } = {},
  ): NomadAllocation {
    this.#count += 1
    const allocation: NomadAllocation = {
      ID: `alloc-${this.#count}`,
      EvalID: '',
      Name: job,
      Namespace: namespace,
      NodeID: node.ID,
      NodeName: node.Name,
      JobID: job,
      JobType: type,
      TaskGroup: 'slice',
      DesiredStatus: 'run',
      ClientStatus: 'running',
      CreateTime: 0,
      ModifyTime: 0,
      CreateIndex: this.#next(),
      ModifyIndex: this.#index,
    }
    this.allocations.set(allocation.ID, allocation)
    return allocation
  }

  finish(id: string, status: NomadAllocation['ClientStatus'] = 'complete'): void {
    const allocation = this.allocations.get(id)
    if (allocation === undefined) return
    allocation.ClientStatus = status
    allocation.ModifyIndex = this.#next()
    this.#goOn(allocation.NodeID)
  }

  liveOn(nodeId: string): NomadAllocation[] {
    return [...this.allocations.values()].filter(
      ({ NodeID, ClientStatus }) =>
        NodeID === nodeId && ['pending', 'running', 'unknown'].includes(ClientStatus),
    )
  }

  /** The machine is gone: its node is down, what ran there is lost. */
  lose(nodeId: string): void {
    const node = this.nodes.get(nodeId)
    if (node === undefined) return
    node.Status = 'down'
    for (const { ID } of this.liveOn(nodeId)) this.finish(ID, 'lost')
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
    await this.before('listNodes')
    const items = [...this.nodes.values()].map(({ Attributes: _left, ...stub }) => ({ ...stub }))
    yield { items, index: this.#index }
  }

  async readNode(id: string): Promise<NomadNode | null> {
    await this.before('readNode')
    const node = this.nodes.get(id)
    return node === undefined ? null : { ...node }
  }

  async *listAllocations(): ReturnType<FleetNomad['listAllocations']> {
    await this.before('listAllocations')
    const items = this.#seen().map((each) => ({ ...each }))
    yield { items, index: this.#index }
  }

  async nodeAllocations(id: string): Promise<NomadAllocation[]> {
    await this.before('nodeAllocations')
    return this.#seen().filter(({ NodeID }) => NodeID === id)
  }

  async drainNode(
    id: string,
    drain: Parameters<FleetNomad['drainNode']>[1],
    options: Parameters<FleetNomad['drainNode']>[2] = {},
  ): Promise<NodeReceipt> {
    await this.before('drainNode')
    const node = this.#node(id)
    this.writes.push(`${drain === null ? 'undrain' : 'drain'} ${node.Name}`)
    if (drain !== null && drain.deadlineMs !== null) throw new Error('a drain with a deadline')
    if (drain !== null) {
      const { ignoreSystemJobs = false } = drain
      node.DrainStrategy = { Deadline: 0, IgnoreSystemJobs: ignoreSystemJobs }
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
    this.#goOn(id)
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

  #seen(): NomadAllocation[] {
    return [...this.allocations.values()].filter(({ Namespace }) => !this.hidden.has(Namespace))
  }

  /** With the drain of a node: those of system jobs end last, and not at all when they are to be ignored. */
  #goOn(nodeId: string): void {
    const node = this.nodes.get(nodeId)
    if (node?.DrainStrategy === null || node?.DrainStrategy === undefined) return
    const [system = [], others = []] = [true, false].map((isSystem) =>
      this.liveOn(nodeId).filter(({ JobType }) => (JobType === 'system') === isSystem),
    )
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
