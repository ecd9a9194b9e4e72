/** The scheduler on the embedded engine, over real HTTP, with agents that only say they ran. */
import t, { type Test } from 'tap'
import { startNomadEngine, type EngineOptions } from '../../src/dev/index.ts'
import { isResult, parseNomadJobId, type BuildView } from '../../src/model/index.ts'
import { createNomadClient, type NomadClient } from '../../src/nomad/index.ts'
import { silentLog, systemClock, systemRandom } from '../../src/platform/index.ts'
import type { Scheduler } from '../../src/scheduler/index.ts'
import { ScriptedAgent, unwrap } from '../scheduler/support/agent.ts'
import {
  NO_RETRIES,
  aFolder,
  aRequest,
  countOpenJobs,
  startScheduler,
  until,
  untilBuild,
} from '../scheduler/support/scheduler.ts'

const isOver = (build: BuildView) => isResult(build.state)
const isPlaced = ({ slices }: BuildView) => slices.every((slice) => slice.allocation_id !== null)

/** Tasks take a minute, longer than any test, and end when they are told to. */
async function startEngine(t: Test, more: Partial<EngineOptions> = {}) {
  const engine = await startNomadEngine({
    port: 0,
    dataDir: aFolder(t),
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    environment: {},
    nodes: [{ name: 'worker', simulate: () => ({ run_for: '60s' }) }],
    ...more,
  })
  t.teardown(() => engine.close({ stopTasks: true }))
  const nomad = createNomadClient({
    address: engine.url,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  })
  t.teardown(() => nomad.close())
  return { engine, nomad }
}

async function startOnEngine(t: Test, more: Partial<EngineOptions> = {}) {
  const { engine, nomad } = await startEngine(t, more)
  return { engine, nomad, ...(await startScheduler(t, { nomad, settings: NO_RETRIES })) }
}

async function agentOfSlice(
  scheduler: Scheduler,
  nomad: NomadClient,
  index: number,
): Promise<ScriptedAgent> {
  const view = await untilBuild(scheduler, '1', ({ slices }) => {
    return slices[index]?.allocation_id !== null
  })
  const slice = view.slices[index]
  const job = await nomad.readJob(slice?.nomad_job_id ?? '')
  const allocation = await nomad.readAllocation(slice?.allocation_id ?? '')
  if (job === null || allocation === null) throw new Error('Nomad does not know the slice')
  return new ScriptedAgent(scheduler.agents, job, allocation)
}

t.test('a parallel build: every slice a job, every job dead and still there', async (t) => {
  const { scheduler, nomad, dataDir } = await startOnEngine(t)
  await scheduler.submit(aRequest({ parallelism: 4 }, ['echo hello']))
  for (const index of [0, 1, 2, 3]) {
    const agent = await agentOfSlice(scheduler, nomad, index)
    await agent.begin()
    await agent.step(0, `hello from ${index}\n`)
    unwrap(await agent.report('succeeded'))
    const [allocation] = await nomad.jobAllocations(
      (await scheduler.readBuild('1'))?.slices[index]?.nomad_job_id ?? '',
    )
    t.match(allocation, { ClientStatus: 'running', NodeName: 'worker' })
  }
  const over = await untilBuild(scheduler, '1', isOver)
  t.match(over, { state: 'succeeded', slices: [{}, {}, {}, { node_name: 'worker' }] })

  for (const { nomad_job_id: id } of over.slices) {
    const job = await nomad.readJob(id)
    t.match(job, { Type: 'batch', Priority: 50, Meta: { org: 'acme', job: 'test' } })
    t.match(parseNomadJobId(id), { build: over.id, number: 1, epoch: 1 })
    await nomad.deregisterJob(id)
  }
  await until(() => countOpenJobs(dataDir) === 0, 'all jobs are closed')
  t.equal((await nomad.jobStatuses(over.slices.map((slice) => slice.nomad_job_id)))?.length, 4)
})

t.test('answers to registrations that get lost make no second job', async (t) => {
  let lost = 0
  const { scheduler, nomad } = await startOnEngine(t, {
    intercept: async (call, next) => {
      const reply = await next()
      const isRegistration = call.method === 'PUT' && /^\/v1\/jobs(\?|$)/.test(call.url)
      if (!isRegistration || reply.status !== 200) return reply
      lost += 1
      return { status: 500, headers: {}, body: 'leadership lost while committing log' }
    },
  })
  await scheduler.submit(aRequest({ parallelism: 3 }))
  const build = await untilBuild(scheduler, '1', isPlaced)
  t.equal(lost, 3)
  for (const slice of build.slices) {
    const allocations = await nomad.jobAllocations(slice.nomad_job_id, { all: true })
    t.equal(allocations.length, 1)
    t.equal((await nomad.readJob(slice.nomad_job_id))?.Version, 0)
  }
})

t.test('a node that goes down takes its slices along, and says so', async (t) => {
  const { scheduler, nomad, engine } = await startOnEngine(t)
  await scheduler.submit(aRequest())
  await (await agentOfSlice(scheduler, nomad, 0)).begin()
  const { NodeID } = (
    await nomad.jobAllocations((await scheduler.readBuild('1'))?.slices[0]?.nomad_job_id ?? '')
  )[0] ?? { NodeID: '' }
  engine.setNodeStatus(NodeID, 'down')
  t.match(await untilBuild(scheduler, '1', isOver), {
    state: 'infrastructure_failed',
    reason: 'node_lost',
  })
})

