import t, { type Test } from 'tap'
import { isResult, type BuildView } from '../../../src/model/index.ts'
import { TestClock, systemClock, type Clock } from '../../../src/platform/index.ts'
import { gatherMetrics } from '../support/metrics.ts'
import { agentOf, stepFinished, unwrap } from '../support/agent.ts'
import { aRequest, countOpenJobs, startScheduler, until, untilBuild } from '../support/scheduler.ts'

const isOver = (build: BuildView) => isResult(build.state)

/** @param clock one that stands still leaves nothing but what is told to move the slice on. */
async function runningAgent(t: Test, steps: readonly string[], clock: Clock = systemClock) {
  const started = await startScheduler(t, { clock })
  await started.scheduler.submit(aRequest({}, steps))
  const agent = await agentOf(started.cluster, started.scheduler)
  await agent.begin()
  return { ...started, agent }
}

t.test('events are applied once and in order, however they are sent', async (t) => {
  const { scheduler, agent } = await runningAgent(t, ['one', 'two'])
  const { agents } = scheduler
  const [start, end, next] = agent.ordered(
    { type: 'step_started', step: 0, attempt: 1, shell: '/bin/sh -e' },
    stepFinished(0, ''),
    { type: 'step_started', step: 1, attempt: 1 },
  )
  if (!start || !end || !next) throw new Error('three events')
  const applied = async (...events: (typeof start)[]) =>
    unwrap(await agents.events(agent.caller, events)).applied

  t.equal(await applied(end), 0, 'a gap at the front is not taken')
  t.equal(await applied(start, next), 1, 'nor one in the middle')
  t.equal(await applied(start), 1, 'a repetition changes nothing')
  t.equal(await applied(start, end, next), 3)
  t.equal(await applied(next, end, start), 3)
  const view = await scheduler.readBuild('1')
  t.strictSame(
    view?.slices[0]?.steps.map(({ state }) => state),
    ['succeeded', 'running'],
  )
})

t.test('the result waits for the output of all steps that are over', async (t) => {
  const { scheduler, agent } = await runningAgent(t, ['one', 'two'], new TestClock())
  await agent.send(stepFinished(0, 'hello world'), stepFinished(1, 'second'))
  unwrap(await agent.report('succeeded'))
  unwrap(await agent.output(0, 0, 'hello '))
  unwrap(await agent.output(1, 0, 'second'))
  const finishing = await untilBuild(
    scheduler,
    '1',
    ({ slices }) => slices[0]?.state === 'finishing',
  )
  t.match(finishing.slices[0]?.steps, [
    { output: { length: 11, have: 6 } },
    { output: { have: 6 } },
  ])
  t.equal(unwrap(await agent.output(0, 6, 'world and more than it said')).have, 11)
  const over = await untilBuild(scheduler, '1', isOver)
  t.match(over, { state: 'succeeded', slices: [{ steps: [{ output: { have: 11 } }, {}] }] })
})

t.test('C-7: output is kept once, and the answer says how much there is', async (t) => {
  const { agent } = await runningAgent(t, ['one'])
  const have = async (offset: number, text: string) =>
    unwrap(await agent.output(0, offset, text)).have
  t.equal(await have(0, 'abc'), 3)
  t.equal(await have(0, 'abc'), 3, 'a duplicate')
  t.equal(await have(1, 'bcde'), 5, 'half a duplicate')
  t.equal(await have(9, 'xyz'), 5, 'from beyond the end')
  await t.rejects(agent.output(7, 0, 'no such step'), { code: 'INPUT_INVALID' })
})

t.test('output beyond the limit is not taken', async (t) => {
  const started = await startScheduler(t, { settings: { limits: { output: '10KB' } } })
  await started.scheduler.submit(aRequest())
  const agent = await agentOf(started.cluster, started.scheduler)
  await agent.begin()
  const text = 'x'.repeat(20_000)
  // The marker that tells of the cut stands beyond the limit.
  t.equal(unwrap(await agent.output(0, 0, text)).have, 10_000 + 4096)
  t.equal(unwrap(await agent.output(0, 14_096, text)).have, 14_096)
})

