/** From what AWS, Nomad and the scheduler say to one view for each pool. Pure. */
import type { AwsGroup, AwsInstance, AwsMember } from '../../platform/index.ts'
import type { PoolPolicy } from '../policy.ts'
import type { Demand, Orders, PlacedSlice } from '../ports.ts'
import type { DeadNodeView, PoolView, StrayView, UnitView } from '../view.ts'
import type { AwsSide } from './aws-side.ts'
import type { NomadSide, SeenNode } from './nomad-side.ts'

export interface Sources {
  startedMs: number
  aws: AwsSide
  /** Null while Nomad does not answer. */
  nomad: NomadSide | null
  demand: { demand: Demand; atMs: number } | null
  /** Of machines that are in no list any more, what EC2 says. */
  gone: ReadonlyMap<string, DeadNodeView['instance']>
  orders: Orders
  /** All of them, of all regions. */
  policies: readonly PoolPolicy[]
}

/** Nodes by the machine that each one is. */
export function matchNodes(
  nodes: readonly SeenNode[],
  facts: ReadonlyMap<string, AwsInstance>,
): { byInstance: Map<string, SeenNode[]>; unmatched: SeenNode[] } {
  // Most clusters tell of each node which machine it is.
  const isTold = nodes.every(({ instanceId }) => instanceId !== null)
  const byAddress = isTold ? new Map<string, string>() : groupByAddress(facts)
  const byInstance = new Map<string, SeenNode[]>()
  const unmatched: SeenNode[] = []
  for (const node of nodes) {
    const id = node.instanceId ?? byAddress.get(node.address ?? '') ?? null
    if (id === null) {
      // Machines of other kinds are nobody's business here.
      if (node.isEc2 && node.status !== 'down') unmatched.push(node)
    } else {
      const known = byInstance.get(id)
      if (known === undefined) byInstance.set(id, [node])
      else known.push(node)
    }
  }
  return { byInstance, unmatched }
}

function groupByAddress(facts: ReadonlyMap<string, AwsInstance>): Map<string, string> {
  const byAddress = new Map<string, string>()
  for (const { instanceId, privateIp } of facts.values()) {
    if (privateIp !== null) byAddress.set(privateIp, instanceId)
  }
  return byAddress
}

/** The one that lives; of several the one that is ready. */
export function bestOf(nodes: readonly SeenNode[]): SeenNode | null {
  if (nodes.length < 2) return nodes[0] ?? null
  const rank = ({ status }: SeenNode) =>
    ['ready', 'initializing', 'disconnected', 'down'].indexOf(status)
  return nodes.toSorted((a, b) => rank(a) - rank(b))[0] ?? null
}

export function toPoolViews(sources: Sources, policies: readonly PoolPolicy[]): PoolView[] {
  const { aws, nomad } = sources
  const { byInstance, unmatched } = matchNodes(nomad?.nodes ?? [], aws.facts)
  const placed = groupByNode(sources.demand?.demand.placed ?? [])
  return policies.map((policy) => {
    const group = aws.groups.get(policy.group) ?? null
    const slow = aws.slow.get(policy.group)
    const ordered = sources.orders.sizes.get(policy.name)
    return {
      startedMs: sources.startedMs,
      group,
      hooks: slow?.hooks ?? null,
      isRefreshing: slow?.isRefreshing ?? null,
      newest: slow?.newest ?? null,
      units: membersOf(group, aws).map((member): UnitView => {
        const nodes = byInstance.get(member.instanceId) ?? []
        const node = bestOf(nodes)
        return {
          member,
          launchedMs: aws.facts.get(member.instanceId)?.launchedMs ?? null,
          node,
          live: liveOn(nodes, nomad),
          placed: node === null ? [] : (placed.get(node.id) ?? []),
        }
      }),
      isNomadKnown: nomad !== null,
      demand: toDemand(sources, policy),
      activities: aws.activities.get(policy.group) ?? [],
      strays: group === null ? [] : toStrays(sources, group, byInstance),
      deadNodes: group === null ? [] : toDeadNodes(sources, group, byInstance),
      unmatched: unmatched.length,
      pins: sources.orders.pins,
      orderedSize: ordered?.size ?? null,
    }
  })
}

/** Those in its warm pool were read before the group was: some may have come into service since. */
function membersOf(group: AwsGroup | null, { warm }: AwsSide): AwsMember[] {
  if (group === null) return []
  if (warm.length === 0) return group.instances
  const listed = new Set(group.instances.map(({ instanceId }) => instanceId))
  const beside = warm.filter(
    (each) => each.group === group.name && !listed.has(each.instanceId) && group.hasWarmPool,
  )
  return [...group.instances, ...beside]
}

/** On all nodes that are this machine: one of them may be left from before. */
function liveOn(nodes: readonly SeenNode[], nomad: NomadSide | null): UnitView['live'] {
  const [node] = nodes
  if (node === undefined || nomad === null) return []
  if (nodes.length === 1) return nomad.live.get(node.id) ?? []
  return nodes.flatMap(({ id }) => nomad.live.get(id) ?? [])
}

function groupByNode(placed: readonly PlacedSlice[]): Map<string, UnitView['placed']> {
  const byNode = new Map<string, UnitView['placed']>()
  for (const slice of placed) {
    const list = byNode.get(slice.nodeId)
    if (list === undefined) byNode.set(slice.nodeId, [slice])
    else list.push(slice)
  }
  return byNode
}

/** A class that names no pool belongs to the only one there is. */
function toDemand({ demand, policies }: Sources, policy: PoolPolicy): PoolView['demand'] {
  if (demand === null) return null
  const classes = demand.demand.classes.filter(
    ({ pool }) => pool === policy.name || (pool === null && policies.length === 1),
  )
  return { classes, atMs: demand.atMs }
}

function toStrays(
  { aws, nomad }: Sources,
  group: AwsGroup,
  byInstance: ReadonlyMap<string, SeenNode[]>,
): StrayView[] {
  if (aws.swept === null || aws.swept.length === 0) return []
  const members = new Set(group.instances.map(({ instanceId }) => instanceId))
  const strays = aws.swept.filter(
    ({ instanceId, group: own }) => own === group.name && !members.has(instanceId),
  )
  return strays.map((instance) => {
    const nodes = byInstance.get(instance.instanceId) ?? []
    return { instance, node: bestOf(nodes), live: liveOn(nodes, nomad) }
  })
}

/** Nodes that are down: of machines that are gone, and older ones of machines that came again. */
function toDeadNodes(
  { gone, nomad }: Sources,
  group: AwsGroup,
  byInstance: ReadonlyMap<string, SeenNode[]>,
): DeadNodeView[] {
  const down = [...byInstance].filter(([, nodes]) => nodes.some(({ status }) => status === 'down'))
  if (down.length === 0) return []
  const members = new Set(group.instances.map(({ instanceId }) => instanceId))
  return down.flatMap(([instanceId, nodes]) =>
    nodes
      .filter((node) => node.status === 'down' && (nomad?.live.get(node.id) ?? []).length === 0)
      .flatMap((node): DeadNodeView[] => {
        if (members.has(instanceId)) {
          const isReplaced = nodes.some((other) => other.status === 'ready')
          return isReplaced ? [{ id: node.id, instanceId, instance: 'replaced' }] : []
        }
        const state = gone.get(`${group.name} ${instanceId}`)
        return state === undefined ? [] : [{ id: node.id, instanceId, instance: state }]
      }),
  )
}
