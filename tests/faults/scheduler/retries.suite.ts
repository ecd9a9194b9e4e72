/** What the infrastructure broke is tried again: alone, fenced, elsewhere, and not in vain. */
import t, { type Test } from 'tap'
import { unwrap, type ScriptedAgent } from '../../scheduler/support/agent.ts'
import { aRequest, until, untilBuild } from '../../scheduler/support/scheduler.ts'
import { agentOfSlice, allAllocations, isOver, isPlaced, startWorld } from './support/world.ts'

const played = (name: string) => ({ name, simulate: () => ({ run_for: '1h' }) })

/** Two nodes, and two more tries for whatever fails. */
function startPair(t: Test) {
  return startWorld(t, {
    engine: { nodes: [played('one'), played('two')] },
    settings: { limits: { infrastructure_retries: 2 } },
  })
}
type World = Awaited<ReturnType<typeof startPair>>

/** The agent of the second attempt at the first slice. */
async function secondAgent({ scheduler, nomad }: World, index = 0): Promise<ScriptedAgent> {
  await untilBuild(scheduler, '1', ({ slices }) => {
    return slices[index]?.epoch === 2 && slices[index].allocation_id !== null
  })
  return agentOfSlice(scheduler, nomad, index)
}

async function loseNodeOf(world: World, agent: ScriptedAgent): Promise<string> {
  const allocation = await world.nomad.readAllocation(agent.allocationId)
  const node = allocation?.NodeID ?? ''
  world.engine.setNodeStatus(node, 'down')
  return node
}

t.test('B19: a slice whose node dies is tried again on another one', async (t) => {
  const world = await startPair(t)
  const { scheduler, nomad } = world
  await scheduler.submit(aRequest({}, ['echo hello']))
  const first = await agentOfSlice(scheduler, nomad)
  await first.begin()
  const node = await loseNodeOf(world, first)
  const second = await secondAgent(world)
  t.not((await nomad.readAllocation(second.allocationId))?.NodeID, node)
  t.match(await first.report('succeeded'), { ok: false, refusal: 'fenced' })
  await second.begin()
  await second.step(0, 'hello\n')
  unwrap(await second.report('succeeded'))
  t.match(await untilBuild(scheduler, '1', isOver), { state: 'succeeded', slices: [{ epoch: 2 }] })
})

t.test('B23: a node that comes back while another attempt runs has nothing to say', async (t) => {
  const world = await startPair(t)
  const { scheduler, nomad, engine } = world
  await scheduler.submit(aRequest({}, ['echo hello']))
  const first = await agentOfSlice(scheduler, nomad)
  await first.begin()
  const [before] = (await untilBuild(scheduler, '1', isPlaced)).slices
  const node = await loseNodeOf(world, first)
  const second = await secondAgent(world)
  await second.begin()
  engine.setNodeStatus(node, 'ready')
  t.match(await first.send({ type: 'step_started', step: 0, attempt: 1 }), { refusal: 'fenced' })
  const job = () => nomad.readJob(before?.nomad_job_id ?? '')
  await until(async () => (await job())?.Stop, 'the first job to be stopped')
  await second.step(0, 'hello\n')
  unwrap(await second.report('succeeded'))
  const over = await untilBuild(scheduler, '1', isOver)
  t.match(over, { state: 'succeeded', slices: [{ epoch: 2 }] })
  t.not(over.slices[0]?.nomad_job_id, before?.nomad_job_id)
})

t.test('B83: of several slices that were cut off each is tried again, and no other', async (t) => {
  const nodes = ['one', 'two', 'three'].map((name) => ({ ...played(name), cpuMhz: 5000 }))
  const world = await startWorld(t, {
    engine: { nodes },
    settings: { limits: { infrastructure_retries: 2 } },
  })
  const { scheduler, nomad } = world
  await scheduler.submit(aRequest({ parallelism: 3 }, ['echo hello']))
  const agents = []
  for (const index of [0, 1, 2]) {
    const agent = await agentOfSlice(scheduler, nomad, index)
    await agent.begin()
    agents.push(agent)
  }
  const [first, second, third] = agents
  if (first === undefined || second === undefined || third === undefined) throw new Error('agents')
  await loseNodeOf(world, first)
  await loseNodeOf(world, second)
  const view = await untilBuild(scheduler, '1', ({ slices }) => {
    return slices.filter(({ epoch }) => epoch === 2).length === 2
  })
  t.match(view.slices, [{ epoch: 2 }, { epoch: 2 }, { epoch: 1, state: 'running' }])
  await third.step(0, 'hello\n')
  unwrap(await third.report('succeeded'))
  await untilBuild(scheduler, '1', ({ slices }) => slices[2]?.state === 'succeeded')
})

t.test('B82: what a newer build of the branch has overtaken is not tried again', async (t) => {
  const world = await startPair(t)
  const { scheduler, nomad } = world
  await scheduler.submit(aRequest())
  const agent = await agentOfSlice(scheduler, nomad)
  await agent.begin()
  await scheduler.submit(aRequest())
  await loseNodeOf(world, agent)
  const over = await untilBuild(scheduler, '1', isOver)
  t.match(over, { state: 'infrastructure_failed', reason: 'node_lost', slices: [{ epoch: 1 }] })
  t.match(over.slices[0]?.detail, /build 2 of the same branch is newer/)
})

t.test('B45: an evaluation that Nomad gave up on is asked for again', async (t) => {
  const world = await startPair(t)
  const { scheduler, nomad, engine, faults } = world
  const configure = async (PauseEvalBroker: boolean) => {
    const body = JSON.stringify({ PauseEvalBroker })
    const url = `${engine.url}/v1/operator/scheduler/configuration`
    await (await fetch(url, { method: 'PUT', body })).body?.cancel()
  }
  // Nothing is evaluated, and nobody is to know why.
  await configure(true)
  faults.rewrite(
    ({ url }) => url.startsWith('/v1/operator/scheduler/configuration'),
    (text) => text.replaceAll('"PauseEvalBroker":true', '"PauseEvalBroker":false'),
  )
  const mend = faults.rewrite(
    ({ url }) => /^\/v1\/job\/[^/]+\/evaluations/.test(url),
    (text) => text.replaceAll('"Status":"pending"', '"Status":"failed"'),
  )
  await scheduler.submit(aRequest())
  const isKick = (call: string) => /^(PUT|POST) \/v1\/job\/[^/]+\/evaluate/.test(call)
  await until(() => faults.calls.some(isKick), 'another evaluation')
  mend()
  await configure(false)
  await untilBuild(scheduler, '1', isPlaced)
  t.equal((await allAllocations(nomad)).length, 1)
})
