/** Standby, leaving and joining a group, even zones, warm pools. */
import t from 'tap'
import { GROUP, LAUNCHING, MINUTE, SECOND, aServingGroup, putHook, refusalOf } from '../support.ts'
import type { Region, SeenInstance } from '../support.ts'

const batch = (ids: string[], fields: object = {}) => ({
  AutoScalingGroupName: GROUP,
  InstanceIds: ids,
  ...fields,
})

const inService = (region: Region) =>
  region.states().filter((state) => state === 'InService').length

t.test('standby keeps the machine, is not counted and comes back as a launch does', async (t) => {
  const region = await aServingGroup(t, { group: { MinSize: 1 } })
  const [first = '', second = ''] = region.ids
  const enter = (id: string, ShouldDecrementDesiredCapacity: boolean) =>
    region.call('EnterStandby', batch([id], { ShouldDecrementDesiredCapacity }))
  enter(first, true)
  t.equal(region.stateOf(first), 'EnteringStandby')
  await region.clock.tick(SECOND)
  t.equal(region.stateOf(first), 'Standby')
  t.equal(region.group().DesiredCapacity, 1)
  t.equal(refusalOf(() => enter(second, true))?.code, 'ValidationError', 'at the minimum')
  enter(second, false)
  await region.clock.tick(3 * SECOND)
  t.same(region.states(), ['InService', 'Standby', 'Standby'], 'its place was filled')
  t.equal(
    refusalOf(() => enter(first, false))?.message,
    `The instance ${first} is not in InService.`,
  )
  region.call('ExitStandby', batch([first]))
  t.equal(region.group().DesiredCapacity, 2)
  await region.clock.tick(SECOND)
  t.equal(region.stateOf(first), 'InService')
  t.equal(region.machineState(second), 'running')
})

t.test('a detached machine runs on outside, and can join again', async (t) => {
  const region = await aServingGroup(t, { group: { MaxSize: 2 } })
  const [id = ''] = region.ids
  region.call('DetachInstances', batch([id], { ShouldDecrementDesiredCapacity: true }))
  t.equal(region.stateOf(id), undefined)
  t.equal(region.machineState(id), 'running')
  t.equal(region.group().DesiredCapacity, 1)
  region.call('AttachInstances', batch([id]))
  await region.clock.tick(SECOND)
  t.equal(region.stateOf(id), 'InService')
  t.equal(region.group().DesiredCapacity, 2)
  t.match(
    refusalOf(() => region.call('AttachInstances', batch([id]))),
    {
      message: `Instance ${id} is already part of AutoScalingGroup:${GROUP}`,
    },
  )
  const tooMany = Array.from({ length: 21 }, () => id)
  t.equal(
    refusalOf(() => region.call('ExitStandby', batch(tooMany)))?.code,
    'ValidationError',
    'twenty at most',
  )
})

t.test(
  'uneven zones are evened out: a launch first, then the termination of one that is not protected',
  async (t) => {
    const region = await aServingGroup(t, {
      group: { DesiredCapacity: 4, AvailabilityZones: ['us-east-1a'] },
    })
    region.call(
      'SetInstanceProtection',
      batch(region.ids.slice(0, 1), { ProtectedFromScaleIn: true }),
    )
    region.call('UpdateAutoScalingGroup', {
      AutoScalingGroupName: GROUP,
      AvailabilityZones: ['us-east-1a', 'us-east-1b'],
    })
    await region.clock.tick(MINUTE)
    t.equal(region.states().length, 5)
    t.equal(inService(region), 4)
    await region.clock.tick(2 * SECOND)
    const leaving = region.instances().find(({ LifecycleState }) => LifecycleState !== 'InService')
    t.equal(leaving?.LifecycleState, 'Terminating:Wait')
    t.not(leaving?.InstanceId, region.ids[0], 'a protected one stays')
    await region.clock.tick(10 * MINUTE)
    const zones = region.instances().map(({ AvailabilityZone }) => AvailabilityZone)
    t.same(zones.sort(), ['us-east-1a', 'us-east-1a', 'us-east-1b', 'us-east-1b'])
  },
)

