/** Many nodes and a clock that only moves when told to: nothing here runs for real. */
import t from 'tap'
import type { Test } from 'tap'
import { TestClock } from '../../../src/platform/index.ts'
import type { EngineNodeOptions } from '../../../src/dev/index.ts'
import { aSimulatedJob, eventTypes, startTestEngine } from './support.ts'
import type { Json } from './support.ts'

const MINUTE = 60_000

async function simulate(t: Test, nodes: EngineNodeOptions[]) {
  const clock = new TestClock()
  const talk = await startTestEngine(t, { clock, nodes })
  const ids = new Map<string, string>()
  for (const node of await talk.get<Json[]>('/v1/nodes')) {
    ids.set(String(node['Name']), String(node['ID']))
  }
  /** What the job's allocations are, `status@node`. */
  const placesOf = async (job: string) => {
    const names = new Map([...ids].map(([name, id]) => [id, name]))
    const all = await talk.allocations(job)
    return all.map((each) => `${each.ClientStatus}@${names.get(each.NodeID) ?? '?'}`)
  }
  const statusOf = async (job: string) => (await talk.get(`/v1/job/${job}`))['Status']
  return { ...talk, clock, placesOf, statusOf, idOf: (name: string) => ids.get(name) ?? '' }
}

const small = (name: string): EngineNodeOptions => ({
  name,
  cpuMhz: 1000,
  memoryMiB: 1000,
  diskMiB: 10_000,
})
const half = { Resources: { CPU: 500, MemoryMB: 100 } }

t.test('jobs wait for room and take it as it comes free, the important ones first', async (t) => {
  const world = await simulate(t, [small('only')])
  for (const [id, minutes] of [
    ['a', 1],
    ['b', 2],
  ] as const) {
    await world.register(aSimulatedJob(id, { run_for: `${minutes}m` }, { task: half }))
  }
  await world.register(aSimulatedJob('late', { run_for: '1m' }, { task: half }))
  await world.register(
    aSimulatedJob('urgent', { run_for: '5m' }, { task: half, job: { Priority: 90 } }),
  )
  await world.clock.tick(0)
  t.same(await world.placesOf('late'), [])
  t.equal(await world.statusOf('late'), 'pending')

  await world.clock.tick(MINUTE)
  t.same(await world.placesOf('a'), ['complete@only'])
  t.same(await world.placesOf('urgent'), ['running@only'])
  t.same(await world.placesOf('late'), [])

  await world.clock.tick(MINUTE)
  t.same(await world.placesOf('late'), ['running@only'])
  await world.clock.tick(5 * MINUTE)
  t.equal(await world.statusOf('late'), 'dead')
  t.equal(await world.statusOf('urgent'), 'dead')
})

t.test('a node that joins takes what waits', async (t) => {
  const world = await simulate(t, [])
  await world.register(aSimulatedJob('job', {}, { task: half }))
  await world.clock.tick(0)
  t.equal(await world.statusOf('job'), 'pending')
  world.engine.addNode(small('new'))
  await world.clock.tick(0)
  t.equal((await world.allocations('job'))[0]?.ClientStatus, 'running')
})

t.test('what ran on a lost node runs elsewhere, and what ran there is told no more', async (t) => {
  const world = await simulate(t, [small('first')])
  await world.register(aSimulatedJob('job', { run_for: '10m' }, { task: half }))
  await world.clock.tick(0)
  const [lost] = await world.allocations('job')
  world.engine.setNodeStatus(lost?.NodeID ?? '', 'down')
  await world.clock.tick(0)
  t.match(await world.allocations('job'), [
    {
      ClientStatus: 'lost',
      DesiredStatus: 'stop',
      DesiredDescription: 'alloc is lost since its node is down',
    },
  ])
  t.equal(await world.statusOf('job'), 'pending')
  world.engine.addNode(small('second'))
  await world.clock.tick(0)
  t.equal((await world.allocations('job')).at(-1)?.ClientStatus, 'running')

  world.engine.setNodeStatus(lost?.NodeID ?? '', 'ready')
  await world.clock.tick(11 * MINUTE)
  const all = await world.allocations('job')
  t.same(
    all.map((each) => each.ClientStatus),
    ['lost', 'complete'],
  )
})

t.test(
  'a failed allocation is placed again after its delay, as often as its policy says',
  async (t) => {
    const world = await simulate(t, [small('one'), small('two')])
    const ReschedulePolicy = {
      Attempts: 2,
      Interval: 3600e9,
      Delay: 30e9,
      DelayFunction: 'exponential',
      MaxDelay: 3600e9,
      Unlimited: false,
    }
    const more = { task: half, group: { ReschedulePolicy } }
    await world.register(aSimulatedJob('flaky', { run_for: '1s', exit_code: 1 }, more))
    await world.clock.tick(1000)
    t.equal((await world.allocations('flaky')).length, 1)
    t.equal(await world.statusOf('flaky'), 'pending', 'something is planned')
    await world.clock.tick(29_000)
    t.equal((await world.allocations('flaky')).length, 1)
    await world.clock.tick(1000)
    const [first, second] = await world.allocations('flaky')
    t.equal(first?.NextAllocation, second?.ID)
    t.not(first?.NodeID, second?.NodeID, 'on another node')
    await world.clock.tick(61_000)
    t.equal((await world.allocations('flaky')).length, 3, 'after twice the delay')
    await world.clock.tick(3 * 3_600_000)
    t.equal((await world.allocations('flaky')).length, 3)
    t.equal(await world.statusOf('flaky'), 'dead')
  },
)

