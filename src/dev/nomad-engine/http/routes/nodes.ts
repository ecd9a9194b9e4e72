/** Calls about nodes and node pools. */
import { z } from 'zod'
import type { Node } from '../../objects/node.ts'
import { toAllocationView, toNodeStub, toNodeView } from '../../objects/views.ts'
import type { Core } from '../../operations/jobs.ts'
import { drainNode, purgeNode, setEligibility } from '../../operations/nodes.ts'
import type { NodeOutcome } from '../../operations/nodes.ts'
import { checkUuid, checkUuidPrefix, Refusal } from '../../operations/refusal.ts'
import type { NodePool } from '../../state/rows.ts'
import { readBody, readFlag, written } from '../call.ts'
import type { Call, Reply, Routes } from '../call.ts'
import { byKey, toPage } from '../page.ts'
import { read } from '../read.ts'
import type { ReadDeps } from '../read.ts'

type Deps = Core & ReadDeps

const drainBody = z.object({
  DrainSpec: z
    .object({
      Deadline: z.number().nullish(),
      IgnoreSystemJobs: z.boolean().nullish(),
    })
    .nullish(),
  MarkEligible: z.boolean().nullish(),
  Meta: z.record(z.string(), z.string()).nullish(),
})

const eligibilityBody = z.object({ Eligibility: z.string().nullish() })

export function nodeRoutes(deps: Deps): Routes {
  return {
    '/v1/nodes': { GET: (call) => list(deps, call) },
    '/v1/node/:id': { GET: (call) => readOne(deps, call) },
    '/v1/node/:id/allocations': { GET: (call) => listAllocations(deps, call) },
    '/v1/node/:id/drain': { PUT: (call) => drain(deps, call) },
    '/v1/node/:id/eligibility': { PUT: (call) => changeEligibility(deps, call) },
    '/v1/node/:id/purge': { PUT: (call) => purge(deps, call) },
    '/v1/node/pools': { GET: (call) => listPools(deps, call) },
    '/v1/node/pool/:pool': { GET: (call) => readPool(deps, call) },
    '/v1/node/pool/:pool/nodes': { GET: (call) => list(deps, call) },
  }
}

function list(deps: Deps, call: Call): Promise<Reply> {
  const { node } = deps.state.tables
  const pool = call.params['pool'] ?? 'all'
  const prefix = call.query.get('prefix') ?? ''
  checkUuidPrefix(prefix, 'node')
  const options = { resources: readFlag(call, 'resources'), os: readFlag(call, 'os') }
  let headers: Record<string, string> = {}
  return read(deps, call, {
    tables: ['node'],
    index: () => node.lastIndex,
    headers: () => headers,
    value() {
      const rows = [...node.startingWith(prefix)].filter(
        (row) => pool === 'all' || row.NodePool === pool,
      )
      const page = toPage(
        call,
        rows,
        byKey((row: Node) => row.ID),
      )
      headers = page.headers
      return page.rows.map((row) => toNodeStub(row, options))
    },
  })
}

function readOne(deps: Deps, call: Call): Promise<Reply> {
  const { node } = deps.state.tables
  const id = idOf(call)
  const index = () => node.get(id)?.ModifyIndex ?? node.lastIndex
  return read(deps, call, {
    tables: ['node'],
    index,
    value() {
      const row = node.get(id)
      if (row === undefined) throw new Refusal(404, 'node not found', index())
      return toNodeView(row)
    },
  })
}

/** Whole allocations: a drain is watched by their jobs' types. */
function listAllocations(deps: Deps, call: Call): Promise<Reply> {
  const { tables, indexes } = deps.state
  const id = idOf(call)
  return read(deps, call, {
    tables: ['allocation'],
    index: () => tables.allocation.lastIndex,
    value: () =>
      [...indexes.ofNode(id).allocations]
        .flatMap((each) => tables.allocation.get(each) ?? [])
        .map(toAllocationView),
  })
}

function drain(deps: Deps, call: Call): Reply {
  const id = idOf(call)
  const { DrainSpec, MarkEligible, Meta } = readBody(call, drainBody)
  const specification = DrainSpec
    ? { Deadline: DrainSpec.Deadline ?? 0, IgnoreSystemJobs: DrainSpec.IgnoreSystemJobs ?? false }
    : null
  const request = { specification, markEligible: MarkEligible ?? false, meta: Meta ?? null }
  return toReply(deps, call, drainNode(deps, id, request))
}

function changeEligibility(deps: Deps, call: Call): Reply {
  const id = idOf(call)
  const { Eligibility } = readBody(call, eligibilityBody)
  return toReply(deps, call, setEligibility(deps, id, Eligibility ?? ''))
}

function purge(deps: Deps, call: Call): Reply {
  return toReply(deps, call, purgeNode(deps, idOf(call)))
}

function toReply({ state }: Deps, call: Call, outcome: NodeOutcome): Reply {
  const { index, nodeModifyIndex, evaluationIds } = outcome
  const first = evaluationIds[0]
  return written(call, index, {
    NodeModifyIndex: nodeModifyIndex,
    EvalIDs: evaluationIds.length > 0 ? evaluationIds : null,
    EvalCreateIndex: first ? (state.tables.evaluation.get(first)?.CreateIndex ?? 0) : 0,
    Index: index,
  })
}

function listPools(deps: Deps, call: Call): Promise<Reply> {
  const { pool } = deps.state.tables
  const prefix = call.query.get('prefix') ?? ''
  return read(deps, call, {
    tables: ['pool'],
    index: () => pool.lastIndex,
    value: () => [...pool.startingWith(prefix)].map(toPoolView),
  })
}

function readPool(deps: Deps, call: Call): Promise<Reply> {
  const { pool } = deps.state.tables
  const name = call.params['pool'] ?? ''
  const index = () => pool.get(name)?.ModifyIndex ?? pool.lastIndex
  return read(deps, call, {
    tables: ['pool'],
    index,
    value() {
      const row = pool.get(name)
      if (row === undefined) throw new Refusal(404, 'node pool not found', index())
      return toPoolView(row)
    },
  })
}

function toPoolView(pool: NodePool) {
  return { ...pool, Meta: null, SchedulerConfiguration: null, NodeIdentityTTL: 0, Hash: null }
}

function idOf(call: Call): string {
  const id = call.params['id'] ?? ''
  checkUuid(id, 'node lookup failed: ')
  return id
}
