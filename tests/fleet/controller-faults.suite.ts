/** Leases, demand, credentials and settings that play tricks on the controller. On a virtual clock. */
import t from 'tap'
import { Refusal } from '../../src/dev/aws/index.ts'
import {
  anyOf,
  busyCluster,
  closings,
  count,
  endByHand,
  idleCluster,
  lost,
  MINUTE,
  running,
  SECOND,
  sizes,
  TERMINATE,
  untilGone,
  updateGroup,
  withCluster,
} from './support/situations.ts'

t.test(
  'F54: a controller that is stopped between its last proof and the call does no harm when it wakes',
  async (t) => {
    const cluster = await withCluster(t, {
      policy: { idleOffMs: 30 * SECOND },
      group: { desired: 1 },
      bootMs: 20 * SECOND,
    })
    await cluster.until('it is there', () => cluster.eligible() === 1)
    const one = cluster.start('one')
    cluster.start('two')
    let isStopped = false
    cluster.nomad.before = (call) => {
      if (call !== 'nodeAllocations' || isStopped) return
      isStopped = true
      one.mortal.stop()
    }
    await cluster.until('it is about to end a machine', () => isStopped, 5 * MINUTE)
    const holder = () => cluster.store.readLease()?.holder
    await cluster.until('the other one acts', () => holder() === 'two', 10 * SECOND)
    t.equal(count(cluster, TERMINATE), 0)
    const node = cluster.nomad.nodeOf(anyOf(cluster))
    // A person gives it back.
    if (node !== undefined) node.SchedulingEligibility = 'eligible'
    cluster.queue.add(2, 2 * MINUTE)
    await cluster.until('slices run there', () => running(cluster) === 2, 10 * SECOND)
    one.mortal.resume()
    await cluster.pass(5 * SECOND)
    t.equal(cluster.members('Terminating:Wait').length, 1, 'what it had begun can not be stopped')
    await untilGone(cluster, 10 * MINUTE)
    t.equal(cluster.queue.done, 2, 'but its hook waits for the slices')
    t.equal(lost(cluster), 0)
    t.equal(holder(), 'two')
    t.same(cluster.store.openIntents(), [])
  },
)

t.test(
  'F85: a machine with one slice of eight is busy, and idle from the last one on',
  async (t) => {
    const cluster = await withCluster(t, {
      policy: { idleOffMs: 2 * MINUTE },
      group: { max: 1 },
      bootMs: 20 * SECOND,
    })
    cluster.start()
    const eighth = { cpuMhz: 1750, memoryMiB: 7680 }
    cluster.queue.add(7, 20 * SECOND, eighth)
    cluster.queue.add(1, 10 * MINUTE, eighth)
    await cluster.until('seven have run', () => cluster.queue.done === 7, 3 * MINUTE)
    await cluster.until('the last has run', () => cluster.queue.done === 8, 12 * MINUTE)
    t.same(cluster.nomad.writes, [])
    await cluster.pass(110 * SECOND)
    t.same(cluster.nomad.writes, [], 'two minutes begin with its end')
    await cluster.until('it is cordoned', () => cluster.nomad.writes.length > 0, 20 * SECOND)
  },
)

t.test('F86: however long machines take to go, no more go than may', async (t) => {
  const cluster = await idleCluster(t, 6, { policy: { min: 2 } })
  for (const instance of cluster.members('InService')) {
    cluster.aws.disturb({ do: 'slow-shutdown', instance, for: '10m' })
  }
  let fewest = 6
  for (let at = 0; at < 30; at++) {
    await cluster.pass(10 * SECOND)
    fewest = Math.min(fewest, cluster.eligible())
  }
  t.equal(fewest, 2)
  t.equal(count(cluster, TERMINATE), 4)
  t.equal(cluster.members('InService').length, 2)
})

t.test('F86: machines that are drained for minutes keep the budget meanwhile', async (t) => {
  const cluster = await busyCluster(t, 4, 6 * MINUTE, {
    policy: { min: 4, budget: { count: 2 } },
  })
  updateGroup(cluster, { LaunchTemplate: { LaunchTemplateName: 'client', Version: '2' } })
  await cluster.until('two take no more', () => cluster.eligible() === 2, 6 * MINUTE)
  await cluster.pass(30 * SECOND)
  t.equal(cluster.eligible(), 2)
  await cluster.until('all have run', () => cluster.queue.done === 8, 10 * MINUTE)
  t.equal(lost(cluster), 0)
})

t.test('F88: load that comes and goes within idle_off moves no machine', async (t) => {
  const cluster = await withCluster(t, {
    policy: { idleOffMs: 4 * MINUTE },
    bootMs: 20 * SECOND,
  })
  cluster.start()
  for (let wave = 0; wave < 8; wave++) {
    cluster.queue.add(3, MINUTE)
    await cluster.pass(4 * MINUTE)
  }
  t.equal(cluster.queue.done, 24)
  t.same(sizes(cluster), [2])
  t.same(cluster.nomad.writes, [])
})