t.test('a drain ends its slices at its deadline, as drained', async (t) => {
  const { scheduler, nomad } = await startOnEngine(t)
  await scheduler.submit(aRequest())
  await untilBuild(scheduler, '1', isPlaced)
  const [node] = (await nomad.listNodes()[Symbol.asyncIterator]().next()).value?.items ?? []
  await nomad.drainNode(node?.ID ?? '', { deadlineMs: 100 })
  const over = await untilBuild(scheduler, '1', isOver)
  t.match(over, { state: 'infrastructure_failed', reason: 'drained' })
})

t.test(
  'what an operator does to a job or an allocation ends the slice with that reason',
  async (t) => {
    const { scheduler, nomad } = await startOnEngine(t)
    await scheduler.submit(aRequest({ parallelism: 3 }))
    const { slices } = await untilBuild(scheduler, '1', isPlaced)
    const [stopped, purged] = slices
    await nomad.deregisterJob(stopped?.nomad_job_id ?? '')
    await nomad.deregisterJob(purged?.nomad_job_id ?? '', { purge: true })
    await untilBuild(scheduler, '1', (build) => {
      return build.slices.filter(({ reason }) => reason === 'stopped_by_operator').length === 2
    })
    t.equal((await scheduler.readBuild('1'))?.slices[2]?.state, 'placing')
  },
)

t.test('a canceled build leaves nothing running, wherever its slices stood', async (t) => {
  const node = { name: 'worker', cpuMhz: 10_000, simulate: () => ({ run_for: '60s' }) }
  const { scheduler, nomad, dataDir } = await startOnEngine(t, { nodes: [node] })
  await scheduler.submit(aRequest({ parallelism: 8 }))
  // Two run, two wait in Nomad, the others wait with us.
  await (await agentOfSlice(scheduler, nomad, 0)).begin()
  const view = await untilBuild(scheduler, '1', ({ slices }) =>
    slices.some(({ detail }) => detail === 'waits for capacity: cpu exhausted on 1 node'),
  )
  t.ok(view.slices.some(({ state }) => state === 'waiting_run'))
  await scheduler.cancelBuild('1')
  const agent = await agentOfSlice(scheduler, nomad, 0)
  await agent.begin()
  unwrap(await agent.report('canceled_by_user'))
  t.match(await untilBuild(scheduler, '1', isOver), { state: 'canceled' })
  const open = () => countOpenJobs(dataDir)
  await nomad.deregisterJob(view.slices[0]?.nomad_job_id ?? '')
  await until(() => open() === 0, 'no job is open')
  for await (const page of nomad.listAllocations()) {
    t.ok(page.items.every(({ ClientStatus }) => ClientStatus === 'complete'))
  }
})

t.test('the next server adopts what the last one started', async (t) => {
  const { engine, nomad } = await startEngine(t)
  const dataDir = aFolder(t)
  const first = await startScheduler(t, { dataDir, nomad, settings: NO_RETRIES })
  await first.scheduler.submit(aRequest({ parallelism: 2 }, ['echo hello']))
  const before = await agentOfSlice(first.scheduler, nomad, 0)
  const claim = await before.begin()
  await first.close()

  const second = await startScheduler(t, { dataDir, nomad, settings: NO_RETRIES })
  const after = await agentOfSlice(second.scheduler, nomad, 0)
  t.equal((await after.begin()).session, claim.session)
  await after.step(0, 'hello')
  unwrap(await after.report('succeeded'))
  const node = (await nomad.readAllocation(after.allocationId))?.NodeID ?? ''
  engine.setNodeStatus(node, 'down')
  const over = await untilBuild(second.scheduler, '1', isOver)
  t.strictSame(
    over.slices.map(({ reason }) => reason),
    ['succeeded', 'node_lost'],
  )
})

t.test('a slice of a node that goes down is tried again on another one', async (t) => {
  const simulate = () => ({ run_for: '60s' })
  const nodes = ['one', 'two', 'three'].map((name) => ({ name, simulate }))
  const { engine, nomad } = await startEngine(t, { nodes })
  const { scheduler, dataDir } = await startScheduler(t, { nomad })
  await scheduler.submit(aRequest({}, ['echo hello']))
  const first = await agentOfSlice(scheduler, nomad, 0)
  await first.begin()
  const before = await nomad.readAllocation(first.allocationId)
  engine.setNodeStatus(before?.NodeID ?? '', 'down')
  await untilBuild(scheduler, '1', ({ slices }) => slices[0]?.epoch === 2)
  const agent = await agentOfSlice(scheduler, nomad, 0)
  t.not((await nomad.readAllocation(agent.allocationId))?.NodeName, before?.NodeName)
  await agent.begin()
  await agent.step(0, 'hello')
  unwrap(await agent.report('succeeded'))
  const over = await untilBuild(scheduler, '1', isOver)
  t.match(over, { state: 'succeeded', slices: [{ epoch: 2 }] })
  const attempts = over.slices[0]?.earlier_attempts ?? []
  t.match(attempts, [{ reason: 'node_lost', node_name: before?.NodeName }])
  const old = await nomad.readJob(attempts[0]?.nomad_job_id ?? '')
  t.equal(old?.Stop, true, 'the job of the first attempt is stopped')
  for (const slice of over.slices) await nomad.deregisterJob(slice.nomad_job_id)
  await until(() => countOpenJobs(dataDir) === 0, 'no job is open')
})
