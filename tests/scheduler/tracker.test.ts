import t from 'tap'
import { CaravanError, isResult, type BuildView } from '../../src/model/index.ts'
import { TestClock } from '../../src/platform/index.ts'
import { agentOf, agentsOf, stepFinished, unwrap } from './support/agent.ts'
import { anEvaluation, withEvents } from './support/nomad.ts'
import {
  NO_RETRIES,
  aFolder,
  aRequest,
  countOpenJobs,
  startScheduler,
  until,
  untilBuild,
} from './support/scheduler.ts'

const isOver = (build: BuildView) => isResult(build.state)
const isPlaced = ({ slices }: BuildView) => slices.every((slice) => slice.allocation_id !== null)

t.test(
  'an allocation that ends without a report ends its slice, and its job is stopped',
  async (t) => {
    const { scheduler, cluster, dataDir } = await startScheduler(t, { settings: NO_RETRIES })
    await scheduler.submit(aRequest())
    const agent = await agentOf(cluster, scheduler)
    await agent.begin()
    const [allocation] = cluster.allocations.keys()
    const crash = withEvents({ Type: 'Terminated', Details: { exit_code: '21', signal: '0' } })
    cluster.change(allocation ?? '', crash)
    const over = await untilBuild(scheduler, '1', isOver)
    t.match(over, { state: 'infrastructure_failed', reason: 'agent_crashed' })
    t.equal(over.slices[0]?.detail, 'the agent ended with exit code 21: it could not go on')
    await until(
      () => cluster.stopped.length === 1,
      'the job is stopped, so that Nomad starts no other',
    )
    await until(() => countOpenJobs(dataDir) === 0, 'the job is closed')
    t.match(await scheduler.agents.accept(agent.caller), { refusal: 'fenced' })
  },
)

t.test('the report counts, also when the allocation is gone before all output came', async (t) => {
  const { scheduler, cluster } = await startScheduler(t, { settings: NO_RETRIES })
  await scheduler.submit(aRequest())
  const agent = await agentOf(cluster, scheduler)
  await agent.begin()
  await agent.send(stepFinished(0, 'hello world', 'failed'))
  await agent.output(0, 0, 'hello')
  await agent.report('exit_code')
  const [allocation] = cluster.allocations.keys()
  cluster.change(allocation ?? '', withEvents({ Type: 'Terminated', Details: { exit_code: '30' } }))
  const over = await untilBuild(scheduler, '1', isOver)
  t.match(over, { state: 'failed', reason: 'exit_code' })
  t.match(over.slices[0]?.steps, [{ state: 'failed', output: { length: 11, have: 5 } }])
  const read = await scheduler.readOutput({ ref: '1', slice: 0, step: 0 }, { offset: 0 })
  t.equal(read?.complete, false)
  t.equal((await read?.bytes.toArray())?.join(''), 'hello')
})

t.test('a lost node ends its slices, a disconnected one is waited for', async (t) => {
  const { scheduler, cluster } = await startScheduler(t, { settings: NO_RETRIES })
  await scheduler.submit(aRequest({ parallelism: 2 }))
  for (const agent of await agentsOf(cluster, scheduler, 2)) await agent.begin()
  const [first, second] = cluster.allocations.keys()
  cluster.change(first ?? '', { ClientStatus: 'unknown' })
  cluster.change(second ?? '', {
    ClientStatus: 'lost',
    DesiredDescription: 'alloc is lost since its node is down',
  })
  const view = await untilBuild(scheduler, '1', ({ slices }) =>
    slices.some((slice) => slice.detail === 'node worker-1 is disconnected'),
  )
  await untilBuild(scheduler, '1', ({ slices }) =>
    slices.some(({ reason }) => reason === 'node_lost'),
  )
  t.equal(view.state, 'running')
  cluster.change(first ?? '', { ClientStatus: 'running' })
  const back = await untilBuild(scheduler, '1', ({ slices }) =>
    slices.some(({ state, detail }) => state === 'running' && detail === ''),
  )
  t.equal(back.state, 'running')
})

for (const purge of [false, true]) {
  t.test(`a job that an operator ${purge ? 'purges' : 'stops'} is told so`, async (t) => {
    const { scheduler, cluster, dataDir } = await startScheduler(t, { settings: NO_RETRIES })
    await scheduler.submit(aRequest())
    await untilBuild(scheduler, '1', isPlaced)
    const [job] = cluster.jobs.keys()
    cluster.stopJob(job ?? '', { purge })
    const over = await untilBuild(scheduler, '1', isOver)
    t.match(over, { state: 'canceled', reason: 'stopped_by_operator' })
    await until(() => countOpenJobs(dataDir) === 0, 'the job is closed')
  })
}

