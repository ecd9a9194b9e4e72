/** Many groups, many machines: lists in pages and parts, and few calls. On a virtual clock. */
import t from 'tap'
import { AwsEmulator, createInProcessClient } from '../../src/dev/aws/index.ts'
import { createSteadyTime } from '../../src/fleet/index.ts'
import { Observer } from '../../src/fleet/observe/observer.ts'
import { createAws, silentLog, TestClock } from '../../src/platform/index.ts'
import { seeded } from './support/cluster.ts'
import { FakeNomad } from './support/nomad.ts'
import { NO_DEMAND } from './support/queue.ts'
import {
  closings,
  endByHand,
  idleCluster,
  lost,
  MINUTE,
  recording,
  SECOND,
  type SeenCall,
} from './support/situations.ts'
import { aPolicy } from './support/views.ts'

t.test('F49: sixty machines are protected, though one of them is on its way out', async (t) => {
  const seen: SeenCall[] = []
  const cluster = await idleCluster(t, 60, {
    group: { max: 60 },
    lagMs: 20 * SECOND,
    intercept: recording(seen),
  })
  const leaving = endByHand(cluster)
  cluster.queue.add(120, 2 * MINUTE)
  const open = () => [...cluster.group.members.values()].filter(({ isProtected }) => !isProtected)
  await cluster.until('all others are', () => open().length === 1, 30 * SECOND)
  t.match(open(), [{ machine: { id: leaving } }])
  const batches = seen
    .filter(({ action }) => action === 'SetInstanceProtection')
    .map(({ input }) => (input['InstanceIds'] as string[]).length)
  t.same(
    batches.slice(0, 3).map((size) => size <= 50),
    [true, true, true],
  )
  t.ok(batches.includes(50) && batches.includes(25), 'halved until the bad one was found')
  await cluster.until('all have run', () => cluster.queue.done === 120, 5 * MINUTE)
  t.equal(lost(cluster), 0)
})

type Clients = NonNullable<Parameters<typeof createAws>[0]['clients']>

t.test('F57: a hundred and twenty pools are looked at with two calls', async (t) => {
  const clock = new TestClock()
  const emulator = new AwsEmulator({ clock, random: seeded(1), rate: null })
  t.teardown(() => emulator.close())
  const policies = Array.from({ length: 120 }, (_, at) =>
    aPolicy({ name: `pool-${at}`, group: `group-${at}` }),
  )
  for (const { group } of policies) {
    emulator.call('autoscaling', 'CreateAutoScalingGroup', {
      AutoScalingGroupName: group,
      LaunchTemplate: { LaunchTemplateName: 'client', Version: '1' },
      MinSize: 0,
      MaxSize: 5,
      AvailabilityZones: ['a'],
    })
  }
  const seen: SeenCall[] = []
  const client = (service: 'autoscaling' | 'ec2') =>
    createInProcessClient(emulator, service, recording(seen)) as unknown
  const aws = createAws({
    region: 'us-east-1',
    clock,
    clients: {
      autoScaling: client('autoscaling') as Clients['autoScaling'],
      ec2: client('ec2') as Clients['ec2'],
    },
  })
  const observer = new Observer({
    policies,
    awsOf: () => aws,
    nomad: new FakeNomad(clock),
    demand: NO_DEMAND,
    clock,
    now: createSteadyTime(clock),
    log: silentLog,
  })
  const look = () =>
    observer.look(
      { pins: new Map(), sizes: new Map() },
      new AbortController().signal,
      () => undefined,
    )
  const { views, faults } = await look()
  t.same(faults, [])
  t.equal([...views.values()].filter(({ group }) => group !== null).length, 120)
  const groupReads = () => seen.filter(({ action }) => action === 'DescribeAutoScalingGroups')
  t.equal(groupReads().length, 2)
  seen.length = 0
  observer.forget()
  t.equal((await look()).views.size, 120)
  t.equal(groupReads().length, 2)
  t.equal(seen.length, 2, 'and nothing else is asked for each time')
})

t.test(
  'F79: a hundred and eighty machines, seen a page at a time, are held and let go',
  async (t) => {
    let pages = 0
    const cluster = await idleCluster(t, 180, {
      group: { max: 200 },
      hook: { timeoutS: 60 },
      intercept(call, next) {
        if (call.action !== 'DescribeInstances') return next()
        pages += 1
        // As EC2 may: fewer than were asked for.
        call.input['MaxResults'] = 50
        return next()
      },
    })
    t.equal(pages, 8, 'four of what is in the group, four of all there is')
    cluster.queue.add(360, 2 * MINUTE)
    const isProtected = () => [...cluster.group.members.values()].every((each) => each.isProtected)
    await cluster.until('all are protected', isProtected, 30 * SECOND)
    for (const id of cluster.members('InService')) endByHand(cluster, true, id)
    await cluster.until('all are gone', () => closings(cluster).length === 180, 10 * MINUTE)
    t.strictSame([...new Set(closings(cluster))], ['complete'])
    t.equal(lost(cluster), 0)
    await cluster.until('no node is left', () => cluster.nomad.nodes.size === 0, 20 * MINUTE)
  },
)
