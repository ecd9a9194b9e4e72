/** Sizes, processes and zones of a group that others set, and what a group does of itself. On a virtual clock. */
import t from 'tap'
import { Refusal } from '../../src/dev/aws/index.ts'
import {
  alarms,
  anyOf,
  busyCluster,
  closings,
  count,
  HOUR,
  idleCluster,
  lost,
  MINUTE,
  notes,
  putLaunchHook,
  recording,
  refusing,
  running,
  SECOND,
  setDesired,
  sizes,
  TERMINATE,
  untilGone,
  updateGroup,
  withCluster,
  type SeenCall,
} from './support/situations.ts'

t.test('F41: at the minimum nothing is even cordoned', async (t) => {
  const cluster = await idleCluster(t, 3, { group: { min: 3 } })
  await cluster.pass(5 * MINUTE)
  t.same(cluster.nomad.writes, [])
  updateGroup(cluster, { MinSize: 2 })
  await cluster.until('one is cordoned', () => cluster.eligible() === 2, MINUTE)
  updateGroup(cluster, { MinSize: 3 })
  await cluster.until('it is given back', () => cluster.eligible() === 3, MINUTE)
  t.equal(count(cluster, TERMINATE), 0)
  t.equal(cluster.members('InService').length, 3)
})

t.test('F42: while terminating is suspended nothing is cordoned', async (t) => {
  const cluster = await idleCluster(t, 2)
  const processes = { AutoScalingGroupName: 'clients', ScalingProcesses: ['Terminate'] }
  cluster.call('SuspendProcesses', processes)
  await cluster.pass(5 * MINUTE)
  t.same(cluster.nomad.writes, [])
  t.match(notes(cluster), 'nothing is taken away: terminating is suspended in the group')
  cluster.call('ResumeProcesses', processes)
  await untilGone(cluster, 5 * MINUTE)
})

t.test(
  'F43: a group that Auto Scaling gave up on after a day is left alone, until a person resumes it',
  async (t) => {
    const cluster = await withCluster(t)
    cluster.aws.disturb({ do: 'fail-launches', code: 'InvalidLaunchTemplateId' })
    setDesired(cluster, 1)
    // A day ago, that is; from a day on Auto Scaling does not try any more.
    cluster.group.launching.failingSince = cluster.aws.now() - 24 * HOUR
    await cluster.pass(MINUTE)
    t.ok(cluster.group.suspended.has('Launch'))
    cluster.start()
    cluster.queue.add(4, MINUTE)
    await cluster.pass(5 * MINUTE)
    t.same(sizes(cluster), [1], 'not asked for more')
    const isTold = (text: string) => text === 'launching is suspended in the group'
    t.equal(alarms(cluster).filter(isTold).length, 1)
    cluster.aws.disturb({ do: 'mend-launches' })
    cluster.call('ResumeProcesses', { AutoScalingGroupName: 'clients' })
    await cluster.until('all have run', () => cluster.queue.done === 4, 40 * MINUTE)
  },
)

/** Four machines in one of two zones, and slices for three of them. */
async function skewedCluster(t: Parameters<typeof withCluster>[0], isProtecting: boolean) {
  const never = new Refusal('AccessDenied', 'by order of the test')
  const cluster = await withCluster(t, {
    bootMs: 20 * SECOND,
    group: { zones: ['a', 'b'] },
    intercept: refusing({
      SetInstanceProtection: { times: isProtecting ? 0 : Infinity, refusal: never },
    }),
  })
  cluster.aws.disturb({ do: 'fail-launches', zone: 'b' })
  setDesired(cluster, 4)
  await cluster.until('they are there', () => cluster.eligible() === 4)
  cluster.start()
  cluster.queue.add(6, 10 * MINUTE)
  await cluster.until('they run', () => running(cluster) === 6)
  const busy = new Set([...cluster.queue.slices.values()].map(({ nodeId }) => nodeId))
  cluster.aws.disturb({ do: 'mend-launches' })
  const busyLeft = () =>
    cluster.members('InService').filter((id) => busy.has(cluster.nomad.nodeOf(id)?.ID ?? '')).length
  return { cluster, busyLeft }
}

t.test('F44: a rebalance between zones finds an idle machine, and no busy one', async (t) => {
  const { cluster, busyLeft } = await skewedCluster(t, true)
  await cluster.pass(6 * MINUTE)
  t.equal(busyLeft(), 3)
  t.same(closings(cluster), ['complete'], 'the idle one has gone')
  t.equal(cluster.members('InService').length, 4)
  await cluster.until('all have run', () => cluster.queue.done === 6)
  t.equal(lost(cluster), 0)
})