t.test('the agent of a job that was purged still gets to report', async (t) => {
  const { scheduler, cluster } = await startScheduler(t, { settings: NO_RETRIES })
  await scheduler.submit(aRequest())
  const agent = await agentOf(cluster, scheduler)
  await agent.begin()
  const [job] = cluster.jobs.keys()
  cluster.stopJob(job ?? '', { purge: true })
  await untilBuild(scheduler, '1', ({ slices }) => slices[0]?.detail !== '')
  await agent.step(0, 'its last words', 'canceled')
  unwrap(await agent.report('stopped_by_operator', 'the node wants it to end'))
  const over = await untilBuild(scheduler, '1', isOver)
  t.match(over.slices[0], { detail: 'the node wants it to end', steps: [{ output: { have: 14 } }] })
})

t.test('Nomad ending an allocation at its time limit is a timeout, not a success', async (t) => {
  const { scheduler, cluster } = await startScheduler(t, { settings: NO_RETRIES })
  await scheduler.submit(aRequest())
  await untilBuild(scheduler, '1', isPlaced)
  const [allocation] = cluster.allocations.keys()
  cluster.change(allocation ?? '', {
    ClientStatus: 'complete',
    ClientDescription: 'allocation exceeded max_run_duration',
  })
  t.match(await untilBuild(scheduler, '1', isOver), { state: 'timed_out', reason: 'max_run_time' })
})

t.test('a slice without a place says why, as soon as Nomad does', async (t) => {
  const { scheduler, cluster } = await startScheduler(t, { settings: NO_RETRIES })
  cluster.places = false
  await scheduler.submit(aRequest())
  await untilBuild(scheduler, '1', ({ slices }) => slices[0]?.state === 'placing')
  const [job] = cluster.jobs.keys()
  const metric = {
    NodesEvaluated: 3,
    NodesFiltered: 0,
    NodesExhausted: 3,
    DimensionExhausted: { memory: 3 },
  }
  cluster.emit('Evaluation', {
    Evaluation: anEvaluation({ JobID: job ?? '', FailedTGAllocs: { slice: metric } }),
  })
  const waits = 'waits for capacity: memory exhausted on 3 nodes'
  await untilBuild(scheduler, '1', ({ slices }) => slices[0]?.detail === waits)
  cluster.place(job ?? '')
  const placed = await untilBuild(scheduler, '1', isPlaced)
  t.match(placed.slices[0], { state: 'placing', detail: '', node_name: 'worker-1' })
})

t.test('B13: what the stream did not tell is found in the lists after a gap', async (t) => {
  // On a clock that stands still nothing is looked at again for its own sake.
  const { scheduler, cluster } = await startScheduler(t, {
    clock: new TestClock(),
    settings: NO_RETRIES,
  })
  await scheduler.submit(aRequest({ parallelism: 2 }))
  for (const agent of await agentsOf(cluster, scheduler, 2)) await agent.begin()
  const told = cluster.emit.bind(cluster)
  cluster.emit = () => undefined
  const last = [...cluster.allocations.values()].find((each) => each.JobID.includes('-1-build-'))
  cluster.change(last?.ID ?? '', { ClientStatus: 'lost' })
  cluster.emit = told
  cluster.gap()
  const view = await untilBuild(scheduler, '1', ({ slices }) => slices[1]?.reason === 'node_lost')
  t.match(view.slices[0], { state: 'running', node_name: 'worker-1' })
})

t.test('B16: an old event changes nothing', async (t) => {
  const { scheduler, cluster } = await startScheduler(t, { settings: NO_RETRIES })
  await scheduler.submit(aRequest({ parallelism: 2 }))
  for (const agent of await agentsOf(cluster, scheduler, 2)) await agent.begin()
  const [first, second] = cluster.allocations.values()
  if (first === undefined || second === undefined) throw new Error('no allocations')
  const details = (view: BuildView) => view.slices.map(({ detail }) => detail).sort()
  const disconnected = 'node worker-1 is disconnected'
  cluster.change(first.ID, { ClientStatus: 'unknown' })
  await untilBuild(scheduler, '1', (view) => details(view)[1] === disconnected)
  cluster.change(first.ID, { ClientStatus: 'running' })
  await untilBuild(scheduler, '1', (view) => details(view)[1] === '')

  cluster.emit('Allocation', { Allocation: { ...first, ClientStatus: 'unknown' } })
  cluster.emit('Allocation', { Allocation: { ...first, ID: 'x', JobID: 'of somebody else' } })
  // Events are dealt with in their order: when this one is, the old ones are too.
  cluster.change(second.ID, { ClientStatus: 'unknown' })
  const seen = await untilBuild(scheduler, '1', (view) => details(view)[1] === disconnected)
  t.strictSame(details(seen), ['', disconnected])
})