t.test('with AZRebalance suspended, or all of a zone protected, nothing moves', async (t) => {
  const region = await aServingGroup(t, {
    hook: null,
    group: { DesiredCapacity: 4, AvailabilityZones: ['us-east-1a'] },
  })
  region.call('UpdateAutoScalingGroup', {
    AutoScalingGroupName: GROUP,
    AvailabilityZones: ['us-east-1a', 'us-east-1b'],
  })
  const processes = { AutoScalingGroupName: GROUP, ScalingProcesses: ['AZRebalance'] }
  region.call('SuspendProcesses', processes)
  await region.clock.tick(10 * MINUTE)
  t.same(
    region.instances().map(({ InstanceId }) => InstanceId),
    region.ids,
  )
  region.call('SetInstanceProtection', batch(region.ids, { ProtectedFromScaleIn: true }))
  region.call('ResumeProcesses', processes)
  await region.clock.tick(10 * MINUTE)
  t.same(
    region.instances().map(({ InstanceId }) => InstanceId),
    region.ids,
  )
})

const pool = (region: Region) =>
  region.call('DescribeWarmPool', { AutoScalingGroupName: GROUP })['Instances'] as SeenInstance[]

t.test('a warm pool prepares machines ahead, which are not listed and serve sooner', async (t) => {
  const region = await aServingGroup(t, {
    hook: null,
    group: { MaxSize: 4 },
    region: { bootMs: MINUTE },
  })
  await region.clock.tick(2 * MINUTE)
  putHook(region, { LifecycleHookName: 'ready', LifecycleTransition: LAUNCHING })
  region.call('PutWarmPool', { AutoScalingGroupName: GROUP, MinSize: 1 })
  await region.clock.tick(31 * SECOND)
  t.same(
    pool(region).map(({ LifecycleState }) => LifecycleState),
    Array(2).fill('Warmed:Pending:Wait'),
  )
  for (const { InstanceId } of pool(region)) region.complete(InstanceId, 'CONTINUE', 'ready')
  await region.clock.tick(2 * SECOND)
  const [warm] = pool(region)
  t.equal(warm?.LifecycleState, 'Warmed:Stopped')
  t.equal(region.machineState(warm?.InstanceId ?? ''), 'stopped')
  t.same(region.states(), ['InService', 'InService'])
  t.match(
    refusalOf(() => region.terminate(warm?.InstanceId ?? '')),
    { code: 'ValidationError' },
  )
  region.call('SetDesiredCapacity', { AutoScalingGroupName: GROUP, DesiredCapacity: 3 })
  const taken = region.instances().find(({ LifecycleState }) => LifecycleState === 'Pending')
  const id = taken?.InstanceId ?? ''
  t.equal(region.machineState(id), 'pending', 'started again, not launched')
  await region.clock.tick(31 * SECOND)
  region.complete(id, 'CONTINUE', 'ready')
  await region.clock.tick(SECOND)
  t.equal(region.stateOf(id), 'InService')
  t.equal(pool(region).length, 1, 'the group and its pool together are as many as before')
  region.call('DeleteWarmPool', { AutoScalingGroupName: GROUP })
  await region.clock.tick(MINUTE)
  t.same(pool(region), [])
})

t.test('a pool that reuses takes back what the group scales in', async (t) => {
  const region = await aServingGroup(t)
  region.call('PutWarmPool', {
    AutoScalingGroupName: GROUP,
    MaxGroupPreparedCapacity: 2,
    PoolState: 'Running',
    InstanceReusePolicy: { ReuseOnScaleIn: true },
  })
  region.call('SetDesiredCapacity', { AutoScalingGroupName: GROUP, DesiredCapacity: 1 })
  await region.clock.tick(SECOND)
  const leaving = region.instances().find(({ LifecycleState }) => LifecycleState !== 'InService')
  t.equal(leaving?.LifecycleState, 'Terminating:Wait')
  region.complete(leaving?.InstanceId ?? '')
  const states = pool(region).map(({ LifecycleState }) => LifecycleState)
  t.ok(states.includes('Warmed:Running'), states.join())
  t.equal(region.machineState(leaving?.InstanceId ?? ''), 'running')
})

t.test('a group that asks for spot instances can not have a warm pool', async (t) => {
  const region = await aServingGroup(t, {
    group: {
      LaunchTemplate: undefined,
      MixedInstancesPolicy: {
        LaunchTemplate: {
          LaunchTemplateSpecification: { LaunchTemplateName: 'client' },
          Overrides: [{ InstanceType: 'c5.4xlarge' }],
        },
        InstancesDistribution: { OnDemandPercentageAboveBaseCapacity: 0 },
      },
    },
  })
  const refused = refusalOf(() => region.call('PutWarmPool', { AutoScalingGroupName: GROUP }))
  t.equal(refused?.code, 'ValidationError')
  const [instance] = region.instances() as (SeenInstance & { InstanceType: string })[]
  t.equal(instance?.InstanceType, 'c5.4xlarge')
  t.equal(region.aws.world.machines.get(instance?.InstanceId ?? '')?.isSpot, true)
})
