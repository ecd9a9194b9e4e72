/** nomad-metrics as it is started on a machine. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { readMetricsOptions } from '../../src/cli/metrics/options.ts'
import { startNomad } from './support/nomad.ts'
import { startProgram } from './support/program.ts'
import { eventually, startSink } from './support/sink.ts'

t.test(
  'D30: the command line of old sends what it always sent, past any proxy, and prints nothing',
  async (t) => {
    const nomad = await startNomad(t)
    const sink = await startSink(t)
    const { child, stdout, stderr, ended } = startProgram(
      t,
      [
        `--nomad-uri=${nomad.address}`,
        '--statsd-host=127.0.0.1',
        `--statsd-port=${sink.port}`,
        '--server',
        '--client',
        '--interval=1',
      ],
      // Nothing listens there: whatever went through it would fail.
      {
        HTTP_PROXY: 'http://127.0.0.1:9',
        http_proxy: 'http://127.0.0.1:9',
        ALL_PROXY: 'http://127.0.0.1:9',
        NO_PROXY: '',
      },
    )
    const all = () => sink.datagrams.join('\n')
    await eventually(
      () => /client_agent.*resources/s.test(all()) && /jobs\.dead/.test(all()),
      'both',
    )
    const client = sink.datagrams.find((each) => each.includes('resources')) ?? ''
    t.equal(client.split('\n').length, 13, 'one datagram for all of a node')
    t.match(client, /^circle\.nomad\.client_agent\.poll_failure:0\|g\n/)
    t.match(
      client,
      'circle.nomad.client_agent.resources.available.cpu:8000|g|#drain:false,status:ready',
    )
    child.kill('SIGTERM')
    t.same(await ended, { code: 0, signal: null })
    t.equal(stdout() + stderr(), '')
  },
)

t.test('D27: asked to end in the middle of a poll', async (t) => {
  const nomad = await startNomad(t, { '/v1/jobs': () => undefined })
  const sink = await startSink(t)
  const { child, ended } = startProgram(t, [
    `--nomad-uri=${nomad.address}`,
    '--statsd-host=127.0.0.1',
    `--statsd-port=${sink.port}`,
    '--server',
  ])
  await eventually(() => nomad.asked.includes('/v1/jobs'), 'the poll is under way')
  const askedMs = performance.now()
  child.kill('SIGTERM')
  t.same(await ended, { code: 0, signal: null })
  t.ok(performance.now() - askedMs < 2500, 'within a moment')
  t.same(sink.datagrams, [], 'a poll that was broken off is no failure of Nomad')
})

t.test('D27: a second signal ends it at once', async (t) => {
  const nomad = await startNomad(t, { '/v1/jobs': () => undefined })
  const { child, ended } = startProgram(t, [`--nomad-uri=${nomad.address}`, '--server'])
  await eventually(() => nomad.asked.includes('/v1/jobs'), 'the poll is under way')
  child.kill('SIGTERM')
  child.kill('SIGINT')
  const { code } = await ended
  t.ok(code === 0 || code === 130, `ended with ${code}`)
})

t.test('D32: two nodes that send to one server are told apart by their tag', async (t) => {
  const sink = await startSink(t)
  for (const node of ['i-1', 'i-2']) {
    const nomad = await startNomad(t)
    nomad.answers['/v1/node/node-1'] = {
      json: { ID: 'node-1', Name: node, Status: 'ready', NodeResources: { Cpu: { CpuShares: 1 } } },
    }
    startProgram(t, [
      `--nomad-uri=${nomad.address}`,
      '--statsd-host=127.0.0.1',
      `--statsd-port=${sink.port}`,
      '--client',
      '--node-tag',
      '--interval=1',
    ])
  }
  const lines = () => sink.datagrams.flatMap((each) => each.split('\n'))
  const total = 'circle.nomad.client_agent.resources.total.cpu:1|g|#drain:false,status:ready,node:'
  await eventually(() => lines().includes(`${total}i-1`) && lines().includes(`${total}i-2`), 'both')
  const guide = readFileSync(new URL('../../docs/guides/metrics.md', import.meta.url), 'utf8')
  t.match(guide, /overwrite each other/, 'and the guide says so')
})

t.test('D29: nobody reads what it prints', async (t) => {
  const sink = await startSink(t)
  const { child } = startProgram(t, [
    '--nomad-uri=http://127.0.0.1:9',
    '--statsd-host=127.0.0.1',
    `--statsd-port=${sink.port}`,
    '--server',
    '--interval=1',
  ])
  child.stderr?.destroy()
  child.stdout?.destroy()
  await sink.next(3)
  t.equal(child.exitCode, null)
})

t.test('an agent that is no client ends it with exit code 2', async (t) => {
  const nomad = await startNomad(t, { '/v1/agent/self': { json: { stats: {} } } })
  const { stderr, ended } = startProgram(t, [`--nomad-uri=${nomad.address}`, '--client'])
  t.equal((await ended).code, 2)
  t.match(stderr(), /^nomad-metrics: .*--client/)
})

t.test('a command line that makes no sense is refused with the flag that is wrong', async (t) => {
  const rows: [string[], RegExp][] = [
    [[], /--server/],
    [['--server', '--statsd-port=x'], /--statsd-port/],
    [['--server', '--job-states=all'], /--job-states/],
    [['--server', '--tag=a-b=c'], /--tag/],
    [['--server', '--sever'], /--sever/],
    [['--server', '--listen=9'], /--listen/],
  ]
  for (const [args, message] of rows) {
    t.throws(() => readMetricsOptions(args, {}), { code: 'INPUT_INVALID', message })
  }
  t.equal(readMetricsOptions(['--help'], {}), null)
  const env = { NOMAD_ADDR: 'unix:///run/nomad.sock', NOMAD_TOKEN: 't', NOMAD_CACERT: '' }
  t.same(readMetricsOptions(['--server'], env)?.nomad, {
    address: 'unix:///run/nomad.sock',
    token: 't',
  })
})
