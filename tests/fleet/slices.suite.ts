/** What the fleet leaves to the scheduler, and what it learns of it: a real one, on the embedded engine. */
import t from 'tap'
import { carryOut } from '../../src/fleet/actor.ts'
import { toDemand } from '../../src/fleet/demand-client.ts'
import { createNomadClient } from '../../src/nomad/index.ts'
import { silentLog, systemClock, systemRandom } from '../../src/platform/index.ts'
import type { Scheduler } from '../../src/scheduler/index.ts'
import { aSimulatedJob, startTestEngine, untilStatus } from '../dev/nomad-engine/support.ts'
import {
  agentOfSlice,
  allAllocations,
  allJobs,
  isOver,
  startWorld,
} from '../faults/scheduler/support/world.ts'
import { unwrap } from '../scheduler/support/agent.ts'
import { aRequest, until, untilBuild } from '../scheduler/support/scheduler.ts'

async function waiting({ demand }: Scheduler): Promise<number> {
  const { classes } = toDemand(await demand.read({ slices: true }))
  return classes.reduce((sum, each) => sum + each.waiting, 0)
}

t.test('F22: a slice that a drain leaves without any node is made again', async (t) => {
  const { scheduler, nomad } = await startWorld(t, {
    settings: { limits: { infrastructure_retries: 2 } },
  })
  await scheduler.submit(aRequest({}, ['echo hello']))
  await (await agentOfSlice(scheduler, nomad)).begin()
  const [allocation] = await allAllocations(nomad)
  const node = allocation?.NodeID ?? ''
  const first = (await scheduler.readBuild('1'))?.slices[0]?.nomad_job_id ?? ''
  await nomad.drainNode(node, { deadlineMs: 100 })
  await untilBuild(scheduler, '1', ({ slices }) => slices[0]?.epoch === 2)
  await until(async () => (await nomad.readJob(first))?.Status === 'dead', 'its job to be dead')
  t.equal(await waiting(scheduler), 1, 'it asks for a machine')
  await nomad.drainNode(node, null, { markEligible: true })
  await untilBuild(scheduler, '1', ({ slices }) => {
    return slices[0]?.epoch === 2 && slices[0].allocation_id !== null
  })
  const second = await agentOfSlice(scheduler, nomad)
  await second.begin()
  await second.step(0, 'hello\n')
  unwrap(await second.report('succeeded'))
  t.match(await untilBuild(scheduler, '1', isOver), {
    state: 'succeeded',
    slices: [{ epoch: 2, earlier_attempts: [{ reason: 'drained' }] }],
  })
})

t.test('F40: all that waits is demand, however little of it Nomad was given', async (t) => {
  const { scheduler, nomad } = await startWorld(t, { engine: { nodes: [] } })
  await scheduler.submit(aRequest({ parallelism: 50 }))
  await until(async () => (await waiting(scheduler)) === 50, 'all 50')
  t.ok((await allJobs(nomad)).length < 10)
})

t.test('F39: five drains at once move no slice, and a service to a node that stays', async (t) => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f']
  const size = { cpuMhz: 1000, memoryMiB: 1000, diskMiB: 10_000 }
  const engine = await startTestEngine(t, { nodes: names.map((name) => ({ name, ...size })) })
  const common = { clock: systemClock, random: systemRandom, log: silentLog }
  const nomad = createNomadClient({ ...common, address: engine.engine.url })
  t.teardown(() => nomad.close())
  for (const name of names) {
    const task = { Resources: { CPU: 600, MemoryMB: 100 } }
    await engine.register(aSimulatedJob(name, {}, { task }))
    await untilStatus(engine, name, 'running')
  }
  const task = { Resources: { CPU: 300, MemoryMB: 100 } }
  await engine.register(aSimulatedJob('service', {}, { task, job: { Type: 'service' } }))
  const service = await untilStatus(engine, 'service', 'running')
  const nodes = await engine.get<{ ID: string }[] & Record<string, unknown>>('/v1/nodes')
  const [stays, ...others] = nodes.map(({ ID }) => ID).filter((id) => id !== service.NodeID)
  const victims = [service.NodeID, ...others]
  t.equal(victims.length, 5)
  const deps = {
    nomad,
    awsOf: () => t.fail('AWS is not asked') as never,
    now: () => 0,
    log: silentLog,
  }
  const { signal } = new AbortController()
  const cordon = (nodeId: string) =>
    carryOut(
      { kind: 'cordon', pool: 'linux', instanceId: nodeId, nodeId, reason: 'outdated' },
      deps,
      signal,
    )
  await Promise.all(victims.map(cordon))
  await until(async () => {
    const last = (await engine.allocations('service')).at(-1)
    return last?.NodeID === stays && last?.ClientStatus === 'running'
  }, 'the service on the node that stays')
  t.comment(`the service moved ${(await engine.allocations('service')).length - 1} times`)
  for (const name of names) {
    t.match(await engine.allocations(name), [{ DesiredStatus: 'run', ClientStatus: 'running' }])
    t.equal((await engine.allocations(name)).length, 1, 'a slice stays where it is')
  }
})