t.test(
  'F90: credentials that expire during a drain are told at once, and cost no hook',
  async (t) => {
    let isExpired = false
    const cluster = await withCluster(t, {
      hook: { timeoutS: 60 },
      bootMs: 20 * SECOND,
      intercept(_call, next) {
        if (!isExpired) return next()
        throw new Refusal('ExpiredToken', 'The security token included in the request is expired')
      },
    })
    const { fleet } = cluster.start()
    cluster.queue.add(2, 5 * MINUTE)
    await cluster.until('they run', () => running(cluster) === 2)
    endByHand(cluster)
    await cluster.pass(MINUTE)
    for (let outage = 0; outage < 3; outage++) {
      isExpired = true
      await cluster.pass(5 * SECOND)
      t.match(fleet.faults().join('\n'), /Auto Scaling in us-east-1: .*token .* is expired/)
      await cluster.pass(25 * SECOND)
      isExpired = false
      await cluster.pass(20 * SECOND)
      t.same(fleet.faults(), [])
    }
    await untilGone(cluster, 10 * MINUTE)
    t.same(closings(cluster), ['complete'])
    t.equal(lost(cluster), 0)
  },
)

t.test('F93: settings that change with every start carry out what was begun', async (t) => {
  const cluster = await withCluster(t, { bootMs: 20 * SECOND, hook: { timeoutS: 60 } })
  const settings = [
    { idleOffMs: 5 * SECOND, min: 0, max: 20 },
    { idleOffMs: 10 * MINUTE, min: 3, max: 4 },
    { idleOffMs: 5 * SECOND, min: 1, max: 2, maxAgeMs: MINUTE },
  ]
  cluster.queue.add(12, () => Math.round(cluster.random.number() * 2 * MINUTE))
  for (let round = 0; round < 45; round++) {
    cluster.policies = [{ ...cluster.policy, ...settings[round % settings.length] }]
    const { fleet } = cluster.start(`round-${round}`)
    await cluster.pass(7 * SECOND)
    const closed = fleet.close()
    await cluster.pass(SECOND)
    await closed
  }
  cluster.policies = [{ ...cluster.policy, ...settings[0] }]
  cluster.start('last')
  await cluster.until('all have run', () => cluster.queue.done === 12, 20 * MINUTE)
  await untilGone(cluster, 10 * MINUTE)
  t.equal(lost(cluster), 0)
  t.same(cluster.violations, [])
  t.same(cluster.store.openIntents(), [])
})

t.test('F95: lists that are empty for minutes, and right again, end nothing', async (t) => {
  let isAwsEmpty = false
  const cluster = await busyCluster(t, 3, 25 * MINUTE, {
    async intercept(call, next) {
      const answer = await next()
      return isAwsEmpty && call.action === 'DescribeAutoScalingGroups'
        ? { AutoScalingGroups: [] }
        : answer
    },
  })
  await cluster.pass(10 * SECOND)
  cluster.nomad.listNodes = async function* () {
    yield { items: [], index: 1 }
  }
  cluster.nomad.readNode = async () => null
  await cluster.pass(5 * MINUTE)
  for (const call of ['listNodes', 'readNode']) Reflect.deleteProperty(cluster.nomad, call)
  await cluster.pass(MINUTE)
  isAwsEmpty = true
  await cluster.pass(12 * MINUTE)
  isAwsEmpty = false
  await cluster.until('all have run', () => cluster.queue.done === 6, 20 * MINUTE)
  t.equal(lost(cluster), 0)
  t.equal(cluster.members('InService').length, 3)
  const changes = [TERMINATE, 'TerminateInstances', 'CompleteLifecycleAction']
  t.same(
    changes.map((action) => count(cluster, action)),
    [0, 0, 0],
  )
  t.notMatch(cluster.nomad.writes.join('\n'), 'purge')
})

t.test('F95: a machine that one list leaves out, and another one shows, is no leak', async (t) => {
  const cluster = await withCluster(t, {
    policy: { min: 2 },
    group: { desired: 2 },
    async intercept(call, next) {
      const answer = await next()
      if (call.action !== 'DescribeAutoScalingGroups') return answer
      const [group] = answer['AutoScalingGroups'] as { Instances: object[] }[]
      return { AutoScalingGroups: [{ ...group, Instances: group?.Instances.slice(1) }] }
    },
  })
  await cluster.pass(20 * MINUTE)
  cluster.start()
  await cluster.pass(12 * MINUTE)
  t.equal(cluster.eligible(), 2)
  t.same(cluster.nomad.writes, [])
  t.equal(count(cluster, 'TerminateInstances'), 0)
})

t.test('F96: pinned machines stay until their pin ends', async (t) => {
  const cluster = await idleCluster(t, 3)
  const [one = '', two = ''] = cluster.members('InService')
  const now = cluster.clock.now()
  cluster.store.pin(one, now + 10 * MINUTE, now)
  cluster.store.pin(cluster.nomad.nodeOf(two)?.ID ?? '', now + 10 * MINUTE, now)
  await cluster.pass(9 * MINUTE)
  t.same([...cluster.group.members.keys()].toSorted(), [one, two].toSorted())
  t.equal(cluster.eligible(), 2)
  await untilGone(cluster, 5 * MINUTE)
  t.equal(anyOf(cluster), '')
})
