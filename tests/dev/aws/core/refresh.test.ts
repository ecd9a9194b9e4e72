/** Instance refreshes, scheduled actions, launches by call. */
import t from 'tap'
import { GROUP, HOUR, MINUTE, SECOND, aServingGroup, refusalOf } from '../support.ts'
import type { Region, SeenInstance } from '../support.ts'

const start = (region: Region, fields: object = {}) =>
  region.call('StartInstanceRefresh', { AutoScalingGroupName: GROUP, ...fields })

const latest = (region: Region) => {
  const described = region.call('DescribeInstanceRefreshes', { AutoScalingGroupName: GROUP })
  return (described['InstanceRefreshes'] as Record<string, unknown>[])[0] ?? {}
}

const versions = (region: Region) =>
  region.instances().map(({ LaunchTemplate }: SeenInstance) => LaunchTemplate?.Version)

const toVersion = (Version: string) => ({
  DesiredConfiguration: { LaunchTemplate: { LaunchTemplateName: 'client', Version } },
})

t.test('a refresh replaces one after the other, through the hooks', async (t) => {
  const region = await aServingGroup(t, { group: { DesiredCapacity: 3 } })
  start(region, toVersion('2'))
  t.equal(refusalOf(() => start(region))?.code, 'InstanceRefreshInProgress')
  await region.clock.tick(2 * SECOND)
  t.match(latest(region), { Status: 'InProgress', InstancesToUpdate: 3 })
  const gone = () => region.states().filter((state) => state !== 'InService').length
  t.ok(gone() <= 2, 'one at a time, and its successor')
  for (let rounds = 0; rounds < 60 && latest(region)['Status'] === 'InProgress'; rounds++) {
    await region.clock.tick(SECOND)
    for (const { InstanceId, LifecycleState } of region.instances()) {
      if (LifecycleState === 'Terminating:Wait') region.complete(InstanceId)
    }
  }
  t.match(latest(region), { Status: 'Successful', PercentageComplete: 100 })
  t.same(versions(region), ['2', '2', '2'])
})

t.test('a refresh that may exceed launches first', async (t) => {
  const region = await aServingGroup(t, { hook: null })
  start(region, { Preferences: { MinHealthyPercentage: 100, MaxHealthyPercentage: 150 } })
  await region.clock.tick(1500)
  t.same(region.states(), ['InService', 'InService', 'Pending'])
  await region.clock.tick(MINUTE)
  t.equal(latest(region)['Status'], 'Successful')
  t.notOk(region.ids.some((id) => region.stateOf(id)))
})

t.test('a refresh waits for protected instances, or leaves them, as it is told', async (t) => {
  for (const [ScaleInProtectedInstances, status] of [
    ['Wait', 'InProgress'],
    ['Ignore', 'Successful'],
  ]) {
    const region = await aServingGroup(t, { hook: null })
    const [id = ''] = region.ids
    region.call('SetInstanceProtection', {
      AutoScalingGroupName: GROUP,
      InstanceIds: [id],
      ProtectedFromScaleIn: true,
    })
    start(region, { Preferences: { ScaleInProtectedInstances } })
    await region.clock.tick(HOUR)
    t.equal(latest(region)['Status'], status)
    t.equal(region.stateOf(id), 'InService')
  }
})

t.test('a refresh can be cancelled, and rolled back to what was before', async (t) => {
  const region = await aServingGroup(t, { hook: null })
  const call = (action: string) => region.call(action, { AutoScalingGroupName: GROUP })
  t.equal(refusalOf(() => call('CancelInstanceRefresh'))?.code, 'ActiveInstanceRefreshNotFound')
  start(region, toVersion('2'))
  await region.clock.tick(4 * SECOND)
  t.ok(versions(region).includes('2'))
  call('RollbackInstanceRefresh')
  await region.clock.tick(MINUTE)
  t.equal(latest(region)['Status'], 'RollbackSuccessful')
  t.same(versions(region), ['1', '1'])
  start(region)
  t.equal(refusalOf(() => call('RollbackInstanceRefresh'))?.code, 'IrreversibleInstanceRefresh')
  call('CancelInstanceRefresh')
  await region.clock.tick(MINUTE)
  t.equal(latest(region)['Status'], 'Cancelled')
})

