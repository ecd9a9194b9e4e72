/**
 * What is asked of Nomad for one set of gauges. Everything is read before anything is told: a poll that
 * fails in the middle tells nothing but that.
 */
import { isCaravanError } from '../model/index.ts'
import {
  parseNomadVersion,
  type AgentSelf,
  type AllocationReading,
  type NodeReading,
  type NomadReadings,
  type NomadVersion,
} from '../nomad/index.ts'
import type { Tags } from './format.ts'
import type { Gauge } from './gauge.ts'
import { countJobs, noJobs, type JobCountOptions } from './job-states.ts'
import { toNodeTags, isDrained, toStatus, type NodeTagOptions } from './node-tags.ts'
import { DIMENSIONS, measureLeft, measureNode, measureUsage } from './resources.ts'

export interface PollContext {
  nomad: NomadReadings
  signal: AbortSignal
  /** Told of a word of Nomad's that is not known here. */
  onUnknown: (what: string) => void
}

export interface ServerPollOptions extends JobCountOptions {
  /** Null for all. */
  namespace: string | null
}

/** The whole cluster's jobs by their state. */
export async function pollServer(
  { nomad, signal, onUnknown }: PollContext,
  options: ServerPollOptions,
): Promise<Gauge[]> {
  const namespace = options.namespace ?? (await namespaceForAll(nomad, signal))
  const counts = noJobs()
  const onUnknownJob = (status: string) => onUnknown(`unknown status of a job: ${status}`)
  await nomad.jobs(namespace, (page) => countJobs(counts, page, options, onUnknownJob), signal)
  return [
    { name: 'circle.nomad.server_agent.jobs.pending', value: counts.pending, tags: {} },
    { name: 'circle.nomad.server_agent.jobs.running', value: counts.running, tags: {} },
    { name: 'circle.nomad.server_agent.jobs.complete', value: counts.complete, tags: {} },
    { name: 'circle.nomad.server_agent.jobs.dead', value: counts.dead, tags: {} },
  ]
}

export interface ClientPollOptions extends NodeTagOptions {
  iops: boolean
  overcommit: boolean
}

/** The id of the agent's node, kept from poll to poll. */
export interface KnownNode {
  id: string | null
  /** Whether its servers filter lists. */
  filters: boolean
}

/** One node's resources. @throws Error when the agent is no client, or Nomad does not know its node. */
export async function pollClient(
  context: PollContext,
  options: ClientPollOptions,
  known: KnownNode,
): Promise<Gauge[]> {
  const { nomad, signal, onUnknown } = context
  const wasKnown = known.id !== null
  let node = await nomad.node(known.id ?? (await learnNode(nomad, known, signal)), signal)
  if (node === null && wasKnown) {
    // The agent's data was wiped, and it has another node now.
    node = await nomad.node(await learnNode(nomad, known, signal), signal)
  }
  if (node === null) {
    const { id } = known
    known.id = null
    throw new Error(`Nomad does not know the node ${id} of this agent`)
  }
  const total = measureNode(node)
  const allocations: AllocationReading[] = []
  const keep = (page: readonly AllocationReading[]) => void allocations.push(...page)
  await nomad.allocationsOn(node.ID, known.filters, keep, signal)
  const tags = toNodeTags(node, options, (status) =>
    onUnknown(`unknown status of a node: ${status}`),
  )
  return toResourceGauges(measureLeft(total, measureUsage(allocations)), tags, options)
}

/** In the order of the dimensions; those that nobody asked for are left out. */
export function toResourceGauges(
  left: ReturnType<typeof measureLeft>,
  tags: Tags,
  { iops, overcommit }: Pick<ClientPollOptions, 'iops' | 'overcommit'>,
): Gauge[] {
  const kinds = [
    'total',
    'used',
    'available',
    ...(overcommit ? (['overcommit'] as const) : []),
  ] as const
  return DIMENSIONS.filter((dimension) => iops || dimension !== 'iops').flatMap((dimension) =>
    kinds
      // Overcommitted I/O operations were never counted by any Nomad.
      .filter((kind) => kind !== 'overcommit' || dimension !== 'iops')
      .map((kind): Gauge => {
        const name = `circle.nomad.client_agent.resources.${kind}.${dimension}` as Gauge['name']
        return { name, value: left[kind][dimension], tags }
      }),
  )
}

/** Nodes by what they are good for: a node that is down cannot tell of itself. */
export async function pollFleet({ nomad, signal, onUnknown }: PollContext): Promise<Gauge[]> {
  const groups = new Map<string, { tags: Tags; value: number }>()
  const count = (node: NodeReading) => {
    const status = toStatus(node.Status, true, (text) =>
      onUnknown(`unknown status of a node: ${text}`),
    )
    const tags = { drain: isDrained(node), status, node_class: node.NodeClass || 'none' }
    const key = Object.values(tags).join('/')
    const group = groups.get(key) ?? { tags, value: 0 }
    group.value += 1
    groups.set(key, group)
  }
  await nomad.nodes((page) => page.forEach(count), signal)
  return [...groups.values()].map((group) => ({ name: 'circle.fleet.nodes', ...group }))
}

/** A mistake in the command line rather than a fault that passes. */
export class WrongAgentError extends Error {}

/** Asks the agent which node it is. @throws WrongAgentError when it is none. */
export async function learnNode(
  nomad: NomadReadings,
  known: KnownNode,
  signal: AbortSignal,
): Promise<string> {
  const self = await nomad.agentSelf(signal)
  const id = self.stats?.['client']?.['node_id']
  if (id === undefined || id === '') {
    throw new WrongAgentError('the agent is no Nomad client: --client needs the address of one')
  }
  known.id = id
  known.filters = isAtLeast(versionOf(self), 1, 3)
  return id
}

/** Servers before 0.12 would look for a namespace with this name, and find nothing in it. */
async function namespaceForAll(nomad: NomadReadings, signal: AbortSignal): Promise<string | null> {
  const version = await nomad.agentSelf(signal).then(versionOf, (error: unknown) => {
    if (isCaravanError(error, 'NOMAD_FORBIDDEN')) return null
    throw error
  })
  return isAtLeast(version, 0, 12) ? '*' : null
}

/** An agent that does not tell its version is one that guards it, which no old one does. */
function isAtLeast(version: NomadVersion | null, major: number, minor: number): boolean {
  if (version === null) return true
  return version.major > major || (version.major === major && version.minor >= minor)
}

/** Before 0.8 it was a plain text. */
function versionOf({ config, member }: AgentSelf): NomadVersion | null {
  const told: unknown = config?.Version
  const text = typeof told === 'string' ? told : config?.Version?.Version
  return parseNomadVersion(text ?? member?.Tags?.['build'] ?? '')
}
