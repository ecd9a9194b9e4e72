/**
 * Reads for gauges: any server may answer, of any version since 0.5, at once or not at all.
 *
 * Nothing is repeated here: whoever polls comes again in a few seconds. An answer of a server that has
 * lost its cluster is none.
 */
import { CaravanError } from '../model/index.ts'
import { collectGarbage } from '../platform/index.ts'
import { checkAgentSelf, checkReadings } from './check.ts'
import { problemOf } from './failure.ts'
import { nodePath } from './nodes.ts'
import { filterOf, readPages } from './paging.ts'
import type { ListOptions } from './ports.ts'
import { type Call, type NomadClientOptions, Transport } from './transport.ts'
import type { AgentSelf } from './wire.ts'
import type { AllocationReading, JobReading, NodeReading, TokenReading } from './wire-readings.ts'

export interface NomadReadings {
  /** Of the agent that is asked. */
  agentSelf(signal: AbortSignal): Promise<AgentSelf>
  /** @param namespace `*` for all, which servers know from 0.12 on; null for the default one. */
  jobs(namespace: string | null, take: Take<JobReading>, signal: AbortSignal): Promise<void>
  /** Null for a node that Nomad does not know, or not any more. */
  node(id: string, signal: AbortSignal): Promise<NodeReading | null>
  /** Without their resources, which would be most of the answer. */
  nodes(take: Take<NodeReading>, signal: AbortSignal): Promise<void>
  /**
   * Those of a node that may still use something.
   * @param filtered whether the server knows filters, from 1.3 on; the answer is far larger without.
   */
  allocationsOn(
    node: string,
    filtered: boolean,
    take: Take<AllocationReading>,
    signal: AbortSignal,
  ): Promise<void>
  /** What our own token is; null without access control. */
  ownToken(signal: AbortSignal): Promise<TokenReading | null>
  /** The rules of a policy that our own token has. */
  policyRules(name: string, signal: AbortSignal): Promise<string>
  close(): Promise<void>
}

/** Is given a list page by page. Whoever keeps nothing of a page stays small, however long the list is. */
type Take<Item> = (page: readonly Item[]) => void

/** Fewer round trips than for the scheduler's lists, and still no page that is felt in memory. */
const PER_PAGE = 1000
/** A poll that waits longer is late anyway. */
const TIMEOUT_MS = 3_000

/** Reads come one after the other: one connection, out of the hundred that a server allows an address. */
export function createNomadReadings(options: NomadClientOptions): NomadReadings {
  const transport = new Transport({
    timeoutMs: TIMEOUT_MS,
    triesMax: 1,
    connectionsMax: 1,
    ...options,
  })
  return {
    agentSelf(signal) {
      const path = '/v1/agent/self'
      return transport.read({ purpose: 'read the agent', path, check: checkAgentSelf, signal })
    },
    jobs(namespace, take, signal) {
      const call = { purpose: 'list jobs', path: '/v1/jobs', signal }
      const of = namespace === null ? {} : { namespace }
      return takeItems<JobReading>(transport, { ...call, ...of }, { required: ['Status'], take })
    },
    node: (id, signal) => readNode(transport, id, signal),
    nodes(take, signal) {
      const call = { purpose: 'list nodes', path: '/v1/nodes', signal }
      return takeItems<NodeReading>(transport, call, { required: ['ID', 'Status'], take })
    },
    allocationsOn(node, filtered, take, signal) {
      const call = { purpose: `read the allocations of node ${node}`, signal }
      const place = filtered ? filteredAllocations(node) : { path: `${nodePath(node)}/allocations` }
      const required = ['ID', 'ClientStatus']
      return takeItems<AllocationReading>(transport, { ...call, ...place }, { required, take })
    },
    async ownToken(signal) {
      const path = '/v1/acl/token/self'
      const call = { purpose: 'read our own token', path, check: checkToken, signal }
      try {
        return await transport.read(call)
      } catch (error) {
        if (/ACL support disabled/i.test(String(error))) return null
        throw error
      }
    },
    async policyRules(name, signal) {
      const path = `/v1/acl/policy/${encodeURIComponent(name)}`
      const call = { purpose: `read policy ${name}`, path, check: checkPolicy, signal }
      return (await transport.read(call)).Rules
    },
    close: () => transport.close(),
  }
}

async function readNode(
  transport: Transport,
  id: string,
  signal: AbortSignal,
): Promise<NodeReading | null> {
  const check = (value: unknown) => checkReadings<NodeReading>(['ID', 'Status'])([value])
  const call = { purpose: `read node ${id}`, path: nodePath(id), check, signal }
  try {
    const [node] = await transport.read({ ...call, query: { stale: true } })
    return node ?? null
  } catch (error) {
    if (problemOf(error) === 'not_found') return null
    throw error
  }
}

/** Where the server looks for those of a node that may still use something. */
function filteredAllocations(
  node: string,
): Pick<Call<unknown>, 'path' | 'query' | 'namespace'> & Pick<ListOptions, 'filter'> {
  const over = ['complete', 'failed', 'lost'].map((status) => `ClientStatus != \`${status}\``)
  const filter = [filterOf({ NodeID: node }), ...over].join(' and ')
  const query = { resources: true, task_states: false }
  return { path: '/v1/allocations', query, filter, namespace: '*' }
}

async function takeItems<Item>(
  transport: Transport,
  call: Omit<Call<Item[]>, 'check'> & Pick<ListOptions, 'filter'>,
  { required, take }: { required: readonly string[]; take: Take<Item> },
): Promise<void> {
  const { signal, namespace, filter, ...rest } = call
  const check = checkReadings<Item>(required)
  const read: Omit<Call<Item[]>, 'signal' | 'namespace'> = {
    ...rest,
    query: { ...call.query, stale: true },
    // Taken where it is parsed: nobody holds on to a page while the next one comes.
    check(value) {
      take(check(value))
      return []
    },
  }
  const options = {
    perPage: PER_PAGE,
    ...(signal === undefined ? {} : { signal }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(filter === undefined ? {} : { filter }),
  }
  let pages = 0
  for await (const _ of readPages(transport, read, options)) {
    pages += 1
    if (pages > 1) collectGarbage()
  }
}

function checkToken(value: unknown): TokenReading {
  return checkReadings<TokenReading>([])([value])[0] ?? {}
}

function checkPolicy(value: unknown): { Rules: string } {
  const [policy] = checkReadings<{ Rules: string }>(['Rules'])([value])
  if (policy === undefined) throw new CaravanError('NOMAD_REJECTED', 'the policy is empty')
  return policy
}