t.test('a drain stops at its deadline what did not finish before', async (t) => {
  const world = await simulate(t, [small('one')])
  await world.register(aSimulatedJob('short', { run_for: '1m' }, { task: half }))
  await world.register(aSimulatedJob('long', { run_for: '1h' }, { task: half }))
  await world.clock.tick(0)
  const node = world.idOf('one')
  const DrainSpec = { Deadline: 5 * MINUTE * 1e6, IgnoreSystemJobs: false }
  await world.send('PUT', `/v1/node/${node}/drain`, { DrainSpec })
  await world.clock.tick(5 * MINUTE - 1)
  t.same(await world.placesOf('short'), ['complete@one'])
  t.same(await world.placesOf('long'), ['running@one'])
  t.match(await world.get(`/v1/node/${node}`), { Drain: true })
  await world.clock.tick(1)
  const [stopped] = await world.allocations('long')
  t.match(stopped, { ClientStatus: 'complete', DesiredDescription: 'alloc is being migrated' })
  t.ok(stopped && eventTypes(stopped).includes('Killed'))
  t.match(await world.get(`/v1/node/${node}`), {
    Drain: false,
    SchedulingEligibility: 'ineligible',
    LastDrain: { Status: 'complete' },
  })
  t.equal(await world.statusOf('long'), 'dead', 'nothing follows it')
})

t.test('a service that is drained starts elsewhere at once', async (t) => {
  const world = await simulate(t, [small('one')])
  await world.register(aSimulatedJob('web', {}, { task: half, job: { Type: 'service' } }))
  await world.clock.tick(0)
  world.engine.addNode({ ...small('two'), nodeClass: 'other' })
  const DrainSpec = { Deadline: 0, IgnoreSystemJobs: false }
  await world.send('PUT', `/v1/node/${world.idOf('one')}/drain`, { DrainSpec })
  await world.clock.tick(0)
  const all = await world.allocations('web')
  t.same(
    all.map((each) => each.ClientStatus),
    ['complete', 'running'],
  )
  t.match(await world.get(`/v1/node/${world.idOf('one')}`), { Drain: false })
})

t.test('a job that runs everywhere follows the nodes', async (t) => {
  const world = await simulate(t, [small('one'), small('two')])
  await world.register(aSimulatedJob('agent', {}, { task: half, job: { Type: 'system' } }))
  await world.clock.tick(0)
  t.same((await world.placesOf('agent')).sort(), ['running@one', 'running@two'])
  world.engine.addNode(small('three'))
  await world.clock.tick(0)
  t.equal((await world.allocations('agent')).length, 3)
})

t.test('a paused broker takes jobs and places none', async (t) => {
  const world = await simulate(t, [small('one')])
  const path = '/v1/operator/scheduler/configuration'
  await world.send('PUT', path, { PauseEvalBroker: true })
  await world.register(aSimulatedJob('job', {}, { task: half }))
  await world.clock.tick(0)
  t.same(await world.placesOf('job'), [])
  await world.send('PUT', path, { PauseEvalBroker: false })
  await world.clock.tick(0)
  t.same(await world.placesOf('job'), ['running@one'])
  await world.send('PUT', path, { RejectJobRegistration: true })
  const body = JSON.stringify({ Job: aSimulatedJob('other') })
  const refused = await world.fetch('/v1/jobs', { method: 'PUT', body })
  t.equal(refused.status, 403)
  t.match(await refused.text(), 'Job registration, dispatch, and scale are disabled')
})

t.test('what is over is forgotten after hours, not before', async (t) => {
  const world = await simulate(t, [small('one')])
  await world.register(aSimulatedJob('old', { run_for: '1m' }, { task: half }))
  await world.register(aSimulatedJob('live', { run_for: '100h' }, { task: half }))
  await world.clock.tick(3 * 60 * MINUTE)
  t.equal(await world.statusOf('old'), 'dead')
  await world.clock.tick(2 * 60 * MINUTE)
  t.equal((await world.fetch('/v1/job/old')).status, 404)
  t.same(await world.allocations('old'), [])
  t.equal(await world.statusOf('live'), 'running')
})

t.test('a simulated node plays any job as it is told', async (t) => {
  const simulated = { ...small('played'), simulate: () => ({ run_for: '2m', exit_code: 4 }) }
  const world = await simulate(t, [simulated])
  const real = { Driver: 'raw_exec', Config: { command: '/bin/false' }, ...half }
  await world.register(aSimulatedJob('any', {}, { task: real }))
  await world.clock.tick(2 * MINUTE - 1)
  t.same(await world.placesOf('any'), ['running@played'])
  await world.clock.tick(1)
  const [allocation] = await world.allocations('any')
  t.equal(allocation?.ClientStatus, 'failed')
  t.equal(allocation?.TaskStates?.['main']?.Events[3]?.DisplayMessage, 'Exit Code: 4')
})
