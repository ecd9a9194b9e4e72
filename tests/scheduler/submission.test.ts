import t from 'tap'
import { CaravanError, isResult, type BuildView, type ErrorCode } from '../../src/model/index.ts'
import { TestClock } from '../../src/platform/index.ts'
import { agentOf } from './support/agent.ts'
import { aNode } from './support/nomad.ts'
import {
  aFolder,
  aRequest,
  countOpenJobs,
  startScheduler,
  until,
  untilBuild,
} from './support/scheduler.ts'

const isPlaced = ({ slices }: BuildView) => slices.every(({ state }) => state === 'placing')
const isOver = (build: BuildView) => isResult(build.state)

/** What the client throws for an answer of Nomad. */
function nomadError(code: ErrorCode, message: string, problem = '') {
  return new CaravanError(code, message, { detail: { problem } })
}

t.test('a registration whose answer is lost is read back and adopted, and made once', async (t) => {
  const { scheduler, cluster } = await startScheduler(t)
  cluster.onRegister = () => 'lost'
  await scheduler.submit(aRequest({ parallelism: 3 }))
  await untilBuild(scheduler, '1', isPlaced)
  t.equal(cluster.registrations, 3)
  t.equal(cluster.allocations.size, 3)
})

t.test('an outcome that nobody knows is tried again until it is known', async (t) => {
  const { scheduler, cluster } = await startScheduler(t)
  let isBroken = true
  cluster.onRegister = () => {
    if (isBroken) throw nomadError('NOMAD_UNKNOWN_OUTCOME', 'No cluster leader', 'no_leader')
    return undefined
  }
  await scheduler.submit(aRequest())
  // A slow machine shows why it waits for its turn first.
  const waiting = await untilBuild(
    scheduler,
    '1',
    ({ slices: [slice] }) => slice?.state === 'submitting' && slice.detail !== '',
  )
  t.match(waiting.slices[0], { detail: /^could not be submitted yet/ })
  isBroken = false
  await untilBuild(scheduler, '1', isPlaced)
  t.equal(cluster.registrations, 1)
})

t.test('one slice that Nomad does not take holds up none of the others', async (t) => {
  const { scheduler, cluster } = await startScheduler(t)
  cluster.onRegister = (job) => {
    if (job.ID.includes('-1-build-')) throw nomadError('NOMAD_UNKNOWN_OUTCOME', 'odd')
    return undefined
  }
  await scheduler.submit(aRequest({ parallelism: 3 }))
  const view = await untilBuild(scheduler, '1', ({ slices }) => {
    return slices.filter(({ state }) => state === 'placing').length === 2
  })
  t.equal(view.slices[1]?.state, 'submitting')
})

t.test('B7: a job that is not ours is never adopted, and never stopped', async (t) => {
  const { scheduler, cluster, dataDir } = await startScheduler(t)
  cluster.onRegister = (job) => {
    const foreign = { ...job, Meta: { ...job.Meta, install: 'another one' }, Status: 'running' }
    cluster.jobs.set(job.ID, foreign)
    return undefined
  }
  await scheduler.submit(aRequest())
  const over = await untilBuild(scheduler, '1', isOver)
  t.match(over, { state: 'infrastructure_failed', reason: 'cluster_rejected' })
  t.match(over.slices[0]?.detail, /a job of the same id that is not this slice/)
  t.equal(countOpenJobs(dataDir), 0)
  t.strictSame(cluster.stopped, [])
})

t.test('a job that Nomad refuses for what it is ends its slice with the words', async (t) => {
  const { scheduler, cluster } = await startScheduler(t)
  cluster.onRegister = () => {
    throw nomadError('NOMAD_REJECTED', 'Nomad refused the job: Missing job task groups', 'invalid')
  }
  await scheduler.submit(aRequest())
  const over = await untilBuild(scheduler, '1', isOver)
  t.match(over, { state: 'infrastructure_failed', reason: 'cluster_rejected' })
  t.match(over.slices[0]?.detail, /Missing job task groups/)
})

const HOLDS: [string, CaravanError][] = [
  ['our token may not register', nomadError('NOMAD_FORBIDDEN', 'Permission denied')],
  ['Nomad is away', nomadError('NOMAD_UNREACHABLE', 'connection refused')],
  [
    'the namespace is missing',
    nomadError('NOMAD_REJECTED', 'job is in nonexistent namespace', 'nonexistent_namespace'),
  ],
]
for (const [title, fault] of HOLDS) {
  t.test(`while ${title} the queue is held with the reason, and no build fails`, async (t) => {
    const { scheduler, cluster } = await startScheduler(t)
    let isHeld = true
    cluster.onRegister = () => {
      if (isHeld) throw fault
      return undefined
    }
    await scheduler.submit(aRequest({ parallelism: 3 }))
    await untilBuild(scheduler, '1', ({ state, slices }) => {
      return state === 'running' && slices.every(({ detail }) => detail === fault.message)
    })
    t.match(await scheduler.health(), [`submission is held: ${fault.message}`])
    isHeld = false
    // Nomad can be heard again: nobody waits for the next try.
    cluster.gap()
    await untilBuild(scheduler, '1', isPlaced)
    t.strictSame(await scheduler.health(), [])
  })
}

