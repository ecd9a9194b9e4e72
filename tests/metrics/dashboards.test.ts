/** What is under `dashboards/`: every metric and tag that it names is in the table. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { parse } from 'yaml'
import { toFiles } from '../../scripts/dashboards/files.ts'
import { METRICS, toPrometheusName, type MetricName } from '../../src/metrics/names.ts'
import { readDatadog, readPromQl, type Named } from './support/queries.ts'

const root = fileURLToPath(new URL('../../dashboards', import.meta.url))
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const names = Object.keys(METRICS) as MetricName[]

/** What Nomad's agents send by themselves, in both spellings. */
const NOMAD_OWN = [
  'nomad.nomad.blocked_evals.total_blocked',
  'nomad.nomad.broker.total_unacked',
  'nomad.nomad.plan.queue_depth',
  'nomad.raft.leader.lastContact.95percentile',
  'nomad_nomad_blocked_evals_total_blocked',
  'nomad_nomad_broker_total_unacked',
  'nomad_nomad_plan_queue_depth',
  'nomad_raft_leader_lastContact',
]

interface Grafana {
  uid: string
  panels: { title: string; targets: { expr: string }[] }[]
}
interface Datadog {
  widgets: { definition: { title: string; requests: { queries: { query: string }[] }[] } }[]
}
interface Monitor {
  name: string
  query: string
  options: { thresholds: { critical: number }; no_data_timeframe?: number }
}
interface Rules {
  groups: { rules: { alert: string; expr: string; for?: string }[] }[]
}

const grafana = (slug: string) => JSON.parse(read(`grafana/${slug}.json`)) as Grafana
const datadog = (slug: string) => JSON.parse(read(`datadog/${slug}.json`)) as Datadog
const monitors = () => JSON.parse(read('datadog/monitors.json')) as Monitor[]
const rules = () => (parse(read('prometheus/rules.yaml')) as Rules).groups.flatMap((g) => g.rules)

const SLUGS = ['overview', 'fleet', 'control-plane']

t.test('the files are those that the table and the panels make', async (t) => {
  for (const [path, text] of toFiles()) {
    t.equal(read(path), text, `${path}: npm run dashboards writes it anew`)
  }
})

t.test('every metric and tag of the dashboards and rules for Prometheus exists', async (t) => {
  const queries = [
    ...SLUGS.flatMap((slug) => grafana(slug).panels.flatMap(({ targets }) => targets)),
    ...rules(),
  ].map(({ expr }) => expr)
  t.ok(queries.length > 50)
  for (const query of queries) {
    const named = readPromQl(query)
    t.ok(named.length > 0, `${query} names a metric`)
    for (const each of named) t.equal(faultOf(each, findForPrometheus), null, query)
  }
})

t.test('every metric and tag of the dashboards and monitors for Datadog exists', async (t) => {
  const widgets = SLUGS.flatMap((slug) => datadog(slug).widgets)
  const queries = [
    ...widgets.flatMap(({ definition }) => definition.requests.flatMap((each) => each.queries)),
    ...monitors(),
  ].map(({ query }) => query)
  t.ok(queries.length > 50)
  for (const query of queries) {
    const named = readDatadog(query)
    t.ok(named.length > 0, `${query} names a metric`)
    for (const each of named) t.equal(faultOf(each, findForDatadog), null, query)
    // A rate of a gauge, or a percentile of one, is a number that means nothing.
    for (const { metric } of named) {
      const kind = METRICS[findForDatadog(metric) ?? 'circle.fleet.nodes'].kind
      t.equal(/\.as_(?:rate|count)\(\)/.test(query), kind === 'count', query)
      t.equal(/\bp\d\d:/.test(query), kind === 'distribution', query)
    }
  }
})

t.test('both tools show the same panels', async (t) => {
  for (const slug of SLUGS) {
    const { uid, panels } = grafana(slug)
    t.equal(uid, `caravan-${slug}`)
    t.strictSame(
      panels.map(({ title }) => title),
      datadog(slug).widgets.map(({ definition }) => definition.title),
    )
  }
  t.strictSame(
    new Set(monitors().map(({ name }) => name)),
    new Set(rules().map(({ alert }) => `Caravan: ${alert}`)),
  )
})

t.test(
  'the promise of queueing is 1 s for ordinary classes and 10 s for expensive ones',
  async (t) => {
    const rule = (name: string) => rules().find(({ alert }) => alert === name)?.expr ?? ''
    t.match(rule('OrdinaryClassQueues'), /resource_class=~"small\|medium".* > 1$/)
    t.match(rule('ExpensiveClassQueues'), /resource_class=~"large\|massive".* > 10$/)
    const monitor = (name: string) => monitors().find((each) => each.name === `Caravan: ${name}`)
    t.equal(monitor('OrdinaryClassQueues')?.options.thresholds.critical, 1)
    t.equal(monitor('ExpensiveClassQueues')?.options.thresholds.critical, 10)
    t.match(rule('OldestSliceWaits'), / > 300$/)
    t.equal(monitor('NomadMetricsSilent')?.options.no_data_timeframe, 2)
  },
)

t.test('the receivers name metrics that exist, or patterns that some of them fit', async (t) => {
  const files = ['telegraf', 'datadog', 'prometheus'].flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => `${folder}/${name}`),
  )
  const texts = files.filter((file) => /\.(?:conf|yaml)$/.test(file)).map(read)
  const named = texts.flatMap((text) => text.match(/\bcircle\.[\w.*-]*[\w*]/g) ?? [])
  t.ok(named.length > 60)
  for (const each of named) {
    const pattern = new RegExp(`^${each.replaceAll('.', String.raw`\.`).replaceAll('*', '.*')}$`)
    t.ok(
      names.some((name) => pattern.test(name)),
      each,
    )
  }
})

t.test('series that nobody sends any more end at every receiver that keeps them', async (t) => {
  const { mappings } = parse(read('prometheus/statsd-exporter.yaml')) as {
    mappings: { match: string; name: string; ttl?: string; match_metric_type?: string }[]
  }
  for (const name of names) {
    const found = mappings.filter(({ match }) => match === name)
    t.equal(found.length, 1, name)
    t.equal(found[0]?.name, toPrometheusName(name))
    t.equal(found[0]?.ttl, METRICS[name].kind === 'gauge' ? '60s' : undefined, name)
  }
  t.match(mappings.at(-1), { match: '(.+)', match_metric_type: 'gauge', ttl: '60s' })
  const telegraf = read('telegraf/statsd.conf')
  for (const line of ['delete_gauges = true', 'max_ttl = "60s"', 'interval = "10s"']) {
    t.match(telegraf, `\n  ${line}\n`)
  }
})

function faultOf(
  { metric, tags }: Named,
  find: (metric: string) => MetricName | undefined,
): string | null {
  if (NOMAD_OWN.includes(metric)) {
    return tags.every((tag) => tag === 'quantile') ? null : `${metric} has no such tags here`
  }
  const name = find(metric)
  if (name === undefined) return `there is no ${metric}`
  const unknown = tags.filter((tag) => !METRICS[name].tags.includes(tag))
  return unknown.length === 0 ? null : `${name} has no ${unknown.join()}`
}

function findForPrometheus(metric: string): MetricName | undefined {
  return names.find((name) => {
    const isSpread = ['timer', 'distribution'].includes(METRICS[name].kind)
    return metric === toPrometheusName(name) + (isSpread ? '_bucket' : '')
  })
}

function findForDatadog(metric: string): MetricName | undefined {
  return names.find((name) => metric === name.replaceAll('-', '_'))
}
