/** The scaling policy on a whole cluster, on a virtual clock: what settles, what stands aside, who stands in. */
import t, { type Test } from 'tap'
import { disturb } from '../../src/dev/aws/disturbance.ts'
import { TOLD, toDrainMeta } from '../../src/fleet/drain-mark.ts'
import { aCluster, type Cluster, type ClusterOptions } from './support/cluster.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const CLIENTS = { AutoScalingGroupName: 'clients' }

async function withCluster(t: Test, options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = await aCluster(options)
  t.teardown(() => cluster.close())
  return cluster
}

function launches({ events }: Cluster): number {
  return events.filter((event) => event.type === 'booted').length
}

/** What the controller decided last of the pool. */
function why({ store }: Cluster, pool = 'linux') {
  return store
    .readTicks({ limit: 50 })
    .flatMap((tick) => tick.why)
    .find((each) => each.pool === pool)
}

t.test('F88: load that goes up and down at the edge of a machine launches it once', async (t) => {
  const cluster = await withCluster(t, { policy: { idleOffMs: 'auto' } })
  cluster.start()
  for (let minute = 0; minute < 60; minute++) {
    // Two fit on a machine: one minute it is two slices, the next one three.
    cluster.queue.add(minute % 2 === 0 ? 2 : 3, 50_000)
    await cluster.pass(MINUTE)
  }
  t.equal(launches(cluster), 2)
  await cluster.until('all is gone', () => cluster.group.members.size === 0, HOUR)
  t.equal(cluster.queue.done, 150)
  t.same(cluster.violations, [])
})

t.test('F69: launches fail, and the pool that stands in runs the slices', async (t) => {
  const cluster = await withCluster(t, { standIn: {} })
  cluster.start()
  cluster.aws.change((world) => disturb(world, { do: 'fail-launches', group: 'clients' }))
  cluster.queue.add(6, MINUTE)
  await cluster.until('all have run', () => cluster.queue.done === 6, 6 * MINUTE)
  t.equal(cluster.group.members.size, 0)
  const spare = cluster.aws.world.groups.get('spare')
  t.equal(spare?.desired, 3, 'each slice was counted once')
  cluster.aws.change((world) => disturb(world, { do: 'mend-launches' }))
  await cluster.until('the first one launches', () => cluster.group.members.size > 0, HOUR)
  const ended = () => cluster.group.members.size === 0 && spare?.members.size === 0
  await cluster.until('all is gone', ended, 2 * HOUR)
  t.same(cluster.violations, [])
})

t.test('F72: a machine in standby is left alone, and serves again when it comes back', async (t) => {
  const cluster = await withCluster(t, { policy: { idleOffMs: 3 * MINUTE } })
  cluster.start()
  cluster.queue.add(2, MINUTE)
  await cluster.until('they have run', () => cluster.queue.done === 2)
  const [instance = ''] = cluster.members('InService')
  const ids = { ...CLIENTS, InstanceIds: [instance] }
  cluster.call('EnterStandby', { ...ids, ShouldDecrementDesiredCapacity: true })
  await cluster.pass(HOUR)
  t.same(cluster.members('Standby'), [instance])
  t.match(why(cluster)?.ledger, { standby: 1 })
  cluster.call('ExitStandby', ids)
  cluster.queue.add(2, MINUTE)
  await cluster.until('they have run', () => cluster.queue.done === 4)
  t.equal(launches(cluster), 1, 'on the same machine')
  await cluster.until('it is gone', () => cluster.group.members.size === 0, HOUR)
  t.same(cluster.violations, [])
})

t.test('F74: machines of a warm pool are counted apart, and nobody ends them', async (t) => {
  const cluster = await withCluster(t, { policy: { idleOffMs: 3 * MINUTE } })
  cluster.call('PutWarmPool', { ...CLIENTS, MinSize: 2, PoolState: 'Running' })
  cluster.start()
  await cluster.pass(2 * HOUR)
  const warm = cluster.members('Warmed:Running')
  t.equal(warm.length, 2)
  t.match(why(cluster)?.ledger, { warm: 2 }, 'they are no machines that their group has lost')
  t.equal(cluster.group.desired, 0)
  for (const id of warm) t.equal(cluster.aws.world.machines.get(id)?.state.value, 'running')
})