t.test('while the queue is held one slice at a time tries, more and more seldom', async (t) => {
  const clock = new TestClock()
  const { scheduler, cluster } = await startScheduler(t, { clock })
  let tries = 0
  cluster.onRegister = () => {
    tries += 1
    throw nomadError('NOMAD_FORBIDDEN', 'Permission denied')
  }
  await scheduler.submit(aRequest({ parallelism: 3 }))
  await until(() => tries === 3, 'all three try')
  // Each pause is about twice the one before, and at most the time that passes here.
  for (const [passedMs, count] of [
    [500, 4],
    [1000, 5],
    [2000, 6],
  ] as const) {
    await clock.tick(passedMs)
    t.equal(tries, count)
  }
})

t.test(
  'while the nodes can not be read builds wait with the reason, and go on at once',
  async (t) => {
    const { scheduler, cluster } = await startScheduler(t)
    cluster.listNodes = () => {
      throw nomadError('NOMAD_UNREACHABLE', 'connection refused')
    }
    cluster.emit('Node', {})
    await scheduler.submit(aRequest())
    await untilBuild(scheduler, '1', ({ slices }) => slices[0]?.detail === 'connection refused')
    Reflect.deleteProperty(cluster, 'listNodes')
    cluster.gap()
    await untilBuild(scheduler, '1', isPlaced)
  },
)

t.test('a slice canceled while its registration is under way leaves no job behind', async (t) => {
  const { scheduler, cluster, dataDir } = await startScheduler(t)
  // The first stop finds no job yet: the registration is carried out after it.
  cluster.onRegister = async () => {
    const view = await scheduler.cancelBuild('1')
    t.match(view, { state: 'canceled', reason: 'canceled_by_user' })
    await until(() => cluster.stopped.length === 1, 'the first stop')
    return undefined
  }
  await scheduler.submit(aRequest())
  await until(() => cluster.stopped.length === 2, 'the second stop')
  await until(() => countOpenJobs(dataDir) === 0, 'the job is closed')
  t.equal([...cluster.jobs.values()][0]?.Stop, true)
})

t.test('a slice that waits is canceled without a trace in Nomad', async (t) => {
  const { scheduler, cluster } = await startScheduler(t)
  cluster.nodes = []
  await scheduler.submit(aRequest({ parallelism: 2 }))
  t.match(await scheduler.cancelBuild('1'), { state: 'canceled', seconds: Number })
  t.equal(cluster.jobs.size, 0)
  t.strictSame(cluster.stopped, [])
})

t.test('what was submitting when the server died is settled by the next one', async (t) => {
  const dataDir = aFolder(t)
  const first = await startScheduler(t, { dataDir })
  // One arrived, one did not, and the server knows of neither.
  first.cluster.onRegister = (job) => {
    if (job.ID.includes('-0-build-')) return 'lost'
    throw nomadError('NOMAD_UNKNOWN_OUTCOME', 'cut')
  }
  first.cluster.readJob = () => Promise.reject(nomadError('NOMAD_UNREACHABLE', 'away'))
  await first.scheduler.submit(aRequest({ parallelism: 2 }))
  await untilBuild(first.scheduler, '1', ({ slices }) =>
    slices.every(({ state }) => state === 'submitting'),
  )
  await until(() => first.cluster.registrations === 1, 'one job')
  await first.close()

  const nomad = first.cluster
  Reflect.deleteProperty(nomad, 'readJob')
  nomad.onRegister = () => undefined
  const second = await startScheduler(t, { dataDir, nomad })
  await untilBuild(second.scheduler, '1', isPlaced)
  t.equal(nomad.registrations, 2)
  t.equal(nomad.allocations.size, 2)
})

t.test('B6, B88: a data directory belongs to one server at a time', async (t) => {
  const first = await startScheduler(t)
  await t.rejects(startScheduler(t, { dataDir: first.dataDir }), { code: 'DATA_DIR_LOCKED' })
  await first.close()
  const second = await startScheduler(t, { dataDir: first.dataDir })
  t.strictSame(await second.scheduler.listBuilds({ limit: 1 }), { builds: [], next_cursor: null })
})

t.test('builds go on over a restart: same sessions, same events, same result', async (t) => {
  const dataDir = aFolder(t)
  const first = await startScheduler(t, { dataDir })
  await first.scheduler.submit(aRequest({}, ['one', 'two']))
  const before = await agentOf(first.cluster, first.scheduler)
  const claim = await before.begin()
  await before.step(0, 'first')
  await first.close()

  const second = await startScheduler(t, { dataDir, nomad: first.cluster })
  const after = await agentOf(first.cluster, second.scheduler)
  t.equal((await after.begin()).session, claim.session)
  await after.step(0, 'first')
  await after.step(1, 'second')
  await after.report('succeeded')
  const over = await untilBuild(second.scheduler, '1', isOver)
  t.match(over, {
    state: 'succeeded',
    slices: [{ steps: [{ state: 'succeeded' }, { output: { length: 6, have: 6 } }] }],
  })
})

t.test('Nomad gets so many calls at once and never waits for the rows of others', async (t) => {
  const { scheduler, cluster } = await startScheduler(t)
  const large = { Cpu: { CpuShares: 400_000 }, Memory: { MemoryMB: 800_000 } }
  cluster.nodes = [aNode({ NodeResources: large })]
  cluster.emit('Node', {})
  let calls = 0
  const going = Promise.withResolvers<void>()
  cluster.onRegister = async () => {
    calls += 1
    await going.promise
    return undefined
  }
  await scheduler.submit(aRequest({ parallelism: 60 }))
  // The intents of all are stored while the calls of the first are under way.
  await untilBuild(scheduler, '1', ({ slices }) => {
    return slices.every(({ state }) => state === 'submitting')
  })
  t.equal(calls, 24)
  going.resolve()
  await untilBuild(scheduler, '1', isPlaced)
})