t.test('F44: one that is not protected is held until its slices have ended', async (t) => {
  const { cluster, busyLeft } = await skewedCluster(t, false)
  await cluster.until('a busy one goes', () => busyLeft() < 3, 10 * MINUTE)
  await cluster.until('all have run', () => cluster.queue.done === 6)
  t.equal(lost(cluster), 0)
  t.same(cluster.violations, [])
})

t.test('F45: what goes leaves the zones even, so that the group moves nothing', async (t) => {
  const cluster = await idleCluster(t, 8, {
    policy: { min: 4 },
    group: { zones: ['a', 'b'] },
  })
  await cluster.until('four are left', () => cluster.group.members.size === 4, HOUR)
  await cluster.pass(3 * MINUTE)
  const zones = [...cluster.group.members.values()].map(({ machine }) => machine.zone)
  t.same(zones.toSorted(), ['a', 'a', 'b', 'b'])
  t.equal(cluster.aws.world.machines.size, 8, 'none was launched for balance')
})

t.test('F46: a machine that a person protects stays, however idle', async (t) => {
  const cluster = await idleCluster(t, 2)
  const kept = anyOf(cluster)
  const protect = (isProtected: boolean) =>
    cluster.call('SetInstanceProtection', {
      AutoScalingGroupName: 'clients',
      InstanceIds: [kept],
      ProtectedFromScaleIn: isProtected,
    })
  protect(true)
  await cluster.pass(10 * MINUTE)
  t.same([...cluster.group.members.keys()], [kept])
  protect(false)
  await untilGone(cluster, 5 * MINUTE)
})

t.test(
  'F47, F82: a size that somebody lowers under protection ends nothing now, and no slice later',
  async (t) => {
    const seen: SeenCall[] = []
    const cluster = await busyCluster(t, 2, 6 * MINUTE, { intercept: recording(seen) })
    await cluster.pass(5 * SECOND)
    setDesired(cluster, 0)
    await cluster.pass(4 * MINUTE)
    t.equal(cluster.members('InService').length, 2)
    await untilGone(cluster, 10 * MINUTE)
    t.equal(cluster.queue.done, 4)
    t.equal(lost(cluster), 0)
    t.same(sizes(cluster), [2, 0], 'their work was not asked for again')
    const asked = seen.filter(({ action }) => action === 'SetDesiredCapacity')
    t.match(asked, [{ input: { DesiredCapacity: 2 } }], 'and nothing was lowered by us')
    t.equal(asked.length, 1)
  },
)

t.test('F52: what is too much goes for good, what is too old is replaced', async (t) => {
  const seen: SeenCall[] = []
  const cluster = await idleCluster(t, 2, {
    policy: { min: 1, idleOffMs: HOUR },
    intercept: recording(seen),
  })
  const before = [...cluster.group.members.keys()]
  updateGroup(cluster, { LaunchTemplate: { LaunchTemplateName: 'client', Version: '2' } })
  const isOver = () => cluster.members('InService').length === 1 && !before.includes(anyOf(cluster))
  await cluster.until('one newer is left', isOver, 15 * MINUTE)
  await cluster.pass(2 * MINUTE)
  t.equal(cluster.group.members.size, 1)
  t.same(sizes(cluster), [1])
  const ends = seen.filter(({ action }) => action === TERMINATE)
  const decrements = ends.map(({ input }) => String(input['ShouldDecrementDesiredCapacity']))
  t.same(decrements.toSorted(), ['false', 'true'])
})

t.test('F53: what somebody else asks for is not taken away at once', async (t) => {
  const cluster = await idleCluster(t, 1)
  await cluster.pass(20 * SECOND)
  setDesired(cluster, 3)
  await cluster.pass(55 * SECOND)
  t.same(cluster.nomad.writes, [])
  t.match(notes(cluster), 'somebody else changed the desired size from 1 to 3')
  t.match(notes(cluster), 'nothing is taken away: somebody else has just changed the size')
  await untilGone(cluster, 10 * MINUTE)
  t.same(sizes(cluster), [3, 2, 1, 0])
})

