/** How a slice ended is its agent's to say; Nomad is asked when the agent is silent. */
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import type { Reason } from '../../../src/model/index.ts'
import { ScriptedAgent, unwrap } from '../../scheduler/support/agent.ts'
import { aRequest, countOpenJobs, until, untilBuild } from '../../scheduler/support/scheduler.ts'
import { MINUTE, SECOND, onTestClock } from './support/driven.ts'
import {
  agentOfSlice,
  isOver,
  isPlaced,
  startWorld,
  untilPassing,
  type Faults,
  type WorldOptions,
} from './support/world.ts'

/** A slice whose agent works. */
async function startRunning(t: Test, options: WorldOptions = {}) {
  const world = await startWorld(t, options)
  await world.scheduler.submit(aRequest({}, ['echo hello']))
  const agent = await agentOfSlice(world.scheduler, world.nomad)
  await agent.begin()
  const { slices } = await untilBuild(world.scheduler, '1', isPlaced)
  return { ...world, agent, job: slices[0]?.nomad_job_id ?? '' }
}

const collectGarbage = async (url: string) => {
  const answer = await fetch(`${url}/v1/system/gc`, { method: 'PUT' })
  await answer.body?.cancel()
}

for (const reason of ['succeeded', 'exit_code'] as const satisfies Reason[]) {
  t.test(`B30, B50: "${reason}" stays, however the task of the agent ends after it`, async (t) => {
    const node = { name: 'worker', simulate: () => ({ run_for: '1h', kill_after: '1h' }) }
    const { scheduler, nomad, agent, job } = await startRunning(t, { engine: { nodes: [node] } })
    await agent.step(0, 'hello\n', reason === 'succeeded' ? 'succeeded' : 'failed')
    unwrap(await agent.report(reason))
    // Killed in the end, with exit code 137; Nomad calls that complete, since it was asked to stop.
    await nomad.deregisterJob(job)
    const over = await untilBuild(scheduler, '1', isOver)
    t.match(over, { state: reason === 'succeeded' ? 'succeeded' : 'failed', reason })
    t.equal((await scheduler.readBuild('1'))?.reason, reason)
  })
}

t.test('B50: a task that ends well without a word of its agent is no success', async (t) => {
  const node = { name: 'worker', simulate: () => ({ run_for: '300ms', exit_code: 0 }) }
  const { scheduler, nomad } = await startWorld(t, { engine: { nodes: [node] } })
  await scheduler.submit(aRequest())
  const over = await untilBuild(scheduler, '1', isOver)
  t.match(over, { state: 'infrastructure_failed', reason: 'agent_crashed' })
  const id = over.slices[0]?.nomad_job_id ?? ''
  t.match(await nomad.jobAllocations(id), [{ ClientStatus: 'complete' }])
})

/** Whatever Nomad says of a job's status, in place of it. */
function sayOfJobs(faults: Faults, status: string): void {
  faults.rewrite(
    ({ url }) => /^\/v1\/job(s\/statuses|\/[^/?]+(\?|$))/.test(url),
    (text) => text.replaceAll(/"Status":"\w+"/g, `"Status":"${status}"`),
  )
}

t.test('B51: a dead job that Nomad calls pending again is over all the same', async (t) => {
  const { scheduler, nomad, faults, job } = await startRunning(t)
  sayOfJobs(faults, 'pending')
  await nomad.deregisterJob(job)
  t.match(await untilBuild(scheduler, '1', isOver), { reason: 'stopped_by_operator' })
})

t.test('B52: a job that Nomad calls dead while its slice runs is waited for', async (t) => {
  const world = await onTestClock(t)
  await world.untilPlaced()
  const agent = await agentOfSlice(world.scheduler, world.nomad)
  await agent.begin()
  sayOfJobs(world.faults, 'dead')
  // Two of the looks at everything that come once a minute.
  await world.pass(2 * MINUTE + SECOND)
  t.ok(world.faults.calls.filter((call) => call.includes('/v1/jobs/statuses')).length >= 2)
  t.match(await world.view(), { state: 'running' })
  await agent.step(0, 'hello\n')
  unwrap(await agent.report('succeeded'))
  t.match(await world.untilOver(), { state: 'succeeded' })
})

t.test(
  'B46: a job that is gone from Nomad is over when its agent is silent, not before',
  async (t) => {
    const world = await onTestClock(t)
    await world.untilPlaced()
    const { nomad, engine, clock, view } = world
    const agent = await agentOfSlice(world.scheduler, nomad)
    await agent.begin()
    const { nomad_job_id: job = '' } = (await view()) ?? {}
    // Stopped and collected while nobody told us: only lists show that it is gone.
    world.faults.cutStream()
    await nomad.deregisterJob(job)
    const isCollected = async () => {
      await collectGarbage(engine.url)
      return (await nomad.readJob(job)) === null
    }
    await untilPassing(clock, isCollected, 'the job to be collected')
    for (let seconds = 0; seconds < 70; seconds += 10) {
      await world.pass(10 * SECOND)
      unwrap(await agent.send({ type: 'notice', text: 'still here' }))
    }
    t.match(await view(), { state: 'running', detail: /does not run the job/ })
    await world.pass(2 * MINUTE)
    t.match(await world.untilOver(), { reason: 'vanished' })
  },
)

