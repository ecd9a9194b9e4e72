/** Calls about evaluations. */
import { toAllocationStub, toEvaluationStub, toEvaluationView } from '../../objects/views.ts'
import type { Evaluation } from '../../objects/evaluation.ts'
import type { Core } from '../../operations/jobs.ts'
import { checkUuid, checkUuidPrefix, Refusal } from '../../operations/refusal.ts'
import { jobKeyOf } from '../../state/rows.ts'
import { ALL_NAMESPACES, namespaceOf, readFlag } from '../call.ts'
import type { Call, Reply, Routes } from '../call.ts'
import { byIndex, toPage } from '../page.ts'
import { read } from '../read.ts'
import type { ReadDeps } from '../read.ts'

type Deps = Core & ReadDeps

const ORDER = byIndex<Evaluation>((row) => [row.CreateIndex, row.ID])

export function evaluationRoutes(deps: Deps): Routes {
  return {
    '/v1/evaluations': { GET: (call) => list(deps, call) },
    '/v1/evaluations/count': { GET: (call) => count(deps, call) },
    '/v1/evaluation/:id': { GET: (call) => readOne(deps, call) },
    '/v1/evaluation/:id/allocations': { GET: (call) => listAllocations(deps, call) },
  }
}

function list(deps: Deps, call: Call): Promise<Reply> {
  const { evaluation } = deps.state.tables
  const select = selector(call)
  let headers: Record<string, string> = {}
  return read(deps, call, {
    tables: ['evaluation'],
    index: () => evaluation.lastIndex,
    headers: () => headers,
    value() {
      const page = toPage(call, [...evaluation.rows.values()].filter(select), ORDER)
      headers = page.headers
      return page.rows.map(toEvaluationView)
    },
  })
}

function count(deps: Deps, call: Call): Promise<Reply> {
  const { evaluation } = deps.state.tables
  const select = selector(call)
  return read(deps, call, {
    tables: ['evaluation'],
    index: () => evaluation.lastIndex,
    value() {
      const { rows } = toPage(call, [...evaluation.rows.values()].filter(select), ORDER)
      const meta = { LastContact: 0, KnownLeader: true, NextToken: '' }
      return { Count: rows.length, Index: evaluation.lastIndex, ...meta }
    },
  })
}

/** Either the old parameters or a filter. @throws Refusal 400 for both. */
function selector(call: Call): (row: Evaluation) => boolean {
  const namespace = namespaceOf(call)
  const prefix = call.query.get('prefix') ?? ''
  const [status, job] = [call.query.get('status'), call.query.get('job')]
  if (call.query.get('filter') && (status || job)) {
    throw new Refusal(400, 'Filter expression cannot be used with other filter parameters')
  }
  checkUuidPrefix(prefix, 'eval')
  return (row) =>
    (namespace === ALL_NAMESPACES || row.Namespace === namespace) &&
    row.ID.startsWith(prefix) &&
    (!status || row.Status === status) &&
    (!job || row.JobID === job)
}

function readOne(deps: Deps, call: Call): Promise<Reply> {
  const { evaluation } = deps.state.tables
  const id = call.params['id'] ?? ''
  checkUuid(id, 'failed to lookup eval: eval lookup failed: ')
  const index = () => evaluation.get(id)?.ModifyIndex ?? evaluation.lastIndex
  return read(deps, call, {
    tables: ['evaluation'],
    index,
    value() {
      const row = evaluation.get(id)
      if (row === undefined) throw new Refusal(404, 'eval not found', index())
      if (!readFlag(call, 'related')) return toEvaluationView(row)
      const RelatedEvals = findRelated(deps, row).map(toEvaluationStub)
      return { ...toEvaluationView(row), ...(RelatedEvals.length > 0 ? { RelatedEvals } : {}) }
    },
  })
}

/** What led to it and what it led to, through any number of steps. */
function findRelated({ state }: Deps, start: Evaluation): Evaluation[] {
  const found = new Map([[start.ID, start]])
  const all = [...state.indexes.ofJob(jobKeyOf(start)).evaluations].flatMap(
    (id) => state.tables.evaluation.get(id) ?? [],
  )
  const links = (row: Evaluation) => [row.PreviousEval, row.NextEval, row.BlockedEval]
  for (const row of found.values()) {
    for (const other of all) {
      const isLinked = links(row).includes(other.ID) || links(other).includes(row.ID)
      if (isLinked) found.set(other.ID, other)
    }
  }
  found.delete(start.ID)
  return [...found.values()]
}

function listAllocations(deps: Deps, call: Call): Promise<Reply> {
  const { tables, indexes } = deps.state
  const id = call.params['id'] ?? ''
  checkUuid(id, '')
  return read(deps, call, {
    tables: ['allocation'],
    index: () => tables.allocation.lastIndex,
    value() {
      const evaluation = tables.evaluation.get(id)
      if (evaluation === undefined) return []
      return [...indexes.ofJob(jobKeyOf(evaluation)).allocations]
        .flatMap((each) => tables.allocation.get(each) ?? [])
        .filter((row) => row.EvalID === id)
        .map((row) => toAllocationStub(row))
    },
  })
}
