/** Desired, minimum and maximum: what is refused, what follows at once, who is chosen. */
import t from 'tap'
import { GROUP, MINUTE, SECOND, aRegion, aServingGroup, makeGroup, refusalOf } from '../support.ts'
import type { Region } from '../support.ts'

const setDesired = (region: Region, DesiredCapacity: number, fields: object = {}) =>
  region.call('SetDesiredCapacity', { AutoScalingGroupName: GROUP, DesiredCapacity, ...fields })

const protect = (region: Region, InstanceIds: string[], ProtectedFromScaleIn = true) =>
  region.call('SetInstanceProtection', {
    AutoScalingGroupName: GROUP,
    InstanceIds,
    ProtectedFromScaleIn,
  })

t.test('a group grows to what is desired, evenly over its zones', async (t) => {
  const region = await aServingGroup(t, { group: { DesiredCapacity: 5 } })
  t.equal(region.states().length, 5)
  const zones = region.instances().map(({ AvailabilityZone }) => AvailabilityZone)
  t.equal(zones.filter((zone) => zone === 'us-east-1a').length, 3)
})

t.test('desired outside of the bounds is refused in the words of Auto Scaling', async (t) => {
  const region = await aServingGroup(t, { group: { MinSize: 1, MaxSize: 3 } })
  t.same(
    refusalOf(() => setDesired(region, 4)),
    {
      code: 'ValidationError',
      message: 'New SetDesiredCapacity value 4 is above max value 3 for the AutoScalingGroup.',
    },
  )
  t.match(
    refusalOf(() => setDesired(region, 0)),
    {
      message: 'New SetDesiredCapacity value 0 is below min value 1 for the AutoScalingGroup.',
    },
  )
  t.equal(region.group().DesiredCapacity, 2)
})

t.test(
  'terminating with a decrement lowers desired at once, and not below the minimum',
  async (t) => {
    const region = await aServingGroup(t, { group: { MinSize: 1 } })
    const [first = '', second = ''] = region.ids
    region.terminate(first)
    t.equal(region.group().DesiredCapacity, 1)
    const refused = refusalOf(() => region.terminate(second))
    t.equal(refused?.code, 'ValidationError')
    t.match(refused?.message, /^Currently, desiredSize equals minSize \(1\)\./)
    t.equal(region.stateOf(second), 'InService')
  },
)

t.test('terminating without a decrement launches another in its place at once', async (t) => {
  const region = await aServingGroup(t)
  const [id = ''] = region.ids
  region.terminate(id, false)
  t.same(region.states(), ['InService', 'Pending', 'Terminating'])
  await region.clock.tick(2 * SECOND)
  t.same(region.states(), ['InService', 'InService', 'Terminating:Wait'])
})

t.test('an instance that goes already, or that nobody knows, can not be terminated', async (t) => {
  const region = await aServingGroup(t)
  const [id = ''] = region.ids
  region.terminate(id)
  t.equal(refusalOf(() => region.terminate(id))?.code, 'ScalingActivityInProgress')
  const unknown = refusalOf(() => region.terminate('i-00000000000000000'))
  t.match(unknown, {
    code: 'ValidationError',
    message:
      'Instance Id not found - No managed instance found for instance ID: i-00000000000000000',
  })
})

t.test('explicit termination does not ask for protection, scaling in does', async (t) => {
  const region = await aServingGroup(t)
  const [first = '', second = ''] = region.ids
  protect(region, [first, second])
  setDesired(region, 0)
  await region.clock.tick(MINUTE)
  t.same(region.states(), ['InService', 'InService'])
  t.equal(region.group().DesiredCapacity, 0)
  region.terminate(first, false)
  await region.clock.tick(SECOND)
  t.equal(region.stateOf(first), 'Terminating:Wait')
  protect(region, [second], false)
  t.equal(region.stateOf(second), 'Terminating', 'protection was all that held it')
})

t.test('protection is for all of a call or for none, and for those that serve', async (t) => {
  const region = await aServingGroup(t)
  const [first = '', second = ''] = region.ids
  region.terminate(second)
  t.match(
    refusalOf(() => protect(region, [first, second])),
    {
      message: `The instance ${second} is not in InService or EnteringStandby or Standby.`,
    },
  )
  t.equal(
    region.instances().some(({ ProtectedFromScaleIn }) => ProtectedFromScaleIn),
    false,
  )
  const foreign = 'i-00000000000000000'
  t.match(
    refusalOf(() => protect(region, [first, foreign])),
    {
      message: `The instance ${foreign} is not part of Auto Scaling group ${GROUP}.`,
    },
  )
  const many = Array.from({ length: 51 }, () => first)
  t.equal(refusalOf(() => protect(region, many))?.code, 'ValidationError')
})

t.test('a cooldown that is honoured blocks, one that is not does not', async (t) => {
  const region = await aServingGroup(t)
  const blocked = refusalOf(() => setDesired(region, 3, { HonorCooldown: true }))
  t.equal(blocked?.code, 'ScalingActivityInProgress')
  t.match(
    blocked?.message,
    /^Scaling activity [0-9a-f-]{36} is in progress and blocks this action$/,
  )
  setDesired(region, 3)
  t.equal(region.group().DesiredCapacity, 3)
  await region.clock.tick(10 * MINUTE)
  setDesired(region, 4, { HonorCooldown: true })
  t.equal(region.group().DesiredCapacity, 4)
})

