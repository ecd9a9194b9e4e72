/** A build, and what the server tells of it: to who listens for datagrams, and to who asks. */
import t from 'tap'
import { isMetricName } from '../../src/metrics/names.ts'
import { caravan, makeCheckout, startCaravan } from '../support/caravan.ts'
import { eventually, startSink } from '../metrics/support/sink.ts'

const CONFIG = `version: 2.1
jobs:
  hello:
    machine: true
    steps:
      - run: echo hello
`

t.test('a build is seen in datagrams and on /metrics', async (t) => {
  const sink = await startSink(t)
  const folder = makeCheckout(t.testdir(), { '.circleci/config.yml': CONFIG })
  const args = ['dev', '--port', '0', '--nomad-port', '0', '--data', 'data']
  const env = { CARAVAN_STATSD: `127.0.0.1:${sink.port}` }
  const dev = startCaravan(args, folder, { env })
  t.teardown(() => dev.child.kill('SIGKILL'))
  const { api } = JSON.parse(await dev.firstLine) as { api: string }
  const done = await caravan(['run', '--server', api], folder)
  t.equal(done.code, 0, done.stderr)

  const page = await (await fetch(`${api}/metrics`)).text()
  t.match(page, 'circle_scheduler_slices_started_total{resource_class="medium"} 1\n')
  t.match(
    page,
    'circle_slice_duration_seconds_count{resource_class="medium",result="succeeded"} 1\n',
  )
  t.match(page, 'circle_scheduler_queue_depth{resource_class="medium"} 0\n')
  t.match(page, /circle_fleet_slots_available\{resource_class="medium"\} [1-9]/)
  t.match(page, 'circle_http_request_seconds_count{status="201",method="POST"} ')
  t.match(page, /circle_output_bytes_total [1-9]/)

  dev.child.kill('SIGTERM')
  await dev.ended
  const all = () => sink.datagrams.join('\n')
  await eventually(() => /run-queue\.latency:\d+(\.\d+)?\|ms/.test(all()), 'the latency')
  const lines = all().split('\n')
  for (const line of lines) t.ok(isMetricName(line.split(':', 1)[0] ?? ''), line)
  t.ok(sink.datagrams.every((each) => Buffer.byteLength(each) <= 1432))
})
