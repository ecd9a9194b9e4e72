/** The client of Nomad's HTTP API. */
import { createAgentCalls } from './agent.ts'
import { createAllocationCalls } from './allocations.ts'
import { streamEvents } from './event-stream.ts'
import { createJobCalls } from './jobs.ts'
import { createNodeCalls } from './nodes.ts'
import type { NomadClient } from './ports.ts'
import { type NomadClientOptions, Transport } from './transport.ts'
import { watch } from './watch.ts'

export type { NomadClientOptions }

/**
 * Opens no connection before the first call.
 *
 * @throws CaravanError INPUT_INVALID when the address is none.
 * @see Nomad HTTP API documentation
 */
export function createNomadClient(options: NomadClientOptions): NomadClient {
  const transport = new Transport(options)
  return {
    namespace: transport.namespace,
    ...createJobCalls(transport),
    ...createAllocationCalls(transport),
    ...createNodeCalls(transport),
    ...createAgentCalls(transport),
    watch: (what, id, signal) => watch(transport, { what, id }, signal),
    events: (subscription, signal) => streamEvents(transport, subscription, signal),
    close: () => transport.close(),
  }
}