t.test('without the event stream, and on an old server, lists are enough', async (t) => {
  const { scheduler, cluster } = await startScheduler(t, { settings: NO_RETRIES })
  cluster.hasEvents = false
  cluster.hasStatuses = false
  await scheduler.submit(aRequest({ parallelism: 2 }))
  await untilBuild(scheduler, '1', ({ slices }) => slices.every(({ state }) => state === 'placing'))
  const [allocation] = cluster.allocations.keys()
  cluster.change(allocation ?? '', { ClientStatus: 'lost' })
  const view = await untilBuild(scheduler, '1', ({ slices }) => slices[0]?.reason === 'node_lost')
  t.equal(view.slices[1]?.state, 'placing')
})

t.test('a restart finds out what happened while nobody looked', async (t) => {
  const dataDir = aFolder(t)
  const first = await startScheduler(t, { dataDir, settings: NO_RETRIES })
  await first.scheduler.submit(aRequest({ parallelism: 3 }))
  await untilBuild(first.scheduler, '1', isPlaced)
  await first.close()
  const [lost, gone] = [...first.cluster.jobs.keys()].sort()
  const { cluster } = first
  const allocation = [...cluster.allocations.values()].find((each) => each.JobID === lost)
  cluster.change(allocation?.ID ?? '', { ClientStatus: 'lost' })
  cluster.stopJob(gone ?? '', { purge: true })

  const second = await startScheduler(t, {
    dataDir,
    nomad: cluster,
    settings: NO_RETRIES,
  })
  const view = await untilBuild(second.scheduler, '1', ({ slices }) => {
    return slices.filter(({ state }) => isResult(state)).length === 2
  })
  t.strictSame(
    view.slices.map(({ reason }) => reason),
    ['node_lost', 'vanished', null],
  )
})

t.test(
  'an allocation that ends before its registration is answered is not overlooked',
  async (t) => {
    const { scheduler, cluster } = await startScheduler(t)
    const register = cluster.registerJob.bind(cluster)
    const answer = Promise.withResolvers<void>()
    cluster.registerJob = async (job) => {
      const outcome = await register(job)
      await answer.promise
      return outcome
    }
    await scheduler.submit(aRequest())
    await until(() => cluster.allocations.size === 1, 'the allocation')
    const [id] = cluster.allocations.keys()
    cluster.change(id ?? '', { ClientStatus: 'lost' })
    await untilBuild(scheduler, '1', isPlaced)
    setTimeout(() => answer.resolve(), 100)
    const view = await untilBuild(scheduler, '1', ({ slices }) => slices[0]?.epoch === 2)
    t.match(view.slices[0]?.earlier_attempts, [{ reason: 'node_lost' }])
  },
)

t.test(
  'a job that may yet come to be, of a slice that is over, is closed when its time is up',
  async (t) => {
    const clock = new TestClock()
    const { scheduler, cluster, dataDir } = await startScheduler(t, { clock })
    cluster.onRegister = () => {
      throw new CaravanError('NOMAD_UNKNOWN_OUTCOME', 'No cluster leader')
    }
    // Far from the looks at everything, which come once a minute.
    await clock.tick(30_000)
    await scheduler.submit(aRequest())
    await untilBuild(scheduler, '1', ({ slices }) => slices[0]?.state === 'submitting')
    await scheduler.cancelBuild('1')
    const canceledMs = clock.monotonic()
    await until(async () => {
      await clock.tick(500)
      return countOpenJobs(dataDir) === 0
    }, 'the job is closed')
    const tookMs = clock.monotonic() - canceledMs
    t.ok(tookMs >= 60_000 && tookMs < 75_000, `closed after ${tookMs} ms`)
  },
)

t.test(
  'many slices without a place cost Nomad a few lists, not questions about each',
  async (t) => {
    const clock = new TestClock()
    const { scheduler, cluster } = await startScheduler(t, { clock })
    cluster.places = false
    cluster.configuration = { SchedulerAlgorithm: 'binpack', PauseEvalBroker: true }
    const asked: Record<string, number> = {}
    for (const name of ['jobStatuses', 'jobAllocations', 'schedulerConfiguration'] as const) {
      const ask: (...given: never[]) => unknown = cluster[name].bind(cluster)
      const counted = (...given: never[]) => {
        asked[name] = (asked[name] ?? 0) + 1
        return ask(...given)
      }
      Object.assign(cluster, { [name]: counted })
    }
    await scheduler.submit(aRequest({ parallelism: 6 }))
    const view = await until(async () => {
      await clock.tick(100)
      const build = await scheduler.readBuild('1')
      return (
        build?.slices.every(({ detail }) => /paused its evaluation broker/.test(detail)) && build
      )
    }, 'they say why they wait')
    t.ok(view.slices.every(({ state }) => state === 'placing'))
    t.equal(asked['jobAllocations'], undefined)
    t.ok((asked['schedulerConfiguration'] ?? 0) <= 2)
    t.ok((asked['jobStatuses'] ?? 0) < 6, `${asked['jobStatuses']} lists`)
  },
)
