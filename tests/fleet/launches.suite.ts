/** Launches that wait in a hook. On a virtual clock. */
import t from 'tap'
import { closings } from './support/situations.ts'
import { aCluster } from './support/cluster.ts'

const MINUTE = 60_000

t.test('F13: machines are let in when their nodes are ready, and held until then', async (t) => {
  const cluster = await aCluster({ group: { min: 0, max: 10 }, bootMs: 4 * MINUTE })
  t.teardown(() => cluster.close())
  cluster.putHook(30, 'caravan-launch', 'LAUNCHING')
  cluster.start()
  cluster.queue.add(4, MINUTE)
  await cluster.until('they wait', () => cluster.members('Pending:Wait').length === 2)
  await cluster.pass(2 * MINUTE)
  t.equal(cluster.members('Pending:Wait').length, 2, 'longer than the hook would by itself')
  await cluster.until('they serve', () => cluster.members('InService').length === 2, 3 * MINUTE)
  await cluster.until('all slices have run', () => cluster.queue.done === 4)
  t.equal(cluster.aws.world.machines.size, 2, 'no other one was launched')
  t.same([...new Set(closings(cluster))], ['complete'])
})

t.test('F13, F29: a launch whose node never comes is given up, and replaced', async (t) => {
  const cluster = await aCluster({ group: { min: 1, max: 10 }, bootMs: 30_000 })
  t.teardown(() => cluster.close())
  cluster.putHook(60, 'caravan-launch', 'LAUNCHING')
  cluster.aws.change((world) => void (world.conditions.brokenBoots = 1))
  cluster.start()
  cluster.queue.add(2, MINUTE)
  await cluster.until('the slices have run', () => cluster.queue.done === 2, 40 * MINUTE)
  t.ok(cluster.calls.includes('CompleteLifecycleAction'))
  t.equal(cluster.calls.filter((call) => call.startsWith('TerminateInstance')).length, 0)
  t.ok(cluster.aws.world.machines.size <= 3, `${cluster.aws.world.machines.size} launches`)
  t.same(cluster.violations, [])
})

t.test(
  "F10: a launching hook of somebody else's is neither beaten for nor completed",
  async (t) => {
    const cluster = await aCluster({ group: { min: 0, max: 10 }, bootMs: 10_000 })
    t.teardown(() => cluster.close())
    cluster.putHook(600, 'install', 'LAUNCHING')
    cluster.start()
    cluster.queue.add(2, MINUTE)
    await cluster.until('it waits', () => cluster.members('Pending:Wait').length === 1)
    await cluster.pass(5 * MINUTE)
    t.equal(cluster.members('Pending:Wait').length, 1)
    t.notOk(cluster.calls.some((call) => /LifecycleAction/.test(call)))
  },
)
