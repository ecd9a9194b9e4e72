/** Calls about allocations. */
import type { Allocation } from '../../objects/allocation.ts'
import { toAllocationStub, toAllocationView } from '../../objects/views.ts'
import { stopAllocation } from '../../operations/allocations.ts'
import type { Core } from '../../operations/jobs.ts'
import { checkUuid, checkUuidPrefix, Refusal } from '../../operations/refusal.ts'
import { ALL_NAMESPACES, namespaceOf, readFlag, written } from '../call.ts'
import type { Call, Reply, Routes } from '../call.ts'
import { byIndex, toPage } from '../page.ts'
import { read } from '../read.ts'
import type { ReadDeps } from '../read.ts'

type Deps = Core & ReadDeps

const ORDER = byIndex<Allocation>((row) => [row.CreateIndex, row.ID])

export function allocationRoutes(deps: Deps): Routes {
  return {
    '/v1/allocations': { GET: (call) => list(deps, call) },
    '/v1/allocation/:id': { GET: (call) => readOne(deps, call) },
    '/v1/allocation/:id/stop': { PUT: (call) => stop(deps, call) },
  }
}

function list(deps: Deps, call: Call): Promise<Reply> {
  const { allocation } = deps.state.tables
  const namespace = namespaceOf(call)
  const prefix = call.query.get('prefix') ?? ''
  checkUuidPrefix(prefix, 'alloc')
  const options = {
    resources: readFlag(call, 'resources'),
    taskStates: readFlag(call, 'task_states', true),
  }
  let headers: Record<string, string> = {}
  return read(deps, call, {
    tables: ['allocation'],
    index: () => allocation.lastIndex,
    headers: () => headers,
    value() {
      const rows = [...allocation.rows.values()].filter(
        (row) =>
          (namespace === ALL_NAMESPACES || row.Namespace === namespace) &&
          row.ID.startsWith(prefix),
      )
      const page = toPage(call, rows, ORDER)
      headers = page.headers
      return page.rows.map((row) => toAllocationStub(row, options))
    },
  })
}

function readOne(deps: Deps, call: Call): Promise<Reply> {
  const { allocation } = deps.state.tables
  const id = call.params['id'] ?? ''
  checkUuid(id, 'alloc lookup failed: ')
  const index = () => allocation.get(id)?.ModifyIndex ?? allocation.lastIndex
  return read(deps, call, {
    tables: ['allocation'],
    index,
    value() {
      const row = allocation.get(id)
      if (row === undefined) throw new Refusal(404, 'alloc not found', index())
      return toAllocationView(row)
    },
  })
}

function stop(deps: Deps, call: Call): Reply {
  const id = call.params['id'] ?? ''
  checkUuid(id, 'alloc lookup failed: ')
  const { evaluationId, index } = stopAllocation(deps, id, {
    reschedule: readFlag(call, 'reschedule'),
    noShutdownDelay: readFlag(call, 'no_shutdown_delay'),
  })
  return written(call, index, { EvalID: evaluationId, Index: index })
}
