/** Drains by hand, in this process: what needs AWS stands in the suites of the fleet. */
import t, { type Test } from 'tap'
import { runProgram } from '../../../src/cli/program.ts'
import { drainReport } from '../../../src/model/index.ts'
import { aSimulatedJob, startTestEngine, untilStatus } from '../../dev/nomad-engine/support.ts'

const INSTANCE = 'i-0123456789abcdef0'

async function start(t: Test, names: readonly string[] = [INSTANCE]) {
  const nodes = names.map((name) => ({
    name,
    attributes: name.startsWith('i-') ? { 'unique.platform.aws.instance-id': name } : {},
  }))
  const engine = await startTestEngine(t, { nodes })
  const fleet = async (...args: string[]) => {
    let [stdout, stderr] = ['', '']
    const stream = (take: (text: string) => void) => ({
      write: (text: string | Uint8Array) => (take(text.toString()), true),
      once: () => undefined,
      off: () => undefined,
    })
    const io = {
      stdout: stream((text) => (stdout += text)),
      stderr: stream((text) => (stderr += text)),
      env: { NOMAD_ADDR: engine.engine.url },
      cwd: '/',
      signal: new AbortController().signal,
    }
    const argv = ['node', 'caravan', 'fleet', ...args]
    const code = await runProgram(argv, io).catch((error: { code?: string }) => error.code)
    const reports = stdout.startsWith('{')
      ? stdout
          .trim()
          .split('\n')
          .map((line) => drainReport.parse(JSON.parse(line)))
      : []
    return { code, stdout, stderr, reports }
  }
  const nodeOf = async (name: string) => {
    const nodes = await engine.get<{ ID: string; Name: string }[] & Record<string, unknown>>(
      '/v1/nodes',
    )
    return nodes.find(({ Name }) => Name === name)?.ID ?? ''
  }
  return { ...engine, fleet, nodeOf }
}

t.test('a drain has no deadline, says who drains, and twice is once', async (t) => {
  const farm = await start(t)
  await farm.register(aSimulatedJob('build'))
  await untilStatus(farm, 'build', 'running')
  const first = await farm.fleet('drain', '--self', '--json')
  t.equal(first.code, 0)
  t.match(first.reports, [
    { outcome: 'draining', instance: INSTANCE, allocations: [{ job: 'build', status: 'running' }] },
  ])
  const id = await farm.nodeOf(INSTANCE)
  const node = await farm.get(`/v1/node/${id}`)
  t.match(node, {
    DrainStrategy: { Deadline: 0 },
    LastDrain: { Meta: { caravan_by: 'command' } },
  })
  const again = await farm.fleet('drain', '--instance', INSTANCE, '--json')
  t.match(again.reports, [{ outcome: 'drained' }])
  t.same((await farm.get(`/v1/node/${id}`))['DrainStrategy'], node['DrainStrategy'])
  const late = await farm.fleet('drain', '--self', '--wait', '--deadline', '200ms')
  t.equal(late.code, 1)
  t.match(late.stdout, /is still busy; 1 still on it:\n.*build running/)
  t.match(late.stderr, /1 still run/)
})

t.test('F21: a deadline that somebody else gave is lifted', async (t) => {
  const farm = await start(t)
  await farm.register(aSimulatedJob('build'))
  await untilStatus(farm, 'build', 'running')
  const id = await farm.nodeOf(INSTANCE)
  const hour = 3_600_000_000_000
  await farm.send('PUT', `/v1/node/${id}/drain`, { DrainSpec: { Deadline: hour } })
  t.match(await farm.get(`/v1/node/${id}`), { DrainStrategy: { Deadline: hour } })
  t.match((await farm.fleet('drain', '--self', '--json')).reports, [{ outcome: 'draining' }])
  t.match(await farm.get(`/v1/node/${id}`), { DrainStrategy: { Deadline: 0 } })
})

t.test('by force, what runs is stopped, and the node is empty', async (t) => {
  const farm = await start(t)
  await farm.register(aSimulatedJob('build'))
  await untilStatus(farm, 'build', 'running')
  const forced = await farm.fleet('drain', '--self', '--force', '--wait', '--json')
  t.equal(forced.code, 0)
  t.match(forced.reports, [{ outcome: 'empty', allocations: [] }])
  t.match(await farm.allocations('build'), [{ DesiredStatus: 'stop' }])
})

t.test('an empty node is told so, and takes work again when it is given back', async (t) => {
  const farm = await start(t)
  const soon = ['drain', '--self', '--wait', '--deadline', '2s', '--json']
  t.match((await farm.fleet(...soon)).reports, [{ outcome: 'empty' }])
  const dry = await farm.fleet('undrain', '--self', '--dry-run', '--json')
  t.match(dry.reports, [{ outcome: 'planned' }])
  const id = await farm.nodeOf(INSTANCE)
  t.match(await farm.get(`/v1/node/${id}`), { SchedulingEligibility: 'ineligible' })
  t.match((await farm.fleet('undrain', '--self', '--json')).reports, [{ outcome: 'undrained' }])
  t.match(await farm.get(`/v1/node/${id}`), { SchedulingEligibility: 'eligible' })
})

t.test('F31: an instance is only taken for empty when every node says where it runs', async (t) => {
  const sure = await start(t, [INSTANCE, 'i-0123456789abcdef1'])
  const none = await sure.fleet('drain', '--instance', 'i-00000000000000abc')
  t.equal(none.code, 0)
  t.match(none.stderr, /knows no node of this instance/)
  const unsure = await start(t, [INSTANCE, 'rack-4'])
  t.equal((await unsure.fleet('drain', '--instance', 'i-00000000000000abc')).code, 'NOT_FOUND')
  t.match((await unsure.fleet('drain', '--instance', INSTANCE, '--json')).reports, [
    { outcome: 'draining', instance: INSTANCE },
  ])
})

t.test('a command line that makes no sense is refused', async (t) => {
  const farm = await start(t)
  for (const args of [
    ['drain'],
    ['drain', '--self', '--instance', INSTANCE],
    ['drain', '--self', '--deadline', '1h'],
    ['drain', '--self', '--heartbeat'],
    ['drain', '--node', 'ffffffff'],
    ['lifecycle'],
    ['complete', '--self'],
  ]) {
    const { code } = await farm.fleet(...args)
    t.match(code, /INPUT_INVALID|NOT_FOUND/, args.join(' '))
  }
  t.equal((await farm.fleet('drain', '--self', '--wait', '--deadline', 'soon')).code, 2)
  t.match(await farm.get(`/v1/node/${await farm.nodeOf(INSTANCE)}`), {
    SchedulingEligibility: 'eligible',
  })
})

t.test('F30: a machine that has just booted is given time to register', async (t) => {
  const farm = await start(t)
  const late = 'i-0123456789abcdef9'
  const drained = farm.fleet('drain', '--instance', late, '--wait', '--await-node', '9s', '--json')
  const gone = await farm.fleet('drain', '--instance', late, '--wait', '--await-node', '50ms')
  t.equal(gone.code, 0)
  t.match(gone.stderr, /nothing to drain/)
  farm.engine.addNode({ name: late, attributes: { 'unique.platform.aws.instance-id': late } })
  const { code, reports } = await drained
  t.equal(code, 0)
  t.match(reports, [{ instance: late, outcome: 'empty' }])
})