t.test('scheduled actions change the sizes at their time, in their zone', async (t) => {
  const region = await aServingGroup(t, { hook: null })
  const put = (ScheduledActionName: string, fields: object) =>
    region.call('PutScheduledUpdateGroupAction', {
      AutoScalingGroupName: GROUP,
      ScheduledActionName,
      ...fields,
    })
  // The region's day begins at 22:13 UTC.
  put('once', { StartTime: new Date(region.clock.now() + 10 * MINUTE), DesiredCapacity: 5 })
  put('mornings', { Recurrence: '0 7 * * *', TimeZone: 'Europe/Berlin', MinSize: 7 })
  await region.clock.tick(9 * MINUTE)
  t.equal(region.group().DesiredCapacity, 2)
  await region.clock.tick(MINUTE)
  t.equal(region.group().DesiredCapacity, 5)
  await region.clock.tick(8 * HOUR - 30 * MINUTE)
  t.equal(region.group().DesiredCapacity, 5)
  await region.clock.tick(HOUR)
  t.equal(region.group().DesiredCapacity, 7)
  const described = region.call('DescribeScheduledActions', { AutoScalingGroupName: GROUP })
  t.match(described['ScheduledUpdateGroupActions'], [{ ScheduledActionName: 'mornings' }])
  const past = new Date(region.clock.now() - HOUR)
  t.equal(
    refusalOf(() => put('late', { StartTime: past, DesiredCapacity: 1 }))?.code,
    'ValidationError',
  )
  t.equal(refusalOf(() => put('odd', { Recurrence: 'daily', MinSize: 1 }))?.code, 'ValidationError')
})

t.test('a batch of scheduled actions tells which of them failed', async (t) => {
  const region = await aServingGroup(t, { hook: null })
  const answer = region.call('BatchPutScheduledUpdateGroupAction', {
    AutoScalingGroupName: GROUP,
    ScheduledUpdateGroupActions: [
      { ScheduledActionName: 'good', Recurrence: '0 7 * * 1-5', MinSize: 1 },
      { ScheduledActionName: 'bad', Recurrence: '61 7 * * *', MinSize: 1 },
    ],
  })
  t.match(answer['FailedScheduledUpdateGroupActions'], [
    { ScheduledActionName: 'bad', ErrorCode: 'ValidationError' },
  ])
})

t.test(
  'LaunchInstances answers with the ids, raises desired, and repeats itself for a token',
  async (t) => {
    const region = await aServingGroup(t, { hook: null })
    const request = { AutoScalingGroupName: GROUP, RequestedCapacity: 3, ClientToken: 'once' }
    const answer = region.call('LaunchInstances', request)
    const ids = (answer['Instances'] as { InstanceIds: string[] }[]).flatMap(
      (each) => each.InstanceIds,
    )
    t.equal(ids.length, 3)
    t.equal(region.group().DesiredCapacity, 5)
    t.same(region.call('LaunchInstances', request), answer)
    t.equal(region.group().DesiredCapacity, 5)
    const other = { ...request, RequestedCapacity: 1 }
    t.equal(
      refusalOf(() => region.call('LaunchInstances', other))?.code,
      'IdempotentParameterMismatch',
    )
    region.aws.disturb({ do: 'fail-launches' })
    const failed = region.call('LaunchInstances', { ...request, ClientToken: 'two' })
    t.match(failed['Errors'], [{ ErrorCode: 'InsufficientInstanceCapacity' }])
    t.same(failed['Instances'], [])
    t.equal(region.group().DesiredCapacity, 5)
  },
)
