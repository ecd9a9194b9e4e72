/** What a process of ours gathers, sends and shows. */
import t from 'tap'
import { createMetricStore } from '../../src/metrics/store.ts'
import { createProcessMetrics } from '../../src/metrics/process-metrics.ts'
import { toExposition } from '../../src/metrics/prometheus.ts'
import { startPullServer } from '../../src/metrics/pull-server.ts'
import { silentLog, TestClock } from '../../src/platform/index.ts'

t.test('counts are added up, and sent as what is new', async (t) => {
  const store = createMetricStore({ cluster: 'ci' })
  store.count('circle.system.errors', 2, { reason: 'node_lost' })
  store.count('circle.system.errors', 1, { reason: 'node_lost' })
  t.same(store.takeLines(), ['circle.system.errors:3|c|#cluster:ci,reason:node_lost'])
  store.count('circle.system.errors', 1, { reason: 'node_lost' })
  t.same(store.takeLines(), ['circle.system.errors:1|c|#cluster:ci,reason:node_lost'])
  t.same(store.takeLines(), [])
  t.match(
    toExposition(store.series()),
    'circle_system_errors_total{cluster="ci",reason="node_lost"} 4\n',
  )
})

t.test('a timer is sent in milliseconds and shown in seconds', async (t) => {
  const store = createMetricStore()
  for (const ms of [0, 700, 5_000_000_000]) store.measure('circle.run-queue.latency', ms)
  t.same(store.takeLines(), [
    'circle.run-queue.latency:0|ms',
    'circle.run-queue.latency:700|ms',
    'circle.run-queue.latency:5000000000|ms',
  ])
  const text = toExposition(store.series())
  t.match(text, '# TYPE circle_run_queue_latency_seconds histogram\n')
  t.match(text, 'circle_run_queue_latency_seconds_bucket{le="0.5"} 1\n')
  t.match(text, 'circle_run_queue_latency_seconds_bucket{le="1"} 2\n')
  t.match(text, 'circle_run_queue_latency_seconds_bucket{le="10800"} 2\n')
  t.match(text, 'circle_run_queue_latency_seconds_bucket{le="+Inf"} 3\n')
  t.match(text, 'circle_run_queue_latency_seconds_sum 5000000.7\n')
  t.match(text, 'circle_run_queue_latency_seconds_count 3\n')
})

t.test('what the table does not have so is refused and counted', async (t) => {
  const store = createMetricStore()
  store.count('circle.unknown')
  store.count('circle.run-queue.latency')
  store.measure('circle.system.errors', 1)
  store.count('circle.system.errors', 1, { color: 'red' })
  store.count('circle.system.errors', -1, { reason: 'x' })
  store.measure('circle.run-queue.latency', Number.NaN)
  t.equal(store.refused, 6)
  t.same([store.takeLines(), store.series()], [[], []])
})

t.test('neither series nor lines grow without bound', async (t) => {
  const store = createMetricStore()
  for (let at = 0; at < 3000; at++) store.count('circle.system.errors', 1, { reason: `r${at}` })
  t.equal(store.series().length, 2000)
  for (let at = 0; at < 9000; at++) store.measure('circle.run-queue.latency', at)
  t.equal(store.takeLines().length, 5000)
  t.equal(store.series().at(-1)?.name, 'circle.run-queue.latency')
})

t.test('labels are escaped', async (t) => {
  const store = createMetricStore({ a: 'x"y\\z' })
  store.count('circle.dispatcher.find-containers-failed')
  t.match(toExposition(store.series()), String.raw`{a="x\"y\\z"} 1`)
})

t.test('D28: gauges and news go out every ten seconds, and the rest before the end', async (t) => {
  const clock = new TestClock()
  const sent: (readonly string[])[] = []
  const sender = {
    counts: { datagrams: 0, bytes: 0, dropped: 0 },
    send: async (lines: readonly string[]) => void sent.push(lines),
    close: async () => void sent.push(['closed']),
  }
  const metrics = createProcessMetrics({ tags: { cluster: 'ci' }, sender, clock, log: silentLog })
  metrics.start(async () => [
    { name: 'circle.scheduler.faults', value: 1 },
    { name: 'no such', value: 1 },
  ])
  await clock.tick(0)
  metrics.sink.count('circle.dispatcher.find-containers-failed')
  await clock.tick(10_000)
  metrics.sink.count('circle.dispatcher.find-containers-failed')
  await metrics.close()
  const gauge = 'circle.scheduler.faults:1|g|#cluster:ci'
  const count = 'circle.dispatcher.find-containers-failed:1|c|#cluster:ci'
  t.same(sent, [[gauge], [gauge, count], [count], ['closed']])
})

t.test('gauges that can not be read keep nothing else back', async (t) => {
  const clock = new TestClock()
  const metrics = createProcessMetrics({ tags: {}, sender: null, clock, log: silentLog })
  metrics.start(() => Promise.reject(new Error('away')))
  metrics.sink.count('circle.dispatcher.find-containers-failed')
  t.match(await metrics.exposition(), /circle_dispatcher_find_containers_failed_total 1\n/)
  await metrics.close()
})

t.test('the pull endpoint serves one page', async (t) => {
  const server = await startPullServer({ host: '127.0.0.1', port: 0 }, () => 'a 1\n')
  const url = `http://127.0.0.1:${server.port}`
  const page = await fetch(`${url}/metrics`)
  t.equal(await page.text(), 'a 1\n')
  t.match(page.headers.get('content-type'), /^text\/plain; version=0\.0\.4/)
  t.equal((await fetch(url)).status, 404)
  t.equal((await fetch(`${url}/metrics`, { method: 'POST' })).status, 405)
  await t.rejects(
    startPullServer({ host: '127.0.0.1', port: server.port }, () => ''),
    {
      code: 'INPUT_INVALID',
    },
  )
  await server.close()
})
