/** What Nomad shows of the fleet: nodes, which machine each one is, and what runs on them. */
import type { NomadAllocation, NomadNode } from '../../nomad/index.ts'
import { lastDrainMark } from '../drain-mark.ts'
import { instanceOf } from '../instance-of.ts'
import type { FleetNomad } from '../ports.ts'
import { drainFactsOf } from '../proof.ts'
import type { LiveAllocation, NodeView } from '../view.ts'
import type { DrainDeadlines } from './drain-deadlines.ts'

export interface NomadSide {
  nodes: SeenNode[]
  /** By node id; system jobs are left out. */
  live: Map<string, LiveAllocation[]>
}

export interface SeenNode extends NodeView {
  /** Null when nothing tells. */
  instanceId: string | null
  address: string | null
  /** It is a machine of EC2, by its attributes or its name, whichever one. */
  isEc2: boolean
}

const LIVE_FILTER =
  'ClientStatus == `pending` or ClientStatus == `running` or ClientStatus == `unknown`'

/** Reads nodes first and allocations after them, see view.ts. */
export async function readNomad(
  nomad: FleetNomad,
  { identities, deadlines }: { identities: NodeIdentities; deadlines: DrainDeadlines },
  signal: AbortSignal,
): Promise<NomadSide> {
  const nodes: NomadNode[] = []
  for await (const { items } of nomad.listNodes({ signal })) nodes.push(...items)
  const seen = await identities.resolve(nodes, signal)
  const limited = await deadlines.find(nodes, signal)
  for (const node of seen) if (limited.has(node.id)) node.hasDeadline = true
  const live = new Map<string, LiveAllocation[]>()
  const options = { filter: LIVE_FILTER, namespace: '*', signal }
  for await (const { items } of nomad.listAllocations(options)) {
    for (const allocation of items) {
      if (!isLive(allocation)) continue
      const list = live.get(allocation.NodeID)
      const entry = { id: allocation.ID, job: allocation.JobID }
      if (list === undefined) live.set(allocation.NodeID, [entry])
      else list.push(entry)
    }
  }
  return { nodes: seen, live }
}

/** Whether it runs or may run, whatever it was told to do. Those of system jobs end with their node. */
export function isLive({ ClientStatus, JobType, Job }: NomadAllocation): boolean {
  const type = JobType ?? Job?.Type
  if (type === 'system' || type === 'sysbatch') return false
  return ClientStatus === 'pending' || ClientStatus === 'running' || ClientStatus === 'unknown'
}

interface Identity {
  instanceId: string | null
  address: string | null
  isEc2: boolean
}

const ADDRESS_ATTRIBUTE = 'unique.network.ip-address'
/** At a time: a whole cluster is read once, after a start. */
const READS_AT_ONCE = 8
/** A node whose attributes could not be read is asked again after so many looks. */
const ASK_AGAIN_AFTER = 5

/** Which machine a node is. Only the whole node tells, so that each is read once. */
export class NodeIdentities {
  readonly #nomad: FleetNomad
  readonly #known = new Map<string, Identity>()
  readonly #failed = new Map<string, number>()

  constructor(nomad: FleetNomad) {
    this.#nomad = nomad
  }

  async resolve(nodes: readonly NomadNode[], signal: AbortSignal): Promise<SeenNode[]> {
    const missing = nodes.filter(({ ID }) => !this.#known.has(ID) && this.#mayAsk(ID))
    const queue = [...missing]
    const work = async (): Promise<void> => {
      for (let node = queue.shift(); node !== undefined; node = queue.shift()) {
        await this.#ask(node, signal)
      }
    }
    await Promise.all(Array.from({ length: Math.min(READS_AT_ONCE, missing.length) }, work))
    // More than there are: some of them are gone.
    if (this.#known.size + this.#failed.size > nodes.length) this.#forgetOthers(nodes)
    return nodes.map((node) => toSeen(node, this.#identityOf(node)))
  }

  #forgetOthers(nodes: readonly NomadNode[]): void {
    const here = new Set(nodes.map(({ ID }) => ID))
    for (const id of this.#known.keys()) if (!here.has(id)) this.#known.delete(id)
    for (const id of this.#failed.keys()) if (!here.has(id)) this.#failed.delete(id)
  }

  #mayAsk(id: string): boolean {
    const looks = this.#failed.get(id)
    if (looks === undefined) return true
    this.#failed.set(id, looks - 1)
    return looks <= 0
  }

  async #ask(node: NomadNode, signal: AbortSignal): Promise<void> {
    try {
      const whole = await this.#nomad.readNode(node.ID, { signal })
      if (whole === null) return
      const attributes = whole.Attributes ?? {}
      // A node that is registering has not told everything yet.
      if (whole.Status === 'initializing') return
      this.#known.set(node.ID, toIdentity(node, attributes))
      this.#failed.delete(node.ID)
    } catch (cause) {
      if (signal.aborted) throw cause
      // One node that can not be read must not hold up the others; it counts as one that nobody knows.
      this.#failed.set(node.ID, ASK_AGAIN_AFTER)
    }
  }

  #identityOf(node: NomadNode): Identity {
    return this.#known.get(node.ID) ?? { ...toIdentity(node, {}), isEc2: true }
  }
}

function toIdentity(node: NomadNode, attributes: Record<string, string>): Identity {
  const instanceId = instanceOf({ Name: node.Name, Attributes: attributes })
  const isEc2 =
    instanceId !== null ||
    Object.keys(attributes).some((key) => /^(?:unique\.)?platform\.aws\./.test(key))
  const address = attributes[ADDRESS_ATTRIBUTE] ?? node.Address ?? null
  return { instanceId, address: address === '' ? null : address, isEc2 }
}

function toSeen(node: NomadNode, { instanceId, address, isEc2 }: Identity): SeenNode {
  const { NodeResources: own, ReservedResources: reserved } = node
  return {
    id: node.ID,
    name: node.Name,
    status: node.Status,
    ...drainFactsOf(node),
    mark: lastDrainMark(node),
    room: {
      cpuMhz: (own?.Cpu?.CpuShares ?? 0) - (reserved?.Cpu?.CpuShares ?? 0),
      memoryMiB: (own?.Memory?.MemoryMB ?? 0) - (reserved?.Memory?.MemoryMB ?? 0),
    },
    instanceId,
    address,
    isEc2,
  }
}