t.test(
  'F55: neither a cooldown nor a machine that hangs in its launch holds up more',
  async (t) => {
    const seen: SeenCall[] = []
    const busy = new Refusal('ScalingActivityInProgress', 'by order of the test')
    const rules = { SetDesiredCapacity: { times: 0, refusal: busy } }
    const [record, refuse] = [recording(seen), refusing(rules)]
    const cluster = await withCluster(t, {
      bootMs: 20 * SECOND,
      intercept: (call, next) =>
        record(call, async () => refuse(call, next) as ReturnType<typeof next>),
    })
    putLaunchHook(cluster)
    cluster.start()
    cluster.queue.add(2, 5 * MINUTE)
    await cluster.until('it hangs', () => cluster.members('Pending:Wait').length === 1, MINUTE)
    cluster.queue.add(2, 5 * MINUTE)
    await cluster.until('one more is asked for', () => cluster.group.desired === 2, 3 * SECOND)
    rules.SetDesiredCapacity.times = 10
    cluster.queue.add(2, 5 * MINUTE)
    await cluster.until('it is tried again', () => cluster.group.desired === 3, 30 * SECOND)
    t.equal(rules.SetDesiredCapacity.times, 0)
    const asked = seen.filter(({ action }) => action === 'SetDesiredCapacity')
    t.ok(asked.every(({ input }) => input['HonorCooldown'] === false))
    t.equal(asked.length, 13, 'as often as it was refused, and no more')
    await cluster.until('all have run', () => cluster.queue.done === 6, 20 * MINUTE)
  },
)

t.test('F68: a group above its maximum while it replaces is not corrected', async (t) => {
  const cluster = await busyCluster(t, 2, 5 * MINUTE, { group: { max: 2 } })
  updateGroup(cluster, { CapacityRebalance: true })
  let most = 0
  cluster.aws.subscribe(() => (most = Math.max(most, cluster.group.members.size)))
  cluster.aws.disturb({ do: 'rebalance-recommendation', instance: anyOf(cluster) })
  await cluster.pass(4 * MINUTE)
  t.equal(most, 3)
  t.equal(count(cluster, TERMINATE), 0)
  t.same(sizes(cluster), [2])
  await cluster.until('all have run', () => cluster.queue.done === 4, 10 * MINUTE)
  t.equal(lost(cluster), 0)
})

t.test(
  'F70: machines go for their age before the group takes them, one after the other',
  async (t) => {
    const cluster = await withCluster(t, {
      policy: { min: 3, maxAgeMs: 20 * MINUTE, budget: { count: 1 } },
      group: { min: 3 },
    })
    updateGroup(cluster, { MaxInstanceLifetime: 86_400 })
    await cluster.pass(20 * MINUTE)
    const old = [...cluster.group.members.keys()]
    cluster.start()
    let fewest = 3
    const isOver = () => {
      fewest = Math.min(fewest, cluster.eligible())
      return old.every((id) => !cluster.group.members.has(id))
    }
    await cluster.until('all are newer', isOver, 30 * MINUTE)
    t.equal(fewest, 2, 'one at a time')
    const causes = [...cluster.aws.world.activities.values()].flat().map(({ cause }) => cause)
    t.notMatch(causes.join('\n'), 'max instance lifetime')
  },
)

t.test('F71: while instances are refreshed nothing is taken away, and more may come', async (t) => {
  const cluster = await withCluster(t, {
    policy: { idleOffMs: 30 * SECOND },
    group: { desired: 2 },
    bootMs: 20 * SECOND,
  })
  await cluster.until('they are there', () => cluster.eligible() === 2)
  const group = { AutoScalingGroupName: 'clients' }
  cluster.call('StartInstanceRefresh', {
    ...group,
    DesiredConfiguration: { LaunchTemplate: { LaunchTemplateName: 'client', Version: '2' } },
    Preferences: { BakeTime: 600, MinHealthyPercentage: 50 },
  })
  cluster.start()
  const versions = () =>
    [...cluster.group.members.values()].map(({ machine }) => machine.template?.number).join()
  await cluster.until('both are newer', () => versions() === '2,2', 5 * MINUTE)
  cluster.queue.add(6, 30 * SECOND)
  await cluster.until('more are asked for', () => cluster.group.desired === 3, 3 * SECOND)
  await cluster.until('all have run', () => cluster.queue.done === 6, 5 * MINUTE)
  await cluster.pass(3 * MINUTE)
  cluster.call('RollbackInstanceRefresh', group)
  await cluster.until('all are as before', () => versions() === '1,1,1', 5 * MINUTE)
  t.equal(count(cluster, TERMINATE), 0)
  t.match(notes(cluster), 'nothing is taken away: a refresh of the instances is under way')
  await untilGone(cluster, 30 * MINUTE)
})

t.test('F71: every state of a refresh that is no end of it counts', async (t) => {
  for (const Status of ['Pending', 'InProgress', 'Cancelling', 'Baking', 'SomethingNew']) {
    const cluster = await idleCluster(t, 1, {
      intercept: ({ action }, next) =>
        action === 'DescribeInstanceRefreshes' ? { InstanceRefreshes: [{ Status }] } : next(),
    })
    await cluster.pass(90 * SECOND)
    t.equal(count(cluster, TERMINATE), 0, Status)
  }
})