t.test('F76: a machine that its group retains is kept, and told of', async (t) => {
  const cluster = await withCluster(t)
  cluster.call('UpdateAutoScalingGroup', {
    ...CLIENTS,
    InstanceLifecyclePolicy: { RetentionTriggers: { TerminateHookAbandon: 'retain' } },
  })
  cluster.start()
  cluster.queue.add(2, 20 * MINUTE)
  await cluster.until('they run', () => cluster.eligible() === 1)
  await cluster.pass(5000)
  const [instance = ''] = cluster.members('InService')
  cluster.call('TerminateInstanceInAutoScalingGroup', {
    InstanceId: instance,
    ShouldDecrementDesiredCapacity: true,
  })
  await cluster.until('it waits', () => cluster.members('Terminating:Wait').length === 1)
  cluster.call('CompleteLifecycleAction', {
    ...CLIENTS,
    LifecycleHookName: 'drain',
    InstanceId: instance,
    LifecycleActionResult: 'ABANDON',
  })
  await cluster.pass(3 * HOUR)
  t.same(cluster.members('Terminating:Retained'), [instance])
  t.match(why(cluster)?.ledger, { retained: 1 })
  const told = cluster.lines.filter(({ message }) => message.includes(`retained ${instance}`))
  t.equal(told.length, 1, 'once')
  t.equal(cluster.queue.done, 2, 'what ran there came to its end')
})

t.test('F77: a machine that EC2 does not let go is told of, and not asked for again', async (t) => {
  const cluster = await withCluster(t, { policy: { idleOffMs: MINUTE } })
  cluster.start()
  cluster.queue.add(1, MINUTE)
  await cluster.until('it runs', () => cluster.eligible() === 1)
  const [instance = ''] = cluster.members('InService')
  cluster.aws.change((world) => disturb(world, { do: 'slow-shutdown', instance, for: '3h' }))
  await cluster.pass(2 * HOUR)
  const ends = cluster.calls.filter((call) => call === 'TerminateInstanceInAutoScalingGroup')
  t.equal(ends.length, 1)
  const told = cluster.lines.filter(({ message }) => message.includes('does not let it go'))
  t.equal(told.length, 1)
  cluster.queue.add(1, MINUTE)
  await cluster.until('another one comes', () => cluster.queue.done === 2, 5 * MINUTE)
})

t.test('F78: a group that is deleted is frozen while its machines drain', async (t) => {
  const cluster = await withCluster(t)
  cluster.start()
  cluster.queue.add(2, 10 * MINUTE)
  await cluster.until('they run', () => cluster.eligible() === 1)
  await cluster.pass(5000)
  cluster.call('DeleteAutoScalingGroup', { ...CLIENTS, ForceDelete: true })
  cluster.queue.add(4, MINUTE)
  await cluster.pass(MINUTE)
  t.notOk(cluster.calls.slice(-20).includes('SetDesiredCapacity'))
  await cluster.pass(5 * MINUTE)
  const open = cluster.lines.some(({ message }) => message.includes('no Auto Scaling group'))
  t.ok(open, 'it is told')
})

t.test('F66: a hint costs nothing: another machine stands in before it goes', async (t) => {
  const cluster = await withCluster(t, { policy: { min: 1 }, group: { min: 1, max: 10 } })
  cluster.start()
  await cluster.until('one is there', () => cluster.eligible() === 1)
  await cluster.pass(5000)
  const [instance = ''] = cluster.members('InService')
  const node = cluster.nomad.nodeOf(instance)
  // As the daemon on the instance does.
  const meta = toDrainMeta({ by: 'lifecycle', reason: TOLD.atRisk, sinceMs: cluster.clock.now() })
  await cluster.nomad.drainNode(node?.ID ?? '', { deadlineMs: null, ignoreSystemJobs: true }, { meta })
  await cluster.until('it serves again', () => cluster.eligible() === 1, 5000)
  await cluster.until('another one came', () => cluster.eligible() === 2, 5 * MINUTE)
  await cluster.until('it is gone', () => !cluster.group.members.has(instance), 5 * MINUTE)
  t.equal(cluster.group.desired, 1)
  t.equal(launches(cluster), 2)
  t.same(cluster.violations, [])
})

t.test('F93: a controller that begins with other settings goes on from what there is', async (t) => {
  const cluster = await withCluster(t, { policy: { idleOffMs: MINUTE } })
  const first = cluster.start()
  cluster.queue.add(6, MINUTE)
  await cluster.until('they have run', () => cluster.queue.done === 6)
  await cluster.until('some are cordoned', () => cluster.eligible() === 0, 5 * MINUTE)
  first.mortal.die()
  cluster.policies = [{ ...cluster.policy, min: 2 }]
  cluster.start()
  await cluster.pass(30 * MINUTE)
  t.equal(cluster.group.desired, 2)
  t.equal(cluster.eligible(), 2)
  t.same(cluster.store.openIntents(), [])
  t.same(cluster.violations, [])
})
