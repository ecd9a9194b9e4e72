/** The one table of metrics: what the code sends, and what the guide says, is in it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { checkMetricName, checkTagKey } from '../../src/metrics/format.ts'
import {
  isMetricName,
  METRICS,
  toPrometheusName,
  type MetricName,
} from '../../src/metrics/names.ts'
import { toTable } from './support/table.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const names = Object.keys(METRICS) as MetricName[]

/** Names that stand in the code outside the table, with the call that they stand in. */
function readCalls(): { file: string; name: string; call: string }[] {
  return readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !/metrics\/names/.test(file))
    .flatMap((file) => {
      const text = readFileSync(join(root, 'src', file), 'utf8')
      const calls = text.matchAll(/(?:(\w+)\(\s*|name(?:: | = ))['`](circle\.[^'`]+)['`]/g)
      return [...calls].map(([, call = 'gauge', name = '']) => ({ file, name, call }))
    })
}

/** As a template makes them of its parts. */
function toPattern(name: string): RegExp {
  return new RegExp(`^${name.replaceAll('.', String.raw`\.`).replaceAll(/\$\{\w+\}/g, '[a-z]+')}$`)
}

const KINDS: Readonly<Record<string, readonly string[]>> = {
  count: ['count'],
  measure: ['timer', 'distribution'],
  gauge: ['gauge'],
}

t.test('every metric that the code sends is in the table, with its kind', async (t) => {
  const calls = readCalls()
  t.ok(calls.length > 20)
  for (const { file, name, call } of calls) {
    const found = names.filter((each) => toPattern(name).test(each))
    t.ok(found.length > 0, `${name} of ${file}`)
    for (const each of found) t.ok(KINDS[call]?.includes(METRICS[each].kind), `${call} of ${each}`)
  }
})

t.test('every metric of the table is sent, or reserved', async (t) => {
  const patterns = readCalls().map(({ name }) => toPattern(name))
  const text = readFileSync(join(root, 'src/metrics/poller.ts'), 'utf8')
  for (const name of names) {
    const isSent = patterns.some((pattern) => pattern.test(name)) || text.includes(`'${name}'`)
    t.equal(isSent, METRICS[name].by !== 'reserved', name)
  }
})

t.test('names, keys and units are such that every receiver takes them as they are', async (t) => {
  for (const name of names) {
    t.equal(checkMetricName(name), name)
    for (const key of METRICS[name].tags) t.equal(checkTagKey(key), key)
  }
  const others = new Set(names.map(toPrometheusName))
  t.equal(others.size, names.length, 'no two are the same to Prometheus')
  for (const name of others) t.match(name, /^[a-z][a-z0-9_]+$/)
  t.notOk(isMetricName('toString'))
})

t.test('the names of existing dashboards are there', async (t) => {
  const resources = ['total', 'used', 'available'].flatMap((kind) =>
    ['cpu', 'memory', 'disk', 'iops'].map(
      (of) => `circle.nomad.client_agent.resources.${kind}.${of}`,
    ),
  )
  const jobs = ['pending', 'running', 'complete', 'dead']
  for (const name of [
    'circle.run-queue.latency',
    'circle.build-queue.runnable.builds',
    'circle.dispatcher.find-containers-failed',
    'circle.backend.action.upload-artifact-error',
    'circle.http.request',
    'circle.nomad.server_agent.poll_failure',
    'circle.nomad.client_agent.poll_failure',
    ...jobs.map((state) => `circle.nomad.server_agent.jobs.${state}`),
    ...resources,
  ]) {
    t.ok(isMetricName(name), name)
  }
})

t.test('the guide has the table', async (t) => {
  const guide = readFileSync(join(root, 'docs/guides/metrics.md'), 'utf8')
  t.ok(guide.includes(toTable()), 'node tests/metrics/support/write-guide.ts writes it anew')
})