t.test('damaged output is told, and is no reason to wait for ever', async (t) => {
  const { scheduler, agent } = await runningAgent(t, ['one'])
  const told: string[] = []
  const watch = new AbortController()
  const following = (async () => {
    for await (const event of scheduler.follow('1', { output: false }, watch.signal)) {
      if (event.type === 'notice') told.push(event.text)
    }
  })()
  await agent.output(0, 0, 'abd')
  await agent.send(stepFinished(0, 'abc'))
  await agent.report('succeeded')
  await untilBuild(scheduler, '1', isOver)
  await following
  t.match(told, [/output of step 0 is damaged/])
  const read = await scheduler.readOutput({ ref: '1', slice: 0, step: 0 }, { offset: 0 })
  t.equal(read?.complete, false)
  await read?.bytes.toArray()
})

t.test(
  'output that comes after the result fills what was missing, and changes no result',
  async (t) => {
    const { scheduler, agent } = await runningAgent(t, ['one'])
    await agent.output(0, 0, 'abc')
    await agent.send(stepFinished(0, 'abcdef'))
    await scheduler.agents.events(agent.caller, [])
    const place = { ref: '1', slice: 0, step: 0 }
    await scheduler.cancelBuild('1')
    await agent.report('succeeded')
    t.equal(unwrap(await agent.output(0, 3, 'def and more')).have, 6, 'what it announced, no more')
    await untilBuild(scheduler, '1', isOver)
    const read = await scheduler.readOutput(place, { offset: 0 })
    t.equal(read?.complete, true)
    t.equal(String(Buffer.concat((await read?.bytes.toArray()) ?? [])), 'abcdef')
    t.match(await agent.output(0, 6, 'more'), { ok: false, refusal: 'fenced' })
    t.match(await agent.output(3, 0, 'no such step'), { ok: false, refusal: 'fenced' })
  },
)

t.test('the agent may repeat its last words after the result, and add nothing', async (t) => {
  const { scheduler, cluster, agent, dataDir } = await runningAgent(t, ['one'])
  await agent.step(0, 'hello')
  const last = agent.ordered({
    type: 'slice_finished',
    result: 'succeeded',
    reason: 'succeeded',
    detail: '',
  })
  unwrap(await scheduler.agents.events(agent.caller, last))
  await untilBuild(scheduler, '1', isOver)
  const repeat = async () => {
    t.equal(unwrap(await scheduler.agents.events(agent.caller, last)).applied, 3)
    t.equal(unwrap(await agent.output(0, 0, 'hello')).have, 5)
    t.match(await agent.output(0, 5, 'more'), { refusal: 'fenced' })
    t.match(await agent.send({ type: 'notice', text: 'one more thing' }), { refusal: 'fenced' })
  }
  await repeat()
  for (const id of cluster.allocations.keys()) cluster.change(id, { ClientStatus: 'complete' })
  cluster.gap()
  await until(() => countOpenJobs(dataDir) === 0, 'the job is closed')
  await repeat()
})

t.test('what makes no sense is counted, and changes nothing', async (t) => {
  const { scheduler, agent } = await runningAgent(t, ['one'])
  const { applied } = unwrap(
    await agent.send(
      { type: 'step_started', step: 40, attempt: 1 },
      stepFinished(0, ''),
      { type: 'step_started', step: 0, attempt: 1 },
      { type: 'notice', text: 'slow disk', step: 0 },
    ),
  )
  t.equal(applied, 4)
  const view = await scheduler.readBuild('1')
  t.strictSame(
    view?.slices[0]?.steps.map(({ state }) => state),
    ['succeeded'],
  )
})

t.test('a cancel reaches the agent at once, and its report is the result', async (t) => {
  const { scheduler, agent } = await runningAgent(t, ['sleep'])
  const { signal } = new AbortController()
  const { agents } = scheduler
  const still = await agents.control(agent.caller, { seen: 1, waitMs: 0 }, signal)
  t.match(unwrap(still), { control: { version: 1, action: 'none' } })

  const waiting = agents.control(agent.caller, { seen: 1, waitMs: 60_000 }, signal)
  const view = await scheduler.cancelBuild('1')
  t.equal(view?.state, 'running', 'its agent has yet to end it')
  const orders = { action: 'cancel', reason: 'canceled_by_user' }
  t.match(unwrap(await waiting), { control: orders })
  t.match(unwrap(await agents.why(agent.caller)), { control: orders })
  t.match(unwrap(await agent.report('canceled_by_user')), { control: orders })
  t.match(await untilBuild(scheduler, '1', isOver), {
    state: 'canceled',
    reason: 'canceled_by_user',
  })
})

