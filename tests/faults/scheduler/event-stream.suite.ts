/** The event stream is a hint: whatever it leaves out, the lists tell. */
import t from 'tap'
import { aRequest, until, untilBuild } from '../../scheduler/support/scheduler.ts'
import {
  agentOfSlice,
  allAllocations,
  isOver,
  isPlaced,
  isStream,
  startWorld,
} from './support/world.ts'

/** Writes of others, more than the server remembers. */
async function writeMuch(url: string, count: number): Promise<void> {
  const group = { Name: 'g', Tasks: [{ Name: 't', Driver: 'mock_driver', Config: {} }] }
  for (let index = 0; index < count; index += 1) {
    const Job = { ID: `other-${index}`, Type: 'batch', TaskGroups: [group] }
    const answer = await fetch(`${url}/v1/jobs`, { method: 'PUT', body: JSON.stringify({ Job }) })
    if (answer.status !== 200) throw new Error(await answer.text())
    await answer.body?.cancel()
  }
}

t.test('B13: a gap in the event stream is filled from the lists', async (t) => {
  const { scheduler, nomad, engine, faults } = await startWorld(t)
  await scheduler.submit(aRequest({ parallelism: 2 }))
  await (await agentOfSlice(scheduler, nomad, 0)).begin()
  const { slices } = await untilBuild(scheduler, '1', isPlaced)
  const reconnected = Promise.withResolvers<void>()
  const mend = faults.cutStream()
  await nomad.deregisterJob(slices[1]?.nomad_job_id ?? '')
  // The buffer of the server has a hundred changes: what happened is not in it any more.
  await writeMuch(engine.url, 200)
  mend()
  faults.on(isStream, (_call, next) => {
    reconnected.resolve()
    return next()
  })
  await reconnected.promise
  const view = await untilBuild(scheduler, '1', (build) => build.slices[1]?.reason !== null)
  t.match(view.slices, [{ state: 'running' }, { reason: 'stopped_by_operator' }])
})

t.test('B15: a server that starts again remembers no events, and nothing is missed', async (t) => {
  const node = { name: 'worker' }
  const world = await startWorld(t, {
    engine: { nodes: [node] },
    agentCommand: ['/bin/sleep', '3600'],
  })
  const { scheduler, nomad } = world
  await scheduler.submit(aRequest({ parallelism: 2 }))
  await untilBuild(scheduler, '1', isPlaced)
  const agent = await agentOfSlice(scheduler, nomad, 0)
  await agent.begin()
  const [first] = (await untilBuild(scheduler, '1', isPlaced)).slices
  await world.restartEngine()
  await until(async () => {
    const all = await allAllocations(nomad).catch(() => [])
    return all.length === 2 && all.every(({ ClientStatus }) => ClientStatus === 'running')
  }, 'the tasks to be found again')
  t.equal((await scheduler.readBuild('1'))?.slices[0]?.state, 'running')
  await nomad.deregisterJob(first?.nomad_job_id ?? '')
  const view = await untilBuild(scheduler, '1', (build) => build.slices[0]?.reason !== null)
  t.match(view.slices, [{ reason: 'stopped_by_operator' }, { state: 'placing' }])
})

t.test('B18: a token that expires in mid-stream is told, and no build fails for it', async (t) => {
  const { scheduler, nomad, faults } = await startWorld(t)
  await scheduler.submit(aRequest({ parallelism: 2 }))
  await untilBuild(scheduler, '1', isPlaced)
  const agent = await agentOfSlice(scheduler, nomad, 0)
  await agent.begin()
  const { slices } = await untilBuild(scheduler, '1', isPlaced)
  const expire = faults.answer(() => true, 403, 'ACL token not found')
  faults.cutStream()()
  await until(
    async () => (await scheduler.health()).some((fault) => /ACL token not found/.test(fault)),
    'the health to tell',
  )
  t.match(await scheduler.readBuild('1'), { slices: [{ state: 'running' }, { state: 'placing' }] })
  expire()
  await nomad.deregisterJob(slices[1]?.nomad_job_id ?? '')
  const view = await untilBuild(scheduler, '1', (build) => build.slices[1]?.reason !== null)
  t.match(view.slices, [{ state: 'running' }, { reason: 'stopped_by_operator' }])
  await until(async () => (await scheduler.health()).length === 0, 'the health to be well')
})

t.test('B16: a stream that is cut again and again tells nothing twice', async (t) => {
  const { scheduler, nomad, faults } = await startWorld(t)
  await scheduler.submit(aRequest())
  const agent = await agentOfSlice(scheduler, nomad)
  await agent.begin()
  for (let times = 0; times < 2; times += 1) {
    const before = faults.calls.filter((call) => call.includes('/v1/event/stream')).length
    faults.cutStream()()
    await until(
      () => faults.calls.filter((call) => call.includes('/v1/event/stream')).length > before,
      'the next connection',
    )
  }
  t.match(await scheduler.readBuild('1'), { state: 'running', slices: [{ epoch: 1, detail: '' }] })
  await agent.step(0, '')
  await agent.report('succeeded')
  t.match(await untilBuild(scheduler, '1', isOver), { state: 'succeeded' })
})
