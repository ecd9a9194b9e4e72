/** What the mere passing of time does, with clocks that the test moves, differ or jump. */
import t from 'tap'
import { systemClock, type Clock } from '../../../src/platform/index.ts'
import { unwrap } from '../../scheduler/support/agent.ts'
import { aRequest, untilBuild } from '../../scheduler/support/scheduler.ts'
import { MINUTE, SECOND, onTestClock, readOver } from './support/driven.ts'
import {
  agentOfSlice,
  isOver,
  isPlaced,
  startWorld,
  untilPassing,
  type Faults,
} from './support/world.ts'

t.test(
  'B20, B81: a silent agent is suspect, and no more, until its orphan limit has passed',
  async (t) => {
    const world = await onTestClock(t)
    await world.untilPlaced()
    const agent = await agentOfSlice(world.scheduler, world.nomad)
    await agent.begin()
    // Nomad takes five minutes to notice a node that died during an election.
    await world.pass(MINUTE + 5 * SECOND)
    t.match(await world.view(), { state: 'running', detail: /^the agent has been silent/ })
    unwrap(await agent.send({ type: 'notice', text: 'still here' }))
    await world.pass(2 * SECOND)
    t.match(await world.view(), { state: 'running', detail: '' })
    await world.pass(5 * MINUTE)
    t.match(await world.view(), { state: 'running', epoch: 1 })
    await world.pass(MINUTE + 5 * SECOND)
    t.match(await world.untilOver(), { reason: 'agent_lost' })
    t.match(await agent.report('succeeded'), { ok: false, refusal: 'fenced' })
  },
)

/** Agents may be silent for long, so that only the limit on the whole run ends anything. */
const PATIENT = { limits: { start: '2m', max_run_time: '20m', orphan: '2h' } }

t.test('B31, B32: what Nomad ends at its time limit has timed out, pulls included', async (t) => {
  const world = await onTestClock(t, { settings: PATIENT })
  await world.untilPlaced()
  const { nomad_job_id: id = '' } = (await world.view()) ?? {}
  const job = await world.nomad.readJob(id)
  // From placed to claimed, what the user may run, and a margin for the two guards before it.
  t.equal(job?.TaskGroups[0]?.MaxRunDuration, (2 + 20 + 5) * MINUTE * 1e6)
  await (await agentOfSlice(world.scheduler, world.nomad)).begin()
  // It is the last guard: for when neither the agent nor we can end it.
  await world.close()
  await world.clock.tick(27 * MINUTE)
  const [allocation] = await world.nomad.jobAllocations(id)
  t.equal(allocation?.ClientStatus, 'complete')
  const { scheduler } = await world.startAnother({ dataDir: world.dataDir })
  const over = await untilPassing(world.clock, () => readOver(scheduler), 'the end')
  t.match(over, { state: 'timed_out', reason: 'max_run_time' })
})

t.test('B33: on a server without time limits the agent is asked, then Nomad', async (t) => {
  const rig = (faults: Faults) => {
    faults.rewrite(
      ({ url }) => url.startsWith('/v1/agent/self'),
      (text) => text.replaceAll(/\b2\.0\.\d+/g, '1.7.7'),
    )
  }
  const world = await onTestClock(t, { settings: PATIENT, rig })
  await world.untilPlaced()
  const job = await world.nomad.readJob((await world.view())?.nomad_job_id ?? '')
  t.notOk(job?.TaskGroups[0]?.MaxRunDuration)
  const agent = await agentOfSlice(world.scheduler, world.nomad)
  await agent.begin()
  await world.pass(21 * MINUTE + 5 * SECOND)
  const { control } = unwrap(await agent.send({ type: 'notice', text: 'deaf' }))
  t.match(control, { action: 'cancel', reason: 'max_run_time' })
  t.notOk(world.faults.calls.some((call) => call.startsWith('DELETE')))
  await world.pass(MINUTE)
  t.match(await world.untilOver(), { state: 'timed_out', reason: 'max_run_time' })
  t.ok(world.faults.calls.some((call) => call.startsWith('DELETE')))
})

t.test(
  'B37: a task that never becomes an agent is ended, counted from its placement',
  async (t) => {
    const world = await onTestClock(t)
    await world.untilPlaced()
    await world.pass(MINUTE)
    t.match(await world.view(), { state: 'placing' })
    await world.pass(MINUTE + 5 * SECOND)
    t.match(await world.untilOver(), { reason: 'start_timeout' })
  },
)

t.test('B38: a slice that waits for a place has all its time, however long it waits', async (t) => {
  const small = { name: 'small', cpuMhz: 6000, simulate: () => ({ run_for: '1h' }) }
  const world = await onTestClock(t, { engine: { nodes: [small] }, settings: PATIENT })
  await world.untilPlaced()
  await (await agentOfSlice(world.scheduler, world.nomad)).begin()
  await world.scheduler.submit(aRequest())
  await world.pass(30 * SECOND)
  const waiting = async () => (await world.scheduler.readBuild('2'))?.slices[0]
  t.match(await waiting(), { state: /waiting_run|placing/, allocation_id: null })
  await world.pass(15 * MINUTE)
  t.match(await waiting(), { state: /waiting_run|placing/, reason: null })
})

/** A clock that shows another time of day than everybody else's. */
function skewed(ms: number): Clock {
  return { ...systemClock, now: () => systemClock.now() + ms }
}

for (const minutes of [5, -5]) {
  t.test(`B61: a cluster whose clock is off by ${minutes} minutes changes nothing`, async (t) => {
    const clock = skewed(minutes * MINUTE)
    const { scheduler, nomad } = await startWorld(t, { engine: { clock } })
    await scheduler.submit(aRequest({}, ['echo hello']))
    await untilBuild(scheduler, '1', isPlaced)
    const agent = await agentOfSlice(scheduler, nomad)
    await agent.begin()
    // The agent's own times stand in its events, and are off as well.
    await agent.step(0, 'hello\n')
    unwrap(await agent.report('succeeded'))
    const over = await untilBuild(scheduler, '1', isOver)
    t.match(over, { state: 'succeeded', slices: [{ steps: [{ state: 'succeeded' }] }] })
    for (const text of [over.started_at, over.finished_at]) {
      const offMs = Math.abs(Date.parse(text ?? '') - systemClock.now())
      t.ok(offMs < MINUTE, `${text} is our own time`)
    }
    t.ok((over.seconds ?? -1) >= 0)
  })
}

for (const days of [1, -1]) {
  t.test(`B62: a wall clock that jumps by ${days} days ends nothing early or late`, async (t) => {
    const world = await onTestClock(t)
    await world.untilPlaced()
    world.clock.jump(days * 24 * 60 * MINUTE)
    await world.pass(10 * SECOND)
    const agent = await agentOfSlice(world.scheduler, world.nomad)
    await agent.begin()
    world.clock.jump(-2 * days * 24 * 60 * MINUTE)
    await world.pass(10 * SECOND)
    t.match(await world.view(), { state: 'running', detail: '' })
    unwrap(await agent.send({ type: 'notice', text: 'well' }))
    await agent.step(0, '')
    unwrap(await agent.report('succeeded'))
    const over = await world.untilOver()
    t.equal(over.state, 'succeeded')
    t.ok((over.seconds ?? -1) >= 0, 'no negative time is shown')
  })
}