t.test('a cancel that comes after the report is too late', async (t) => {
  const { scheduler, agent } = await runningAgent(t, ['one'])
  await agent.report('succeeded')
  await untilBuild(scheduler, '1', isOver)
  t.match(await scheduler.cancelBuild('1'), { state: 'succeeded' })
})

t.test('a long poll ends with its time, its caller and the server', async (t) => {
  const { scheduler, agent, close } = await runningAgent(t, ['one'])
  const poll = (waitMs: number, signal = new AbortController().signal) =>
    scheduler.agents.control(agent.caller, { seen: 1, waitMs }, signal)
  t.match(unwrap(await poll(5)), { control: { version: 1 } })
  const hungUp = new AbortController()
  const abandoned = poll(60_000, hungUp.signal)
  hungUp.abort()
  t.match(unwrap(await abandoned), { control: { version: 1 } })
  const last = poll(60_000)
  await close()
  t.match(unwrap(await last), { control: { version: 1 } })
})

t.test('an agent that asks why it got a signal is told what Nomad wants', async (t) => {
  const { scheduler, cluster, agent } = await runningAgent(t, ['one'])
  const why = async () => {
    const { control } = unwrap(await scheduler.agents.why(agent.caller))
    return control.action === 'none' ? 'none' : control.reason
  }
  const [allocation] = cluster.allocations.keys()
  if (allocation === undefined) throw new Error('no allocation')
  t.equal(await why(), 'none')
  cluster.change(allocation, { DesiredStatus: 'evict' })
  t.equal(await why(), 'preempted')
  const drain = {
    DesiredStatus: 'stop',
    DesiredTransition: { MigrateDisablePlacement: true },
  } as const
  cluster.change(allocation, drain)
  t.equal(await why(), 'drained')
  cluster.change(allocation, { DesiredTransition: { Migrate: true, Reschedule: true } })
  t.equal(await why(), 'stopped_by_operator')
  const [job] = cluster.jobs.keys()
  cluster.change(allocation, { DesiredStatus: 'run' })
  t.equal(await why(), 'none')
  cluster.jobs.delete(job ?? '')
  t.equal(await why(), 'stopped_by_operator')
})

t.test('what an agent tells of its output and its disk is counted once', async (t) => {
  const { sink, lines } = gatherMetrics(/^circle\.agent\.(output|spool)/)
  const started = await startScheduler(t, { metrics: sink })
  await started.scheduler.submit(aRequest({}, ['one', 'two']))
  const agent = await agentOf(started.cluster, started.scheduler)
  await agent.begin()
  const { agents } = started.scheduler
  const events = agent.ordered(stepFinished(0, 'hello'), stepFinished(1, 'you'))
  unwrap(await agents.events(agent.caller, events))
  unwrap(await agents.events(agent.caller, events))
  unwrap(await agent.send(stepFinished(0, 'another end of the same step')))
  t.same(lines, ['circle.agent.output.bytes 5', 'circle.agent.output.bytes 3'])
  unwrap(await agent.output(0, 0, 'hello'))
  unwrap(await agent.output(1, 0, 'you'))
  const last = agent.ordered({
    type: 'slice_finished',
    result: 'succeeded',
    reason: 'succeeded',
    detail: '',
    spool_peak_bytes: 70_000,
  })
  unwrap(await agents.events(agent.caller, last))
  await untilBuild(started.scheduler, '1', isOver)
  unwrap(await agents.events(agent.caller, last))
  t.same(lines.slice(2), ['circle.agent.spool.peak 70000'])
})

t.test('an agent that tells nothing of its disk has no peak', async (t) => {
  const { sink, lines } = gatherMetrics(/^circle\.agent\.spool/)
  const started = await startScheduler(t, { metrics: sink })
  await started.scheduler.submit(aRequest({}, ['one']))
  const agent = await agentOf(started.cluster, started.scheduler)
  await agent.begin()
  unwrap(await agent.report('succeeded'))
  await untilBuild(started.scheduler, '1', isOver)
  t.same(lines, [])
})
