/** Machines that others park, take out or keep for later, that take hours to end, and groups that go away. On a virtual clock. */
import t from 'tap'
import {
  alarms,
  anyOf,
  busyCluster,
  closings,
  count,
  idleCluster,
  lost,
  MINUTE,
  nodeOf,
  notes,
  putLaunchHook,
  running,
  SECOND,
  sizes,
  TERMINATE,
  untilGone,
  withCluster,
} from './support/situations.ts'

t.test('F72: a machine in standby is no place for slices, and nobody ends it', async (t) => {
  const cluster = await idleCluster(t, 1)
  const instance = anyOf(cluster)
  const batch = { AutoScalingGroupName: 'clients', InstanceIds: [instance] }
  cluster.call('EnterStandby', { ...batch, ShouldDecrementDesiredCapacity: true })
  nodeOf(cluster, instance).SchedulingEligibility = 'ineligible'
  await cluster.pass(5 * MINUTE)
  t.same(cluster.members('Standby'), [instance])
  cluster.queue.add(2, MINUTE)
  await cluster.until('they have run', () => cluster.queue.done === 2, 5 * MINUTE)
  await cluster.until('only it is left', () => cluster.group.members.size === 1, 5 * MINUTE)
  t.same(cluster.members('Standby'), [instance])
  t.same(sizes(cluster), [0, 1, 0])
  cluster.call('ExitStandby', batch)
  nodeOf(cluster, instance).SchedulingEligibility = 'eligible'
  cluster.queue.add(2, MINUTE)
  await cluster.until('they have run on it', () => cluster.queue.done === 4, 3 * MINUTE)
  t.same(sizes(cluster), [0, 1, 0, 1])
  await untilGone(cluster, 10 * MINUTE)
})

t.test('F73: a machine that its group has lost is drained, proven twice, and ended', async (t) => {
  const cluster = await withCluster(t, { group: { desired: 2 } })
  // Old enough that the list of the group must have them.
  await cluster.pass(16 * MINUTE)
  cluster.start()
  cluster.queue.add(4, 20 * MINUTE)
  await cluster.until('all run', () => running(cluster) === 4)
  const [one = '', two = ''] = cluster.members('InService')
  const detach = (instance: string) =>
    cluster.call('DetachInstances', {
      AutoScalingGroupName: 'clients',
      InstanceIds: [instance],
      ShouldDecrementDesiredCapacity: true,
    })
  const stateOf = (instance: string) => cluster.aws.world.machines.get(instance)?.state.value
  detach(one)
  detach(two)
  // Detaching takes the mark of the group off; a machine that still bears it was not meant to be kept.
  cluster.aws.change(({ machines }) => {
    machines.get(one)?.tags.set('aws:autoscaling:groupName', 'clients')
  })
  await cluster.until('it takes no slices', () => cluster.eligible() === 1, 18 * MINUTE)
  t.equal(stateOf(one), 'running', 'its slices are not over')
  await cluster.until('it is ended', () => stateOf(one) !== 'running', 10 * MINUTE)
  t.equal(cluster.queue.done, 4)
  t.equal(lost(cluster), 0)
  await cluster.pass(6 * MINUTE)
  t.equal(stateOf(two), 'running', 'what a person took out is theirs')
})

t.test('F74: what a warm pool keeps is neither supply nor left over', async (t) => {
  const cluster = await withCluster(t, { policy: { idleOffMs: 10 * MINUTE }, bootMs: 20 * SECOND })
  // Time to boot before it is stopped: without anybody on the machine who knows better, it joins Nomad.
  putLaunchHook(cluster, { timeoutS: 30, result: 'CONTINUE' })
  cluster.call('PutWarmPool', { AutoScalingGroupName: 'clients', MaxGroupPreparedCapacity: 1 })
  cluster.start()
  await cluster.until('one is kept', () => cluster.members('Warmed:Stopped').length === 1)
  const [kept = ''] = cluster.members('Warmed:Stopped')
  t.equal(nodeOf(cluster, kept).Status, 'down', 'it was a node, for a moment')
  await cluster.pass(40 * MINUTE)
  t.same(cluster.members('Warmed:Stopped'), [kept], 'nobody takes it for a leak')
  t.same(alarms(cluster), [])
  cluster.queue.add(2, MINUTE)
  await cluster.until('a machine is asked for', () => cluster.group.desired === 1, 3 * SECOND)
  await cluster.until('they have run', () => cluster.queue.done === 2, 5 * MINUTE)
  t.ok(cluster.members('InService').includes(kept), 'on what was kept')
  t.equal(count(cluster, 'TerminateInstances') + count(cluster, TERMINATE), 0)
})

