/** Finds the node that somebody means: the one of this machine, one by id, one by its instance. */
import { CaravanError } from '../../model/index.ts'
import type { NomadClient, NomadNode } from '../../nomad/index.ts'
import { instanceOf } from '../instance-of.ts'

export type NodeName =
  | { kind: 'self' }
  /** @param id whole, or as much of it as names one node. */
  | { kind: 'node'; id: string }
  | { kind: 'instance'; id: string }

export type NodeReads = Pick<NomadClient, 'agentSelf' | 'listNodes' | 'readNode'>

/** Reads at the same time: quick enough for a thousand nodes, and no burden to the servers. */
const READS_AT_ONCE = 8

/**
 * All nodes that the name means: after a machine was set up anew, Nomad knows it twice. Those that are
 * down are left out as long as another one is there.
 *
 * @throws CaravanError INPUT_INVALID when an id names several nodes; NOT_FOUND for a node that is not there,
 * and for an instance of which nobody can be sure that it has none.
 */
export async function findNodes(nomad: NodeReads, name: NodeName): Promise<NomadNode[]> {
  if (name.kind === 'self') return readAll(nomad, [await ownNodeId(nomad)])
  if (name.kind === 'node') return findById(nomad, name.id)
  const { found, untold } = await findByInstance(nomad, name.id)
  if (found.length === 0 && untold > 0) {
    // Whoever took this for an empty machine might end builds.
    const message = `no node says that it runs on ${name.id}, and ${untold} do not say where they run: name the node`
    throw new CaravanError('NOT_FOUND', message)
  }
  const living = found.filter(({ Status }) => Status !== 'down')
  return living.length > 0 ? living : found
}

/** @throws CaravanError INPUT_INVALID when the agent that answers is no client. */
export async function ownNodeId(nomad: Pick<NodeReads, 'agentSelf'>): Promise<string> {
  const { stats } = await nomad.agentSelf()
  const id = stats?.['client']?.['node_id']
  if (id !== undefined && id !== '') return id
  const message =
    'the Nomad agent that answers is no client: point NOMAD_ADDR at the one of this machine'
  throw new CaravanError('INPUT_INVALID', message)
}

async function findById(nomad: NodeReads, id: string): Promise<NomadNode[]> {
  const matches: string[] = []
  for await (const { items } of nomad.listNodes({ prefix: id })) {
    matches.push(...items.map(({ ID }) => ID))
  }
  if (matches.length > 1) {
    throw new CaravanError(
      'INPUT_INVALID',
      `${matches.length} nodes begin with ${id}: give more of it`,
    )
  }
  if (matches.length === 0) throw new CaravanError('NOT_FOUND', `there is no node ${id}`)
  return readAll(nomad, matches)
}

/** By name first, which lists tell; attributes cost a read for each node. */
async function findByInstance(
  nomad: NodeReads,
  instance: string,
): Promise<{ found: NomadNode[]; untold: number }> {
  const others: string[] = []
  const named: string[] = []
  for await (const { items } of nomad.listNodes()) {
    for (const { ID, Name } of items) (Name === instance ? named : others).push(ID)
  }
  const byName = await readAll(nomad, named)
  const byAttribute = await readAll(nomad, others)
  const all = [...byName, ...byAttribute]
  return {
    // A name is only a name: the attribute decides where there is one.
    found: all.filter((node) => instanceOf(node) === instance),
    untold: all.filter((node) => instanceOf(node) === null && node.Status !== 'down').length,
  }
}

async function readAll(nomad: NodeReads, ids: readonly string[]): Promise<NomadNode[]> {
  const found: NomadNode[] = []
  for (let at = 0; at < ids.length; at += READS_AT_ONCE) {
    const some = ids.slice(at, at + READS_AT_ONCE)
    const nodes = await Promise.all(some.map((id) => nomad.readNode(id)))
    found.push(...nodes.filter((node) => node !== null))
  }
  return found
}
