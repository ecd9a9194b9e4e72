/** What reaches Prometheus through a real statsd_exporter with the mapping that ships. */
import t from 'tap'
import { isMetricName, METRICS, toPrometheusName } from '../../src/metrics/names.ts'
import { sleep, systemClock } from '../../src/platform/index.ts'
import { aJob, startTestEngine, type TestEngine } from '../dev/nomad-engine/support.ts'
import { caravan, makeCheckout, startCaravan } from '../support/caravan.ts'
import { findExporter, startExporter, type Exporter } from './support/exporter.ts'
import { startProgram } from './support/program.ts'

const program = findExporter()

const CONFIG = `version: 2.1
jobs:
  hello:
    machine: true
    steps:
      - run: echo hello
`

const NODE = {
  name: 'one',
  nodeClass: 'build',
  cpuMhz: 8000,
  memoryMiB: 16_000,
  diskMiB: 90_000,
  attributes: {},
}
const BUSY = { CPU: 3000, MemoryMB: 4000 }
const MORE = ['--node-tag', '--extended-tags', '--overcommit', '--reporter-metrics']
/** Of a condition that is looked at again and again. */
const WAIT_MAX_MS = 60_000

if (program === null) {
  const why = 'there is no statsd_exporter. Put one on the PATH, or name it in STATSD_EXPORTER_BIN.'
  t.comment(`SKIPPED: ${why}`)
  t.not(process.env['CI'], 'true', why)
} else {
  runSuite(program)
}