t.test(
  'F77: a machine that takes hours to end is asked to once, and holds up nothing',
  async (t) => {
    const cluster = await idleCluster(t, 1, { policy: { budget: { count: 2 } } })
    const instance = anyOf(cluster)
    cluster.aws.disturb({ do: 'slow-shutdown', instance, for: '3h' })
    const isEnding = () => cluster.members('Terminating:Proceed').length === 1
    await cluster.until('it ends', isEnding, 5 * MINUTE)
    const calls = [count(cluster, TERMINATE), count(cluster, 'CompleteLifecycleAction')]
    t.same(calls, [1, 1])
    cluster.queue.add(2, MINUTE)
    await cluster.until('they have run', () => cluster.queue.done === 2, 5 * MINUTE)
    await cluster.until('only it is left', () => cluster.group.members.size === 1, 5 * MINUTE)
    t.ok(isEnding())
    t.same(sizes(cluster), [0, 1, 0])
    t.equal(cluster.calls.filter((call) => call === TERMINATE).length, 2, 'one for each')
  },
)

t.test('F77: a stray that may not be terminated is not asked to with every look', async (t) => {
  const cluster = await withCluster(t, { policy: { min: 1 }, group: { desired: 1 } })
  await cluster.pass(16 * MINUTE)
  cluster.start()
  const instance = anyOf(cluster)
  cluster.call('DetachInstances', {
    AutoScalingGroupName: 'clients',
    InstanceIds: [instance],
    ShouldDecrementDesiredCapacity: false,
  })
  cluster.aws.change(({ machines }) => {
    machines.get(instance)?.tags.set('aws:autoscaling:groupName', 'clients')
  })
  const keep = { InstanceId: instance, DisableApiTermination: { Value: true } }
  cluster.aws.call('ec2', 'ModifyInstanceAttribute', keep)
  await cluster.until('it is tried', () => count(cluster, 'TerminateInstances') > 0, 20 * MINUTE)
  await cluster.pass(11 * MINUTE)
  t.ok(count(cluster, 'TerminateInstances') <= 2)
  t.match(notes(cluster), '1 machines run outside of the group')
})

t.test(
  'F78: a group that is deleted by force is left alone, and served when it is there again',
  async (t) => {
    const cluster = await busyCluster(t, 2, 3 * MINUTE)
    for (const instance of cluster.members('InService')) {
      cluster.aws.disturb({ do: 'slow-shutdown', instance, for: '5m' })
    }
    cluster.call('DeleteAutoScalingGroup', { AutoScalingGroupName: 'clients', ForceDelete: true })
    t.equal(lost(cluster), 4, 'no hook is asked')
    await cluster.pass(MINUTE)
    t.match(notes(cluster), 'the group has the status Delete in progress')
    const isGone = () => !cluster.aws.world.groups.has('clients')
    await cluster.until('it is gone', isGone, 10 * MINUTE)
    await cluster.pass(MINUTE)
    t.match(alarms(cluster), ['there is no Auto Scaling group clients in us-east-1'])
    t.equal(running(cluster), 0)
    const changes = ['SetDesiredCapacity', TERMINATE, 'CompleteLifecycleAction']
    t.same(
      changes.map((action) => count(cluster, action)),
      [1, 0, 0],
      'only what it had needed before',
    )
    cluster.call('CreateAutoScalingGroup', {
      AutoScalingGroupName: 'clients',
      LaunchTemplate: { LaunchTemplateName: 'client', Version: '1' },
      MinSize: 0,
      MaxSize: 5,
      AvailabilityZones: ['a'],
    })
    await cluster.until('all have run', () => cluster.queue.done === 4, 10 * MINUTE)
    t.same(closings(cluster), [])
  },
)
