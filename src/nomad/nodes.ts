/** Calls about nodes. */
import { checkAllocations, checkNode, checkNodeReceipt, checkNodes } from './check.ts'
import { readPages } from './paging.ts'
import type { Drain, NodeReceipt, NomadClient } from './ports.ts'
import type { Reply, Transport } from './transport.ts'
import type { DrainStrategy } from './wire.ts'

type NodeCalls = Pick<
  NomadClient,
  'listNodes' | 'readNode' | 'nodeAllocations' | 'drainNode' | 'setEligibility' | 'purgeNode'
>

export function createNodeCalls(transport: Transport): NodeCalls {
  return {
    listNodes(options = {}) {
      const query = { resources: true }
      const call = { purpose: 'list nodes', path: '/v1/nodes', query, check: checkNodes }
      return readPages(transport, call, options)
    },
    async readNode(id, options) {
      const call = { ...options, purpose: `read node ${id}`, path: nodePath(id), check: checkNode }
      return transport.find(call)
    },
    async nodeAllocations(id, options) {
      const purpose = `read the allocations of node ${id}`
      const call = {
        ...options,
        purpose,
        path: `${nodePath(id)}/allocations`,
        check: checkAllocations,
      }
      return transport.read(call)
    },
    async drainNode(id, drain, { markEligible = false, meta, ...options } = {}) {
      const reply = await transport.write({
        ...options,
        purpose: `${drain === null ? 'end the drain of' : 'drain'} node ${id}`,
        method: 'PUT',
        path: `${nodePath(id)}/drain`,
        json: {
          NodeID: id,
          DrainSpec: drain && toDrainSpec(drain),
          MarkEligible: markEligible,
          Meta: meta,
        },
        check: checkNodeReceipt,
      })
      return toReceipt(reply)
    },
    async setEligibility(id, eligibility, options) {
      const reply = await transport.write({
        ...options,
        purpose: `make node ${id} ${eligibility}`,
        method: 'PUT',
        path: `${nodePath(id)}/eligibility`,
        json: { NodeID: id, Eligibility: eligibility },
        check: checkNodeReceipt,
      })
      return toReceipt(reply)
    },
    async purgeNode(id, options) {
      const reply = await transport.write({
        ...options,
        purpose: `purge node ${id}`,
        method: 'PUT',
        path: `${nodePath(id)}/purge`,
        check: checkNodeReceipt,
      })
      return toReceipt(reply)
    },
  }
}

function toDrainSpec({ deadlineMs, ignoreSystemJobs = false }: Drain): DrainStrategy {
  // To Nomad 0 is "no deadline" and less "stop everything now"; a deadline of ours is neither.
  const deadline = deadlineMs === null ? 0 : Math.round(Math.max(deadlineMs, 1) * 1e6)
  return { Deadline: deadline, IgnoreSystemJobs: ignoreSystemJobs }
}

function toReceipt(
  reply: Reply<{ EvalIDs?: string[] | null; NodeModifyIndex: number }>,
): NodeReceipt {
  const { EvalIDs, NodeModifyIndex: nodeModifyIndex } = reply.value
  return { evalIds: EvalIDs ?? [], nodeModifyIndex, index: reply.index }
}

export function nodePath(id: string): string {
  return `/v1/node/${encodeURIComponent(id)}`
}
