/** A cancel ends a slice wherever it stands, once, and leaves nothing that runs. */
import t from 'tap'
import { unwrap } from '../../scheduler/support/agent.ts'
import { aRequest, countOpenJobs, until, untilBuild } from '../../scheduler/support/scheduler.ts'
import {
  agentOfSlice,
  allAllocations,
  allJobs,
  isJobStop,
  isOver,
  isPlaced,
  isRegistration,
  startWorld,
} from './support/world.ts'

const isRunning = ({ ClientStatus }: { ClientStatus: string }) =>
  ['pending', 'running'].includes(ClientStatus)

for (const isMade of [false, true]) {
  const when = isMade ? 'after Nomad made the job' : 'before Nomad makes the job'
  t.test(`B53: a cancel in the middle of a registration, ${when}, ends it`, async (t) => {
    const { scheduler, nomad, faults, dataDir } = await startWorld(t)
    const gate = Promise.withResolvers<void>()
    let isUnderWay = false
    faults.on(isRegistration, async (_call, next) => {
      const made = isMade ? await next() : null
      isUnderWay = true
      await gate.promise
      return made ?? next()
    })
    await scheduler.submit(aRequest())
    await until(() => isUnderWay, 'the registration')
    await scheduler.cancelBuild('1')
    t.match(await untilBuild(scheduler, '1', isOver), {
      state: 'canceled',
      reason: 'canceled_by_user',
    })
    gate.resolve()
    await until(() => countOpenJobs(dataDir) === 0, 'the job to be closed')
    t.notOk((await allAllocations(nomad)).some(isRunning))
    t.equal((await allJobs(nomad)).filter(({ Stop }) => !Stop).length, 0)
  })
}

t.test('B53: the agent of a slice that was canceled before it called is refused', async (t) => {
  const { scheduler, nomad } = await startWorld(t)
  await scheduler.submit(aRequest())
  const agent = await agentOfSlice(scheduler, nomad)
  await scheduler.cancelBuild('1')
  t.match(await agent.claim(), { ok: false, refusal: 'fenced' })
})

t.test('B54: of a cancel and a report at the same time one counts, for good', async (t) => {
  const { scheduler, nomad, dataDir } = await startWorld(t)
  const count = 12
  await scheduler.submit(aRequest({ parallelism: count }))
  const agents = []
  for (let index = 0; index < count; index += 1) {
    const agent = await agentOfSlice(scheduler, nomad, index)
    await agent.begin()
    agents.push(agent)
  }
  const reports = agents.map((agent, index) => (index % 2 ? agent.report('succeeded') : null))
  const cancel = scheduler.cancelBuild('1')
  const late = agents.map((agent, index) => (index % 2 ? null : agent.report('canceled_by_user')))
  await Promise.all([...reports, cancel, ...late])
  const over = await untilBuild(scheduler, '1', isOver)
  t.equal(over.state, 'canceled')
  await scheduler.cancelBuild('1')
  for (const agent of agents) await agent.report('exit_code')
  const again = await scheduler.readBuild('1')
  const results = (view: typeof over | null) =>
    view?.slices.map(({ state, reason }) => [state, reason])
  t.same(results(again), results(over), 'nothing changes any more')
  for (const { nomad_job_id: id } of over.slices) await nomad.deregisterJob(id)
  await until(() => countOpenJobs(dataDir) === 0, 'all jobs are closed')
})

t.test(
  'B55: a cancel of a slice whose job is gone from Nomad is a cancel all the same',
  async (t) => {
    const { scheduler, nomad, faults, dataDir } = await startWorld(t)
    await scheduler.submit(aRequest())
    const { slices } = await untilBuild(scheduler, '1', isPlaced)
    const mend = faults.cutStream()
    await nomad.deregisterJob(slices[0]?.nomad_job_id ?? '', { purge: true })
    await scheduler.cancelBuild('1')
    t.match(await untilBuild(scheduler, '1', isOver), { reason: 'canceled_by_user' })
    mend()
    await until(() => countOpenJobs(dataDir) === 0, 'the job to be closed')
  },
)

t.test('B56: a cancel on a node that is gone is over as soon as Nomad says so', async (t) => {
  const { scheduler, nomad, engine, dataDir } = await startWorld(t)
  await scheduler.submit(aRequest())
  const agent = await agentOfSlice(scheduler, nomad)
  await agent.begin()
  await scheduler.cancelBuild('1')
  t.equal((await scheduler.readBuild('1'))?.state, 'running', 'the agent is asked first')
  const [allocation] = await allAllocations(nomad)
  engine.setNodeStatus(allocation?.NodeID ?? '', 'down')
  t.match(await untilBuild(scheduler, '1', isOver), {
    state: 'canceled',
    reason: 'canceled_by_user',
  })
  await until(() => countOpenJobs(dataDir) === 0, 'the job to be closed')
  t.match(await agent.report('succeeded'), { ok: false, refusal: 'fenced' })
})

t.test('B77: a hundred jobs are stopped a few at a time', async (t) => {
  const { scheduler, nomad, faults, dataDir } = await startWorld(t)
  let under = 0
  let most = 0
  faults.on(isJobStop, async (_call, next) => {
    under += 1
    most = Math.max(most, under)
    const reply = await next()
    under -= 1
    return reply
  })
  await scheduler.submit(aRequest({ parallelism: 120 }))
  await untilBuild(scheduler, '1', isPlaced)
  await scheduler.cancelBuild('1')
  await until(() => countOpenJobs(dataDir) === 0, 'all jobs are closed')
  t.ok(most <= 8, `${most} at once`)
  t.notOk((await allAllocations(nomad)).some(isRunning))
})

t.test('B54: an agent that is told to stop hears the first reason only', async (t) => {
  const { scheduler, nomad } = await startWorld(t)
  await scheduler.submit(aRequest())
  const agent = await agentOfSlice(scheduler, nomad)
  await agent.begin()
  await scheduler.cancelBuild('1')
  await scheduler.cancelBuild('1')
  const { control } = unwrap(await agent.send({ type: 'notice', text: 'still here' }))
  t.match(control, { action: 'cancel', reason: 'canceled_by_user' })
})
