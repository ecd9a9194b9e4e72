/** What others read from queues of messages: there is none here, and nothing that one could lose or repeat. */
import t from 'tap'
import {
  busyCluster,
  closings,
  count,
  endByHand,
  lost,
  MINUTE,
  running,
  SECOND,
  withCluster,
} from './support/situations.ts'

const BEAT = 'RecordLifecycleActionHeartbeat'
const COMPLETE = 'CompleteLifecycleAction'
const READS = /^Describe/

t.test('F14: a hook that sends test notifications somewhere changes nothing', async (t) => {
  const cluster = await busyCluster(t, 2, 3 * MINUTE)
  await cluster.pass(10 * SECOND)
  const writes = () => [
    ...cluster.calls.filter((call) => !READS.test(call)),
    ...cluster.nomad.writes,
  ]
  const before = writes()
  for (let times = 0; times < 3; times++) {
    cluster.call('PutLifecycleHook', {
      LifecycleHookName: 'drain',
      AutoScalingGroupName: 'clients',
      NotificationTargetARN: 'arn:aws:sqs:us-east-1:123456789012:hooks',
      RoleARN: 'arn:aws:iam::123456789012:role/hooks',
    })
    await cluster.pass(10 * SECOND)
  }
  t.same(writes(), before)
  endByHand(cluster)
  await cluster.until('it is over', () => closings(cluster).length > 0)
  t.same(closings(cluster), ['complete'])
  t.same(cluster.violations, [])
})

t.test(
  'F17: seen late, a machine is held for what is left; seen too late, it is let be',
  async (t) => {
    for (const lateMs of [20 * SECOND, MINUTE]) {
      const cluster = await withCluster(t, { bootMs: 20 * SECOND, hook: { timeoutS: 30 } })
      const first = cluster.start('one')
      cluster.queue.add(4, 5 * MINUTE)
      await cluster.until('all run', () => running(cluster) === 4)
      first.mortal.die()
      endByHand(cluster)
      const before = [count(cluster, BEAT), count(cluster, COMPLETE)]
      await cluster.pass(lateMs)
      const isLate = lateMs > 30 * SECOND
      t.same(closings(cluster), isLate ? ['timeout'] : [], 'nobody has seen it yet')
      cluster.violations.length = 0
      cluster.start('two')
      await cluster.until('all slices have run', () => cluster.queue.done === 4)
      await cluster.pass(2 * MINUTE)
      t.equal(lost(cluster), isLate ? 2 : 0)
      t.same(closings(cluster).slice(0, 1), isLate ? ['timeout'] : ['complete'])
      if (isLate)
        t.same([count(cluster, BEAT), count(cluster, COMPLETE)], before, 'nothing is asked')
      t.same(cluster.violations, [])
    }
  },
)

t.test('F18: machines and nodes of others are left alone, whatever becomes of them', async (t) => {
  const cluster = await busyCluster(t, 1, 4 * MINUTE)
  const others = { AutoScalingGroupName: 'others' }
  cluster.call('CreateAutoScalingGroup', {
    ...others,
    LaunchTemplate: { LaunchTemplateName: 'other', Version: '1' },
    MinSize: 0,
    MaxSize: 2,
    DesiredCapacity: 2,
    AvailabilityZones: ['us-east-1a'],
  })
  cluster.call('PutLifecycleHook', {
    ...others,
    LifecycleHookName: 'theirs',
    LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
    HeartbeatTimeout: 1800,
  })
  const rack = cluster.nomad.add({ instanceId: null, name: 'rack-4' })
  const unknown = cluster.nomad.add({ instanceId: 'i-0123456789abcdef0' })
  unknown.Status = 'down'
  await cluster.pass(MINUTE)
  const theirs = [...cluster.aws.world.machines.values()].filter(({ group }) => group === 'others')
  const [first, second] = theirs.map(({ id }) => id)
  t.equal(theirs.length, 2)
  endByHand(cluster, true, first)
  cluster.aws.call('ec2', 'TerminateInstances', { InstanceIds: [second] })
  const [own = ''] = cluster.members('InService')
  endByHand(cluster, true, own)
  await cluster.until('ours is gone', () => !cluster.group.members.has(own))
  await cluster.pass(2 * MINUTE)
  const stateOf = (id = '') => cluster.aws.world.groups.get('others')?.members.get(id)?.state.value
  t.equal(stateOf(first), 'Terminating:Wait', 'it waits for whoever it belongs to')
  const touched = cluster.events.filter(
    (event) => event.type === 'heartbeat' && event.instance !== own,
  )
  t.same(touched, [])
  t.ok(
    cluster.nomad.writes.every((write) => write.endsWith(own)),
    'only our own node is drained',
  )
  for (const id of [first ?? '', second ?? '', 'i-0123456789abcdef0']) {
    t.ok(cluster.nomad.nodeOf(id), `the node of ${id} is not purged`)
  }
  t.equal(rack.SchedulingEligibility, 'eligible')
  t.same(cluster.violations, [])
  const faults = cluster.lines.filter(({ level }) => level === 'error' || level === 'warn')
  t.same(faults, [], 'and nobody is troubled with it')
})

t.test('F19: however a termination was begun, it is seen in one shape', async (t) => {
  const cluster = await busyCluster(t, 4, 3 * MINUTE)
  await cluster.pass(10 * SECOND)
  const ids = cluster.members('InService')
  const [called = '', unhealthy = '', chosen = ''] = ids
  endByHand(cluster, false, called)
  cluster.call('SetInstanceHealth', {
    InstanceId: unhealthy,
    HealthStatus: 'Unhealthy',
    ShouldRespectGracePeriod: false,
  })
  const group = { AutoScalingGroupName: 'clients' }
  cluster.call('SetInstanceProtection', {
    ...group,
    InstanceIds: [chosen],
    ProtectedFromScaleIn: false,
  })
  cluster.call('SetDesiredCapacity', { ...group, DesiredCapacity: 3 })
  await cluster.pass(SECOND)
  cluster.call('StartInstanceRefresh', {
    ...group,
    Preferences: { MinHealthyPercentage: 0, ScaleInProtectedInstances: 'Refresh' },
  })
  await cluster.until('all slices have run', () => cluster.queue.done === 8)
  await cluster.until('all have gone', () => ids.every((id) => !cluster.group.members.has(id)))
  const ends = cluster.events.flatMap((event) =>
    event.type === 'action-closed' && ids.includes(event.instance) ? [event.by] : [],
  )
  t.same(ends, ['complete', 'complete', 'complete', 'complete'])
  t.equal(lost(cluster), 0)
  t.same(cluster.violations, [])
})