function runSuite(program: string): void {
  t.test('every gauge of nomad-metrics arrives, with its tags and its value', async (t) => {
    const engine = await startTestEngine(t, { nodes: [NODE] })
    const exporter = await startExporter(t, program)
    await engine.register(aJob('busy', 'sleep 600', { task: { Resources: BUSY } }))
    startReporter(t, engine, exporter, ['--server', '--client', '--fleet', ...MORE])

    const at = (labels: string) => `{drain="false",eligibility="eligible",node="one",${labels}}`
    const node = at('node_class="build",node_pool="default",status="ready"')
    const of = (kind: string) => `circle_nomad_client_agent_resources_${kind}${node}`
    const expected = new Map([
      ['circle_nomad_server_agent_poll_failure', 0],
      ['circle_nomad_client_agent_poll_failure', 0],
      ['circle_nomad_fleet_poll_failure', 0],
      ['circle_nomad_server_agent_jobs_pending', 0],
      ['circle_nomad_server_agent_jobs_running', 1],
      ['circle_nomad_server_agent_jobs_complete', 0],
      ['circle_nomad_server_agent_jobs_dead', 0],
      ['circle_fleet_nodes{drain="false",node_class="build",status="ready"}', 1],
      [of('total_cpu'), 8000],
      [of('used_cpu'), 3000],
      [of('available_cpu'), 5000],
      [of('total_memory'), 16_000],
      [of('used_memory'), 4000],
      [of('available_memory'), 12_000],
      [of('total_disk'), 90_000],
      [of('used_disk'), 300],
      [of('available_disk'), 89_700],
      ...['cpu', 'memory', 'disk'].map((what) => [of(`overcommit_${what}`), 0] as const),
      ...['total', 'used', 'available'].map((kind) => [of(`${kind}_iops`), 0] as const),
    ])
    const own = /^circle_reporter_/
    const seen = await until(exporter, (series) =>
      [...expected].every(([name, value]) => series.get(name) === value),
    )
    for (const [name, value] of expected) t.equal(seen.get(name), value, name)
    const others = [...seen.keys()].filter((name) => !expected.has(name))
    t.strictSame(
      others.filter((name) => !own.test(name)),
      [],
      'and nothing else does',
    )
    const names = new Set([...seen.keys()].map((name) => name.replace(/\{.*/, '')))
    const sent = Object.entries(METRICS).filter(([, { by }]) => by === 'nomad-metrics')
    for (const [name] of sent) if (isMetricName(name)) t.ok(names.has(toPrometheusName(name)), name)
    t.match(await exporter.page(), '# HELP circle_fleet_nodes nodes of the cluster; with --fleet\n')
    t.match(await exporter.page(), '\nstatsd_exporter_tag_errors_total 0\n')
  })

  t.test('D24: the series of a node that is down takes the place of the one before', async (t) => {
    const engine = await startTestEngine(t, { nodes: [NODE] })
    // As shipped, but for the time: a minute would only be a longer test.
    const shipped = await startExporter(t, program, (text) => text.replaceAll('60s', '4s'))
    const other = await startExporter(t, program, (text) => text.replaceAll(/ +ttl: .*\n/g, ''))
    for (const exporter of [shipped, other]) startReporter(t, engine, exporter, ['--client'])
    const status = (word: string) =>
      `circle_nomad_client_agent_resources_total_cpu{drain="false",status="${word}"}`
    const [ready, down] = [status('ready'), status('down')]
    for (const exporter of [shipped, other]) await until(exporter, (series) => series.has(ready))
    const [{ ID }] = await engine.get<[{ ID: string }]>('/v1/nodes')
    engine.engine.setNodeStatus(ID, 'down')
    await until(shipped, (series) => series.has(down) && !series.has(ready))
    const both = await until(other, (series) => series.has(down))
    t.equal(both.get(ready), 8000, 'which is what the mapping is for')
    engine.engine.setNodeStatus(ID, 'ready')
    const seen = await until(shipped, (series) => series.has(ready) && !series.has(down))
    t.equal(seen.get(ready), 8000)
  })

  t.test('a build has the same names there as on the page of the server', async (t) => {
    const exporter = await startExporter(t, program)
    const folder = makeCheckout(t.testdir(), { '.circleci/config.yml': CONFIG })
    const args = ['dev', '--port', '0', '--nomad-port', '0', '--data', 'data']
    const env = { CARAVAN_STATSD: `127.0.0.1:${exporter.port}` }
    const dev = startCaravan(args, folder, { env })
    t.teardown(() => dev.child.kill('SIGKILL'))
    const { api } = JSON.parse(await dev.firstLine) as { api: string }
    const done = await caravan(['run', '--server', api], folder)
    t.equal(done.code, 0, done.stderr)
    const pull = await (await fetch(`${api}/metrics`)).text()
    dev.child.kill('SIGTERM')
    await dev.ended

    const started = 'circle_scheduler_slices_started_total{resource_class="medium"}'
    const ended = 'circle_slice_duration_seconds_count{resource_class="medium",result="succeeded"}'
    const seen = await until(exporter, (series) => series.has(started) && series.has(ended))
    t.equal(seen.get(started), 1)
    t.equal(seen.get(ended), 1)
    t.equal(seen.get('circle_run_queue_latency_seconds_count'), 1)
    const waited = 'circle_scheduler_queue_latency_seconds_sum{resource_class="medium"}'
    const sum = seen.get(waited) ?? Infinity
    t.ok(Math.abs((seen.get('circle_run_queue_latency_seconds_sum') ?? 0) - sum) < 0.001, 'seconds')
    for (const name of seen.keys()) {
      const [family = ''] = name.split('{')
      t.match(pull, new RegExp(`^${family}[ {]`, 'm'), `${family} is on both`)
    }
  })
}

function startReporter(
  t: Parameters<typeof startProgram>[0],
  { engine }: TestEngine,
  { port }: Exporter,
  flags: readonly string[],
): void {
  const to = [`--nomad-uri=${engine.url}`, '--statsd-host=127.0.0.1', `--statsd-port=${port}`]
  startProgram(t, [...to, '--interval=1', ...flags])
}

/** @returns what was there when it was so. @throws Error with what was there at last. */
async function until(
  exporter: Exporter,
  isSo: (series: Map<string, number>) => boolean,
): Promise<Map<string, number>> {
  const endMs = performance.now() + WAIT_MAX_MS
  for (;;) {
    const series = await exporter.read()
    if (isSo(series)) return series
    if (performance.now() > endMs) {
      throw new Error(`not so: ${[...series].map((each) => each.join(' ')).join('\n')}`)
    }
    await sleep(systemClock, 50)
  }
}
