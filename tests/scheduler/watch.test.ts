import t from 'tap'
import { isResult, type BuildView } from '../../src/model/index.ts'
import { TestClock } from '../../src/platform/index.ts'
import { agentOf, unwrap } from './support/agent.ts'
import { aRequest, startScheduler, until, untilBuild } from './support/scheduler.ts'

const isOver = (build: BuildView) => isResult(build.state)
const SECOND = 1000
const MINUTE = 60 * SECOND

/** A running slice on a clock that the test moves. */
async function onTestClock(t: Parameters<typeof startScheduler>[0]) {
  const clock = new TestClock()
  const started = await startScheduler(t, {
    clock,
    settings: {
      limits: { start: '2m', max_run_time: '20m', orphan: '5m', infrastructure_retries: 0 },
    },
  })
  // Time passes in small steps, as it does, so that nothing takes it for a standstill.
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= SECOND) await clock.tick(Math.min(left, SECOND))
  }
  await started.scheduler.submit(aRequest())
  await until(async () => {
    await pass(10)
    return started.cluster.allocations.size > 0
  }, 'an allocation')
  await pass(10)
  return { ...started, clock, pass, agent: await agentOf(started.cluster, started.scheduler) }
}

t.test('an agent that never claims ends the slice, and its job', async (t) => {
  const { scheduler, cluster, pass } = await onTestClock(t)
  await pass(MINUTE)
  t.equal((await scheduler.readBuild('1'))?.slices[0]?.state, 'placing')
  await pass(MINUTE + 5 * SECOND)
  const over = await untilBuild(scheduler, '1', isOver)
  t.match(over, { state: 'infrastructure_failed', reason: 'start_timeout' })
  await pass(SECOND)
  t.equal(cluster.stopped.length, 1)
})

t.test('a silent agent is suspect, fine again when it calls, and lost in the end', async (t) => {
  const { scheduler, agent, pass } = await onTestClock(t)
  await agent.begin()
  await pass(MINUTE + 5 * SECOND)
  const detail = async () => (await scheduler.readBuild('1'))?.slices[0]?.detail
  t.match(await detail(), /^the agent has been silent/)
  unwrap(await agent.send({ type: 'notice', text: 'still here' }))
  await pass(2 * SECOND)
  t.equal(await detail(), '')
  await pass(5 * MINUTE)
  t.equal((await scheduler.readBuild('1'))?.state, 'running')
  await pass(MINUTE + 5 * SECOND)
  t.match(await untilBuild(scheduler, '1', isOver), { reason: 'agent_lost' })
  t.match(await agent.send({ type: 'notice', text: 'back' }), { refusal: 'fenced' })
})

t.test('output of an agent that was given up is still taken, and changes no result', async (t) => {
  const { scheduler, cluster, agent, pass } = await onTestClock(t)
  await agent.begin()
  unwrap(await agent.send({ type: 'step_started', step: 0, attempt: 1 }))
  unwrap(await agent.output(0, 0, 'early'))
  await pass(6 * MINUTE + 5 * SECOND)
  t.match(await untilBuild(scheduler, '1', isOver), { reason: 'agent_lost' })
  await until(() => cluster.stopped.length === 1, 'its job is stopped')

  t.match(unwrap(await agent.output(0, 5, ' and late')), { have: 14 })
  t.match(unwrap(await agent.output(0, 5, ' and late')), { have: 14 }, 'repeated')
  t.match(await agent.output(1, 0, 'of no step'), { refusal: 'fenced' })
  t.match(await agent.report('succeeded'), { refusal: 'fenced' })
  const read = await scheduler.readOutput({ ref: '1', slice: 0, step: 0 }, { offset: 0 })
  t.equal((await read?.bytes.toArray())?.join(''), 'early and late')
  t.equal(read?.complete, false, 'nobody knows whether that was all')
  t.match(await scheduler.readBuild('1'), {
    state: 'infrastructure_failed',
    slices: [{ reason: 'agent_lost', steps: [{ state: 'canceled', output: { have: 14 } }] }],
  })
})

t.test('when we stood still ourselves, no agent is blamed for it', async (t) => {
  const { scheduler, clock, agent, pass } = await onTestClock(t)
  await agent.begin()
  clock.jump(86_400 * SECOND)
  await pass(2 * SECOND)
  const { control } = unwrap(await agent.send({ type: 'notice', text: 'here' }))
  t.equal(control.action, 'none', 'a jump of the wall clock is nothing')
  // Timers fire late, all at once, as after a suspended machine.
  const late = clock.monotonic.bind(clock)
  clock.monotonic = () => late() + 15 * MINUTE
  await pass(5 * SECOND)
  t.match(await scheduler.readBuild('1'), { state: 'running', slices: [{ detail: '' }] })
})

t.test(
  'B56: a cancel that its agent does not hear is carried out by Nomad, then without it',
  async (t) => {
    const { scheduler, cluster, agent, pass } = await onTestClock(t)
    await agent.begin()
    cluster.deregisterJob = (id) => {
      cluster.stopped.push(id)
      return Promise.resolve({ evalId: '', index: 0 })
    }
    await scheduler.cancelBuild('1')
    await pass(25 * SECOND)
    t.equal(cluster.stopped.length, 0)
    await pass(10 * SECOND)
    t.equal(cluster.stopped.length, 1)
    await pass(50 * SECOND)
    t.equal((await scheduler.readBuild('1'))?.state, 'running')
    await pass(20 * SECOND)
    t.match(await untilBuild(scheduler, '1', isOver), {
      state: 'canceled',
      reason: 'canceled_by_user',
      slices: [{ detail: 'the agent did not confirm' }],
    })
    t.ok(cluster.stopped.length >= 2, 'the job is still asked to stop')
  },
)

t.test('an agent that overruns the time limit is asked to stop', async (t) => {
  const { scheduler, agent, pass } = await onTestClock(t)
  await agent.begin()
  const work = async () => unwrap(await agent.send({ type: 'notice', text: 'working' })).control
  for (let minute = 0; minute < 20; minute++) {
    await pass(MINUTE)
    t.match(await work(), { action: 'none' })
  }
  // The agent has its own watch; ours comes a minute after it.
  await pass(MINUTE + 3 * SECOND)
  t.match(await work(), { action: 'cancel', reason: 'max_run_time' })
  await agent.report('max_run_time')
  t.match(await untilBuild(scheduler, '1', isOver), { state: 'timed_out' })
})

t.test('after a standstill, slices that were about to start get their time back', async (t) => {
  const { scheduler, clock, pass } = await onTestClock(t)
  await pass(MINUTE)
  const late = clock.monotonic.bind(clock)
  clock.monotonic = () => late() + 15 * MINUTE
  await pass(30 * SECOND)
  t.equal((await scheduler.readBuild('1'))?.slices[0]?.state, 'placing')
  await pass(40 * SECOND)
  t.match(await untilBuild(scheduler, '1', isOver), { reason: 'start_timeout' })
})
