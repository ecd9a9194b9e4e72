/** Calls that operators make: scheduler configuration, garbage collection, search, metrics. */
import { z } from 'zod'
import type { Core } from '../../operations/jobs.ts'
import { findGarbage, GC_FORCED } from '../../operations/garbage.ts'
import { Refusal } from '../../operations/refusal.ts'
import { SETTING_KEY } from '../../state/rows.ts'
import type { SchedulerConfiguration } from '../../state/rows.ts'
import { json, namespaceOf, nothing, plain, readBody, readInteger, written } from '../call.ts'
import type { Call, Reply, Routes } from '../call.ts'
import { read } from '../read.ts'
import type { ReadDeps } from '../read.ts'
import { collectGarbage } from '../../garbage-collector.ts'
import { toMetrics } from '../../metrics.ts'
import type { MetricsDeps } from '../../metrics.ts'

export type OperatorDeps = Core & ReadDeps & MetricsDeps

const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false)

const configurationBody = z.object({
  SchedulerAlgorithm: z.string().nullish(),
  PreemptionConfig: z
    .object({
      SystemSchedulerEnabled: flag,
      SysBatchSchedulerEnabled: flag,
      BatchSchedulerEnabled: flag,
      ServiceSchedulerEnabled: flag,
    })
    .nullish(),
  MemoryOversubscriptionEnabled: flag,
  RejectJobRegistration: flag,
  PauseEvalBroker: flag,
  NodeLimitForFeasibilityChecks: z.number().int().nullish(),
})

const searchBody = z.object({ Prefix: z.string().nullish(), Context: z.string().nullish() })

/** Nomad answers a search with this many ids of a kind. */
const MATCHES_MAX = 20

const CONTEXTS = [
  'allocs',
  'jobs',
  'nodes',
  'node_pools',
  'evals',
  'deployment',
  'plugins',
  'volumes',
  'scaling_policy',
  'vars',
  'namespaces',
  'host_volumes',
]

export function operatorRoutes(deps: OperatorDeps): Routes {
  return {
    '/v1/operator/scheduler/configuration': {
      GET: (call) => readConfiguration(deps, call),
      PUT: (call) => writeConfiguration(deps, call),
    },
    '/v1/system/gc': { PUT: () => forceGarbage(deps), putOnly: true },
    '/v1/system/reconcile/summaries': { PUT: () => nothing(200), putOnly: true },
    '/v1/search': { PUT: (call) => search(deps, call) },
    '/v1/metrics': { GET: (call) => readMetrics(deps, call) },
  }
}

function readConfiguration(deps: OperatorDeps, call: Call): Promise<Reply> {
  const { setting } = deps.state.tables
  return read(deps, call, {
    tables: ['setting'],
    index: () => setting.lastIndex,
    value: () => ({
      SchedulerConfig: setting.get(SETTING_KEY),
      Index: setting.lastIndex,
      LastContact: 0,
      KnownLeader: true,
      NextToken: '',
    }),
  })
}

/** What the body leaves out falls back to its empty value, as in Nomad. @throws Refusal 400 */
function writeConfiguration(deps: OperatorDeps, call: Call): Reply {
  const { state } = deps
  const body = readBody(call, configurationBody)
  const algorithm = body.SchedulerAlgorithm || 'binpack'
  if (algorithm !== 'binpack' && algorithm !== 'spread') {
    throw new Refusal(400, `invalid scheduler algorithm: ${algorithm}`)
  }
  const known = state.tables.setting.get(SETTING_KEY)
  const cas = readInteger(call, 'cas', -1, 'Error parsing cas value')
  if (cas >= 0 && cas !== known?.ModifyIndex) {
    return written(call, state.index, { Updated: false, Index: state.index })
  }
  const put: SchedulerConfiguration = {
    SchedulerAlgorithm: algorithm,
    PreemptionConfig: body.PreemptionConfig ?? {
      SystemSchedulerEnabled: false,
      SysBatchSchedulerEnabled: false,
      BatchSchedulerEnabled: false,
      ServiceSchedulerEnabled: false,
    },
    MemoryOversubscriptionEnabled: body.MemoryOversubscriptionEnabled,
    RejectJobRegistration: body.RejectJobRegistration,
    PauseEvalBroker: body.PauseEvalBroker,
    NodeLimitForFeasibilityChecks: body.NodeLimitForFeasibilityChecks ?? 0,
    CreateIndex: known?.CreateIndex ?? 0,
    ModifyIndex: 0,
  }
  const index = state.commit('Internal', [{ table: 'setting', key: SETTING_KEY, put }])
  return written(call, index, { Updated: true, Index: index })
}

function forceGarbage({ state, clock }: OperatorDeps): Reply {
  collectGarbage(state, findGarbage(state, GC_FORCED, clock.now()))
  return nothing(200)
}

function search(deps: OperatorDeps, call: Call): Promise<Reply> {
  const { tables } = deps.state
  const { Prefix, Context } = readBody(call, searchBody)
  const prefix = Prefix ?? ''
  const context = Context || 'all'
  if (context !== 'all' && !CONTEXTS.includes(context)) {
    const known = `[${CONTEXTS.join(' ')}]`
    const why = `context must be one of ${known} or 'all' for all contexts; got "${context}"`
    throw new Refusal(500, why)
  }
  const namespace = namespaceOf(call)
  const sources: Record<string, () => Iterable<string>> = {
    jobs: () => map(tables.job.startingWith(`${namespace}\0${prefix}`), (row) => row.ID),
    evals: () => map(tables.evaluation.startingWith(prefix), (row) => row.ID),
    allocs: () => map(tables.allocation.startingWith(prefix), (row) => row.ID),
    nodes: () => map(tables.node.startingWith(prefix), (row) => row.ID),
    node_pools: () => map(tables.pool.startingWith(prefix), (row) => row.Name),
    namespaces: () => ['default'].filter((name) => name.startsWith(prefix)),
  }
  return read(deps, call, {
    tables: [],
    index: () => deps.state.index,
    value() {
      const contexts = context === 'all' ? CONTEXTS : [context]
      const found = contexts.map((each) => [each, take(sources[each]?.() ?? [])] as const)
      const meta = { LastContact: 0, KnownLeader: true, NextToken: '' }
      return {
        Matches: Object.fromEntries(found.map(([each, { ids }]) => [each, ids])),
        Truncations: Object.fromEntries(found.map(([each, { truncated }]) => [each, truncated])),
        Index: deps.state.index,
        ...meta,
      }
    },
  })
}

function* map<From, To>(rows: Iterable<From>, pick: (row: From) => To): Iterable<To> {
  for (const row of rows) yield pick(row)
}

function take(ids: Iterable<string>): { ids: string[] | null; truncated: boolean } {
  const taken: string[] = []
  for (const id of ids) {
    if (taken.length >= MATCHES_MAX) return { ids: taken, truncated: true }
    taken.push(id)
  }
  return { ids: taken.length > 0 ? taken : null, truncated: false }
}

function readMetrics(deps: OperatorDeps, call: Call): Reply {
  if (call.query.get('format') === 'prometheus') return plain(415, 'Prometheus is not enabled')
  return json(call, toMetrics(deps))
}
