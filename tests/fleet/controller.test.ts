/** The controller on a whole cluster, on a virtual clock: sizes, kills, leases, and lists that lag. */
import t, { type Test } from 'tap'
import { emptyMemory } from '../../src/fleet/memory.ts'
import { ConnectionLost, cutAfter } from './support/cuts.ts'
import { aCluster, type Cluster, type ClusterOptions } from './support/cluster.ts'

const MINUTE = 60_000

async function withCluster(t: Test, options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = await aCluster(options)
  t.teardown(() => cluster.close())
  return cluster
}

t.test('from nothing to what is needed, and back to nothing', async (t) => {
  const cluster = await withCluster(t)
  cluster.start()
  await cluster.pass(MINUTE)
  t.equal(cluster.group.desired, 0)
  cluster.queue.add(6, 5 * MINUTE)
  await cluster.until('machines are asked for', () => cluster.group.desired > 0, 3000)
  t.equal(cluster.group.desired, 3)
  await cluster.until('all slices have run', () => cluster.queue.done === 6, 8 * MINUTE)
  await cluster.until('all machines are gone', () => cluster.group.members.size === 0)
  t.equal(cluster.group.desired, 0)
  t.same(cluster.violations, [])
  const [last] = cluster.store.readTicks({ limit: 1 })
  t.match(last, { why: [{ pool: 'linux', desired: 0 }] })
})

t.test('F58: lists that lag up to a minute behind neither double nor halve anything', async (t) => {
  for (const lagMs of [5000, 30_000, MINUTE]) {
    const cluster = await withCluster(t, { lagMs, bootMs: 90_000 })
    cluster.start()
    cluster.queue.add(6, 5 * MINUTE)
    await cluster.until('all slices have run', () => cluster.queue.done === 6, 15 * MINUTE)
    await cluster.until('all machines are gone', () => cluster.group.members.size === 0)
    const sizes = cluster.events.flatMap((event) => (event.type === 'desired' ? [event.to] : []))
    t.same(sizes, [3, 2, 1, 0], `${lagMs} ms`)
    t.same(cluster.violations, [])
  }
})

t.test('F87: a long drain does not hold up a burst', async (t) => {
  const cluster = await withCluster(t)
  cluster.start()
  cluster.queue.add(2, 45 * MINUTE)
  await cluster.until('they run', () => cluster.eligible() === 1)
  await cluster.pass(10_000)
  const [instance = ''] = cluster.members('InService')
  cluster.call('TerminateInstanceInAutoScalingGroup', {
    InstanceId: instance,
    ShouldDecrementDesiredCapacity: true,
  })
  await cluster.pass(5000)
  cluster.queue.add(10, MINUTE)
  await cluster.until('the burst has run', () => cluster.queue.done >= 10, 6 * MINUTE)
  t.same(cluster.members('Terminating:Wait'), [instance])
})

t.test(
  'F26: killed at every single call of a scale-in, the next controller finishes it',
  async (t) => {
    for (const when of ['before', 'after'] as const) {
      for (let call = 1; call <= 24; call++) {
        const cluster = await aCluster({ policy: { idleOffMs: 30_000 }, hook: { timeoutS: 60 } })
        const first = cluster.start('one')
        cluster.queue.add(4, 20_000)
        await cluster.until('all slices have run', () => cluster.queue.done === 4)
        await cluster.pass(20_000)
        first.mortal.diesAt = { call: first.mortal.calls + call, when }
        await cluster.until('it is dead', () => !first.mortal.isAlive)
        await cluster.pass(10_000)
        cluster.start('two')
        await cluster.until('all is gone', () => cluster.group.members.size === 0, 10 * MINUTE)
        t.same(cluster.violations, [], `killed ${when} call ${call}`)
        t.equal(cluster.group.desired, 0)
        t.same(cluster.store.openIntents(), [])
        await cluster.close()
      }
    }
  },
)

t.test('F26: a controller that dies with drains open is followed within seconds', async (t) => {
  const cluster = await withCluster(t, { hook: { timeoutS: 30 } })
  const first = cluster.start('one')
  cluster.start('two')
  cluster.queue.add(20, 20 * MINUTE)
  await cluster.until('all run', () => cluster.eligible() === 10)
  await cluster.pass(5000)
  for (const instance of cluster.members('InService')) {
    cluster.call('TerminateInstanceInAutoScalingGroup', {
      InstanceId: instance,
      ShouldDecrementDesiredCapacity: true,
    })
  }
  await cluster.until('all wait', () => cluster.members('Terminating:Wait').length === 10)
  await cluster.pass(3000)
  first.mortal.die()
  await cluster.until('all are gone', () => cluster.group.members.size === 0)
  t.same(cluster.violations, [])
})

