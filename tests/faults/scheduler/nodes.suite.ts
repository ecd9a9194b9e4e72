/** Nodes that die, drain, or come back: no slice runs twice, and none is called done that is not. */
import t from 'tap'
import { ScriptedAgent, unwrap } from '../../scheduler/support/agent.ts'
import { aRequest, until, untilBuild } from '../../scheduler/support/scheduler.ts'
import { agentOfSlice, allAllocations, isOver, isPlaced, startWorld } from './support/world.ts'

const stopAllocation = async (url: string, id: string) => {
  const answer = await fetch(`${url}/v1/allocation/${id}/stop`, { method: 'PUT' })
  await answer.body?.cancel()
}

t.test('B21, B24: of two allocations for one slice the second has nothing to do', async (t) => {
  const { scheduler, nomad, engine, faults } = await startWorld(t)
  await scheduler.submit(aRequest({}, ['echo hello']))
  const agent = await agentOfSlice(scheduler, nomad)
  await agent.begin()
  const [slice] = (await untilBuild(scheduler, '1', isPlaced)).slices
  const job = await nomad.readJob(slice?.nomad_job_id ?? '')
  t.match(job?.TaskGroups[0], {
    RestartPolicy: { Attempts: 0, Mode: 'fail' },
    ReschedulePolicy: { Attempts: 0, Unlimited: false },
    Disconnect: { Replace: false },
  })
  // Nomad moves the slice for a reason that it takes for a good one, and nobody tells us.
  faults.cutStream()
  await stopAllocation(engine.url, agent.allocationId)
  const second = await until(async () => (await allAllocations(nomad))[1], 'a second allocation')
  if (job === null) throw new Error('no job')
  const late = new ScriptedAgent(scheduler.agents, job, second)
  t.match(await late.claim(), { ok: false, refusal: 'taken' })
  await agent.step(0, 'hello\n')
  unwrap(await agent.report('succeeded'))
  t.match(await untilBuild(scheduler, '1', isOver), { state: 'succeeded' })
})

t.test('B22: a partitioned node that comes back has no say about its slice', async (t) => {
  const { scheduler, nomad, engine } = await startWorld(t)
  await scheduler.submit(aRequest())
  const agent = await agentOfSlice(scheduler, nomad)
  await agent.begin()
  const [allocation] = await allAllocations(nomad)
  engine.setNodeStatus(allocation?.NodeID ?? '', 'down')
  const over = await untilBuild(scheduler, '1', isOver)
  t.match(over, { state: 'infrastructure_failed', reason: 'node_lost' })
  engine.setNodeStatus(allocation?.NodeID ?? '', 'ready')
  t.match(await agent.send({ type: 'step_started', step: 0, attempt: 1 }), { refusal: 'fenced' })
  t.match(await agent.report('succeeded'), { ok: false, refusal: 'fenced' })
  const stops = async () => (await nomad.readJob(over.slices[0]?.nomad_job_id ?? ''))?.Stop
  await until(stops, 'what still runs of it to be stopped')
  t.match(await scheduler.readBuild('1'), { reason: 'node_lost' })
})

t.test('B25: a slice may finish while its node drains', async (t) => {
  const { scheduler, nomad } = await startWorld(t)
  await scheduler.submit(aRequest({}, ['echo hello']))
  const agent = await agentOfSlice(scheduler, nomad)
  await agent.begin()
  const [allocation] = await allAllocations(nomad)
  await nomad.drainNode(allocation?.NodeID ?? '', { deadlineMs: 60_000 })
  await agent.step(0, 'hello\n')
  unwrap(await agent.report('succeeded'))
  t.match(await untilBuild(scheduler, '1', isOver), { state: 'succeeded' })
})

t.test('B25, B26: a drain that ends a slice leaves it drained, however dead its job', async (t) => {
  const { scheduler, nomad } = await startWorld(t)
  await scheduler.submit(aRequest())
  const agent = await agentOfSlice(scheduler, nomad)
  await agent.begin()
  const [allocation] = await allAllocations(nomad)
  await nomad.drainNode(allocation?.NodeID ?? '', { deadlineMs: 100 })
  const over = await untilBuild(scheduler, '1', isOver)
  t.match(over, { state: 'infrastructure_failed', reason: 'drained' })
  const id = over.slices[0]?.nomad_job_id ?? ''
  await until(async () => (await nomad.readJob(id))?.Status === 'dead', 'the job to be dead')
  t.equal((await nomad.jobAllocations(id, { all: true })).length, 1, 'nothing follows it')
})

t.test(
  'B24: a node that takes work again in the middle of its drain starts no slice twice',
  async (t) => {
    const { scheduler, nomad } = await startWorld(t)
    await scheduler.submit(aRequest({}, ['echo hello']))
    const agent = await agentOfSlice(scheduler, nomad)
    await agent.begin()
    const node = (await allAllocations(nomad))[0]?.NodeID ?? ''
    await nomad.drainNode(node, { deadlineMs: 60_000 })
    await nomad.drainNode(node, null, { markEligible: true })
    await agent.step(0, 'hello\n')
    unwrap(await agent.report('succeeded'))
    t.match(await untilBuild(scheduler, '1', isOver), { state: 'succeeded' })
    t.equal((await allAllocations(nomad)).length, 1)
  },
)
