/** Calls about allocations and evaluations. */
import { checkAllocation, checkAllocations, checkEvaluation, checkText } from './check.ts'
import { problemOf } from './failure.ts'
import { readPages } from './paging.ts'
import type { NomadClient } from './ports.ts'
import type { Transport } from './transport.ts'

type AllocationCalls = Pick<
  NomadClient,
  'readAllocation' | 'listAllocations' | 'readEvaluation' | 'tailTaskLog'
>

export function createAllocationCalls(transport: Transport): AllocationCalls {
  return {
    async readAllocation(id, options) {
      const purpose = `read allocation ${id}`
      const path = `/v1/allocation/${encodeURIComponent(id)}`
      const call = { ...options, purpose, path, check: checkAllocation }
      return transport.find(call)
    },
    listAllocations(options = {}) {
      const call = { purpose: 'list allocations', path: '/v1/allocations', check: checkAllocations }
      return readPages(transport, call, options)
    },
    async readEvaluation(id, options) {
      const purpose = `read evaluation ${id}`
      const call = { ...options, purpose, path: evaluationPath(id), check: checkEvaluation }
      return transport.find(call)
    },
    async tailTaskLog(allocationId, { task, type, bytesMax, ...options }) {
      try {
        return await transport.read({
          ...options,
          purpose: `read ${type} of allocation ${allocationId}`,
          path: `/v1/client/fs/logs/${encodeURIComponent(allocationId)}`,
          query: { task, type, plain: true, origin: 'end', offset: bytesMax },
          plain: true,
          check: checkText,
        })
      } catch (error) {
        // Nomad tells it in many words: unknown allocation, task not started, no path to the node.
        const problem = problemOf(error)
        if (problem === 'not_found' || problem === 'no_such_path') return null
        throw error
      }
    },
  }
}

export function evaluationPath(id: string): string {
  return `/v1/evaluation/${encodeURIComponent(id)}`
}