t.test('B46: the report of an agent whose job is gone from Nomad counts', async (t) => {
  const { scheduler, nomad, faults, agent, job, dataDir } = await startRunning(t)
  const mend = faults.cutStream()
  await nomad.deregisterJob(job, { purge: true })
  mend()
  await untilBuild(scheduler, '1', ({ slices }) =>
    /does not run the job/.test(slices[0]?.detail ?? ''),
  )
  await agent.step(0, 'hello\n')
  unwrap(await agent.report('succeeded'))
  t.match(await untilBuild(scheduler, '1', isOver), { state: 'succeeded' })
  await until(() => countOpenJobs(dataDir) === 0, 'the job to be closed')
})

t.test('B47, B49: what an operator collects is still here, result and output', async (t) => {
  const { scheduler, nomad, engine, agent, job, dataDir } = await startRunning(t)
  await collectGarbage(engine.url)
  t.equal((await scheduler.readBuild('1'))?.state, 'running', 'what runs is not collected')
  await agent.step(0, 'hello\n')
  unwrap(await agent.report('succeeded'))
  await nomad.deregisterJob(job)
  await until(async () => {
    await collectGarbage(engine.url)
    return (await nomad.readJob(job)) === null
  }, 'the job to be collected')
  t.match(await untilBuild(scheduler, '1', isOver), { state: 'succeeded' })
  await until(() => countOpenJobs(dataDir) === 0, 'the job to be closed')
  const output = await scheduler.readOutput({ ref: '1', slice: 0, step: 0 }, { offset: 0 })
  t.equal(output && (await text(output.bytes)), 'hello\n')
})

t.test('B48: an allocation that comes after the result has nothing to run', async (t) => {
  const { scheduler, nomad, agent, job } = await startRunning(t)
  await agent.step(0, 'hello\n')
  unwrap(await agent.report('succeeded'))
  await untilBuild(scheduler, '1', isOver)
  // As an old server that runs finished work once more: the same job, placed again.
  const spec = await nomad.readJob(job)
  await nomad.deregisterJob(job, { purge: true })
  if (spec === null) throw new Error('no job')
  await nomad.registerJob({ ...spec, Stop: false })
  const again = await until(async () => (await nomad.jobAllocations(job))[0], 'a new allocation')
  const late = new ScriptedAgent(scheduler.agents, spec, again)
  t.match(await late.claim(), { ok: false, refusal: 'fenced' })
  t.match(await scheduler.readBuild('1'), { state: 'succeeded' })
})

t.test(
  'B89: an allocation that an operator stops is told so, and no other takes its place',
  async (t) => {
    const { scheduler, nomad, engine, agent, job } = await startRunning(t)
    const url = `${engine.url}/v1/allocation/${agent.allocationId}/stop?reschedule=true`
    const answer = await fetch(url, { method: 'PUT' })
    await answer.body?.cancel()
    t.match(await untilBuild(scheduler, '1', isOver), {
      state: 'canceled',
      reason: 'stopped_by_operator',
    })
    await until(async () => (await nomad.readJob(job))?.Status === 'dead', 'the job to be dead')
    t.equal((await nomad.jobAllocations(job, { all: true })).length, 1)
    t.match(await agent.report('succeeded'), { ok: false, refusal: 'fenced' })
  },
)

for (const purge of [false, true]) {
  const what = purge ? 'purges' : 'stops'
  t.test(`B90: a job that an operator ${what} is canceled, and counts no more`, async (t) => {
    const small = { name: 'small', cpuMhz: 5000, simulate: () => ({ run_for: '1h' }) }
    const { scheduler, nomad, dataDir } = await startWorld(t, { engine: { nodes: [small] } })
    await scheduler.submit(aRequest())
    const { slices } = await untilBuild(scheduler, '1', isPlaced)
    await nomad.deregisterJob(slices[0]?.nomad_job_id ?? '', { purge })
    t.match(await untilBuild(scheduler, '1', isOver), {
      state: 'canceled',
      reason: 'stopped_by_operator',
    })
    await until(() => countOpenJobs(dataDir) === 0, 'the job to be closed')
    await scheduler.submit(aRequest())
    await untilBuild(scheduler, '2', isPlaced)
  })
}

t.test('B27: a slice that gives way to a job of higher priority is told so', async (t) => {
  const { scheduler, nomad, faults, job } = await startRunning(t)
  faults.rewrite(
    ({ url }) => /^\/v1\/job\/[^/]+\/allocations/.test(url),
    (text) =>
      text
        .replaceAll('"DesiredStatus":"stop"', '"DesiredStatus":"evict"')
        .replaceAll('"PreemptedByAllocation":""', '"PreemptedByAllocation":"another"'),
  )
  await nomad.deregisterJob(job)
  t.match(await untilBuild(scheduler, '1', isOver), {
    state: 'infrastructure_failed',
    reason: 'preempted',
  })
})