t.test('sizes that change take desired with them', async (t) => {
  const region = await aServingGroup(t)
  const update = (fields: object) =>
    region.call('UpdateAutoScalingGroup', { AutoScalingGroupName: GROUP, ...fields })
  update({ MinSize: 4 })
  t.equal(region.group().DesiredCapacity, 4)
  update({ MinSize: 0, MaxSize: 1 })
  t.equal(region.group().DesiredCapacity, 1)
  t.equal(refusalOf(() => update({ MinSize: 5 }))?.code, 'ValidationError')
  t.equal(refusalOf(() => update({ DesiredCapacity: 3 }))?.code, 'ValidationError')
})

t.test('scaling in takes the oldest of the fullest zone, or what the policy says', async (t) => {
  for (const [policy, isOldest] of [
    ['Default', true],
    ['NewestInstance', false],
  ] as const) {
    const region = await aServingGroup(t, {
      group: {
        DesiredCapacity: 1,
        TerminationPolicies: [policy],
        AvailabilityZones: ['us-east-1a'],
      },
    })
    const [oldest = ''] = region.ids
    setDesired(region, 2)
    await region.clock.tick(MINUTE)
    setDesired(region, 1)
    const leaving = region.instances().find(({ LifecycleState }) => LifecycleState !== 'InService')
    t.equal(leaving?.InstanceId === oldest, isOldest, policy)
  }
})

t.test('suspended processes stop the group from doing by itself what they name', async (t) => {
  const region = await aServingGroup(t)
  const [first = ''] = region.ids
  const suspend = (...ScalingProcesses: string[]) =>
    region.call('SuspendProcesses', { AutoScalingGroupName: GROUP, ScalingProcesses })
  const resume = (...ScalingProcesses: string[]) =>
    region.call('ResumeProcesses', { AutoScalingGroupName: GROUP, ScalingProcesses })
  suspend('Launch')
  setDesired(region, 4)
  await region.clock.tick(MINUTE)
  t.equal(region.states().length, 2)
  resume('Launch')
  t.equal(region.states().length, 4)
  suspend('Terminate')
  setDesired(region, 1)
  await region.clock.tick(MINUTE)
  t.equal(region.states().length, 4)
  t.equal(refusalOf(() => region.terminate(first))?.code, 'ValidationError')
  t.match(region.group()['SuspendedProcesses'], [{ ProcessName: 'Terminate' }])
  resume()
  await region.clock.tick(SECOND)
  t.equal(region.states().filter((state) => state === 'InService').length, 1)
})

t.test('a group with instances is deleted by force only, and then without its hooks', async (t) => {
  const region = await aServingGroup(t)
  const remove = (fields: object = {}) =>
    region.call('DeleteAutoScalingGroup', { AutoScalingGroupName: GROUP, ...fields })
  t.equal(refusalOf(() => remove())?.code, 'ResourceInUse')
  const [waiting = ''] = region.ids
  region.terminate(waiting)
  t.equal(refusalOf(() => remove())?.code, 'ScalingActivityInProgress')
  await region.clock.tick(SECOND)
  remove({ ForceDelete: true })
  t.equal(region.group()['Status'], 'Delete in progress')
  t.match(
    refusalOf(() => setDesired(region, 3)),
    {
      message: 'The AutoScaling group may not be modified while it is pending delete',
    },
  )
  await region.clock.tick(2 * SECOND)
  t.throws(() => region.group(), 'it is gone')
  t.equal(region.events.filter(({ type }) => type === 'action-opened').length, 1)
  t.same(region.activities(), [])
  const all = region.call('DescribeScalingActivities', { IncludeDeletedGroups: true })
  t.equal((all['Activities'] as unknown[]).length, 4)
})

t.test('a new group needs a template, a place and sizes that fit', (t) => {
  const region = aRegion(t)
  const refused = (fields: object) => refusalOf(() => makeGroup(region, { ...fields }))?.code
  t.equal(refused({ LaunchTemplate: undefined }), 'ValidationError')
  t.equal(refused({ AvailabilityZones: [] }), 'ValidationError')
  t.equal(refused({ MinSize: 11 }), 'ValidationError')
  t.equal(refused({ DesiredCapacity: 11 }), 'ValidationError')
  t.equal(refused({ Colour: 'red' }), 'ValidationError')
  t.equal(refused({}), undefined)
  t.equal(refused({}), 'AlreadyExists')
  t.end()
})

t.test('what the API does not know is refused, never ignored', (t) => {
  const region = aRegion(t)
  t.match(
    refusalOf(() => region.call('PaintAutoScalingGroup')),
    { code: 'InvalidAction' },
  )
  t.match(
    refusalOf(() => region.call('constructor')),
    { code: 'InvalidAction' },
  )
  t.match(
    refusalOf(() => region.ec2('RunInstances')),
    { code: 'InvalidAction' },
  )
  t.match(
    refusalOf(() => region.call('DescribeLifecycleHooks', { AutoScalingGroupName: 'no' })),
    {
      code: 'ValidationError',
    },
  )
  t.end()
})