t.test(
  'F53, F54: one controller acts; one that slept through its lease does nothing more',
  async (t) => {
    const cluster = await withCluster(t)
    const one = cluster.start('one')
    const two = cluster.start('two')
    await cluster.pass(5000)
    const lease = cluster.store.readLease()
    t.equal(lease?.holder, 'one')
    const active = () =>
      [one, two].map(({ fleet }) =>
        fleet.gauges().find(({ name }) => name === 'circle.fleet.active'),
      )
    t.match(active(), [{ value: 1 }, { value: 0 }])
    one.mortal.die()
    await cluster.until(
      'the other one acts',
      () => cluster.store.readLease()?.holder === 'two',
      30_000,
    )
    t.ok((cluster.store.readLease()?.fence ?? 0) > (lease?.fence ?? 0))
    t.throws(() => cluster.store.endIntent(lease!, 'x', 'late', 0), { code: 'FLEET_LEASED' })
    const memory = [emptyMemory('linux')]
    t.throws(() => cluster.store.commitTick(lease!, { atMs: 0, memory, intents: [], why: [] }), {
      code: 'FLEET_LEASED',
    })
  },
)

t.test('F51: of three terminations one fails, and one loses its answer', async (t) => {
  let refusals = 0
  const cluster = await withCluster(t, {
    policy: { idleOffMs: 30_000 },
    intercept(call, next) {
      const isTermination = call.action === 'TerminateInstanceInAutoScalingGroup'
      if (!isTermination || refusals >= 2) return next()
      refusals += 1
      return cutAfter(next, refusals === 2)
    },
  })
  cluster.start()
  cluster.queue.add(6, 20_000)
  await cluster.until(
    'all is gone',
    () => cluster.queue.done === 6 && cluster.group.members.size === 0,
  )
  t.equal(refusals, 2)
  t.equal(cluster.group.desired, 0)
  t.same(cluster.violations, [])
})

t.test(
  'F57: AWS that throttles every reading is no reason to launch or to end anything',
  async (t) => {
    let isThrottled = false
    const cluster = await withCluster(t, {
      intercept: (_call, next) => {
        if (isThrottled) throw new ConnectionLost('Throttling')
        return next()
      },
    })
    cluster.start()
    cluster.queue.add(2, 15 * MINUTE)
    await cluster.until('they run', () => cluster.eligible() === 1)
    isThrottled = true
    await cluster.pass(5 * MINUTE)
    t.equal(cluster.group.desired, 1)
    isThrottled = false
    await cluster.until('all is gone', () => cluster.group.members.size === 0)
    t.same(cluster.violations, [])
  },
)

t.test('F80: a scheduler that is silent takes no machine away', async (t) => {
  const cluster = await withCluster(t, { policy: { idleOffMs: 30_000 } })
  cluster.start()
  cluster.queue.add(4, 20_000)
  await cluster.until('all slices have run', () => cluster.queue.done === 4)
  cluster.queue.isSilent = true
  await cluster.pass(10 * MINUTE)
  t.equal(cluster.group.members.size, 2)
  t.equal(cluster.eligible(), 2, 'and none is left cordoned')
  cluster.queue.isSilent = false
  await cluster.until('all is gone', () => cluster.group.members.size === 0)
})

t.test('F44: busy machines are protected, so that others take idle ones', async (t) => {
  const cluster = await withCluster(t)
  cluster.start()
  cluster.queue.add(2, 20 * MINUTE)
  await cluster.until('they run', () => cluster.eligible() === 1)
  await cluster.pass(10_000)
  const members = [...cluster.group.members.values()]
  t.strictSame(
    members.map((member) => member.isProtected),
    [true],
  )
  cluster.call('SetDesiredCapacity', { AutoScalingGroupName: 'clients', DesiredCapacity: 0 })
  await cluster.pass(5 * MINUTE)
  t.equal(cluster.members('InService').length, 1)
  t.same(cluster.violations, [])
})

t.test('F29: machines whose software never comes up are replaced ever more rarely', async (t) => {
  const cluster = await withCluster(t, { bootMs: 30_000 })
  cluster.aws.change((world) => void (world.conditions.brokenBoots = 1000))
  cluster.start()
  cluster.queue.add(2, MINUTE)
  await cluster.pass(60 * MINUTE)
  const launched = cluster.aws.world.machines.size
  t.ok(launched > 1 && launched < 12, `${launched} launches in an hour`)
  cluster.aws.change((world) => void (world.conditions.brokenBoots = 0))
  await cluster.until('the slices have run', () => cluster.queue.done === 2, 120 * MINUTE)
})

t.test('F34: the node of a machine that is gone is purged', async (t) => {
  const cluster = await withCluster(t, { policy: { idleOffMs: 30_000 } })
  cluster.start()
  cluster.queue.add(2, 20_000)
  await cluster.until(
    'all is gone',
    () => cluster.queue.done === 2 && cluster.group.members.size === 0,
  )
  await cluster.pass(3 * MINUTE)
  t.equal(cluster.nomad.nodes.size, 0)
  t.match(cluster.nomad.writes.at(-1), /^purge i-/)
})
