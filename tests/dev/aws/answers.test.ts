/** How answers are limited, delayed, throttled and lost. */
import t from 'tap'
import type { AwsIntercept } from '../../../src/dev/index.ts'
import { Faults, createInProcessClient } from '../../../src/dev/index.ts'
import { GROUP, MINUTE, SECOND, aRegion, aServingGroup, makeGroup, refusalOf } from './support.ts'
import type { Region, SeenInstance } from './support.ts'

/** All pages of a listing, with what each of them held. */
function readPages(region: Region, action: string, list: string, input: object = {}) {
  const pages: unknown[][] = []
  let NextToken: unknown
  do {
    const answer = region.call(action, { ...input, ...(NextToken ? { NextToken } : {}) })
    pages.push(answer[list] as unknown[])
    NextToken = answer['NextToken']
  } while (NextToken !== undefined)
  return pages
}

t.test('listings come in pages, and no larger than the API allows', async (t) => {
  const region = await aServingGroup(t, {
    hook: null,
    group: { MaxSize: 200, DesiredCapacity: 120 },
  })
  const instances = readPages(region, 'DescribeAutoScalingInstances', 'AutoScalingInstances')
  t.same(
    instances.map((page) => page.length),
    [50, 50, 20],
  )
  t.equal(new Set(instances.flat().map((each) => JSON.stringify(each))).size, 120)
  t.equal(region.instances().length, 120, 'a group is told whole')
  const activities = readPages(region, 'DescribeScalingActivities', 'Activities')
  t.same(
    activities.map((page) => page.length),
    [100, 20],
  )
  for (let count = 0; count < 60; count++)
    makeGroup(region, { AutoScalingGroupName: `g${count}`, DesiredCapacity: 0 })
  const groups = readPages(region, 'DescribeAutoScalingGroups', 'AutoScalingGroups')
  t.same(
    groups.map((page) => page.length),
    [50, 11],
  )
  const most = readPages(region, 'DescribeAutoScalingGroups', 'AutoScalingGroups', {
    MaxRecords: 100,
  })
  t.same(
    most.map((page) => page.length),
    [61],
  )
  const tooMany = refusalOf(() => region.call('DescribeAutoScalingGroups', { MaxRecords: 101 }))
  t.equal(tooMany?.code, 'ValidationError')
  const foreign = refusalOf(() => region.call('DescribeAutoScalingGroups', { NextToken: 'abc' }))
  t.equal(foreign?.code, 'InvalidNextToken')
})

t.test('EC2 pages too, fails a whole call for one bad id, and filters', async (t) => {
  const region = await aServingGroup(t, { hook: null })
  const [first = '', second = ''] = region.ids
  const describe = (input: object) =>
    (
      region.ec2('DescribeInstances', { ...input })['Reservations'] as {
        Instances: SeenInstance[]
      }[]
    )
      .flatMap(({ Instances }) => Instances)
      .map(({ InstanceId }) => InstanceId)
  t.same(describe({ InstanceIds: [second, first] }).length, 2)
  const missing = 'i-0123456789abcdef0'
  t.same(
    refusalOf(() => describe({ InstanceIds: [first, missing] })),
    {
      code: 'InvalidInstanceID.NotFound',
      message: `The instance ID '${missing}' does not exist`,
    },
  )
  t.equal(
    refusalOf(() => describe({ InstanceIds: ['nonsense'] }))?.code,
    'InvalidInstanceID.Malformed',
  )
  const byId = { Filters: [{ Name: 'instance-id', Values: [first, missing] }] }
  t.same(describe(byId), [first], 'a filter does not mind')
  const byGroup = { Name: 'tag:aws:autoscaling:groupName', Values: ['clie*'] }
  const byState = { Name: 'instance-state-name', Values: ['running', 'pending'] }
  t.equal(describe({ Filters: [byGroup, byState] }).length, 2)
  t.equal(describe({ Filters: [{ Name: 'availability-zone', Values: ['us-east-1b'] }] }).length, 1)
  const odd = refusalOf(() => describe({ Filters: [{ Name: 'colour', Values: ['red'] }] }))
  t.equal(odd?.code, 'InvalidParameterValue')
  const both = refusalOf(() => describe({ InstanceIds: [first], MaxResults: 5 }))
  t.equal(both?.code, 'InvalidParameterCombination')
})

t.test('a terminated instance can be described for an hour, and is unknown then', async (t) => {
  const region = await aServingGroup(t, { hook: null })
  const [id = ''] = region.ids
  region.terminate(id)
  await region.clock.tick(30 * MINUTE)
  const status = region.ec2('DescribeInstanceStatus', {
    InstanceIds: [id],
    IncludeAllInstances: true,
  })
  t.match(status['InstanceStatuses'], [{ InstanceState: { Name: 'terminated', Code: 48 } }])
  await region.clock.tick(31 * MINUTE)
  const gone = refusalOf(() => region.ec2('DescribeInstances', { InstanceIds: [id] }))
  t.equal(gone?.code, 'InvalidInstanceID.NotFound')
})

t.test('answers that lag show what was, each kind by itself; desired does not lag', async (t) => {
  const region = await aServingGroup(t, { hook: null })
  const [id = ''] = region.ids
  region.aws.disturb({ do: 'lag', group: '20s', ec2: '10s', activity: '15s' })
  await region.clock.tick(MINUTE)
  region.call('SetDesiredCapacity', { AutoScalingGroupName: GROUP, DesiredCapacity: 3 })
  t.equal(region.group().DesiredCapacity, 3)
  const byInstance = () =>
    region.call('DescribeAutoScalingInstances')['AutoScalingInstances'] as SeenInstance[]
  const fresh = byInstance().find(({ LifecycleState }) => LifecycleState === 'Pending')
  const newId = fresh?.InstanceId ?? ''
  t.ok(newId, 'another index has it already')
  t.equal(region.states().length, 2)
  t.equal(
    refusalOf(() => region.ec2('DescribeInstances', { InstanceIds: [newId] }))?.code,
    'InvalidInstanceID.NotFound',
  )
  await region.clock.tick(11 * SECOND)
  t.equal(
    refusalOf(() => region.ec2('DescribeInstances', { InstanceIds: [newId] })),
    null,
  )
  t.equal(region.states().length, 2)
  t.equal(region.activities().length, 2)
  await region.clock.tick(10 * SECOND)
  t.equal(region.stateOf(newId), 'InService')
  t.equal(region.activities().length, 3)
  region.terminate(id)
  await region.clock.tick(5 * SECOND)
  t.equal(region.stateOf(id), 'InService', 'still shown, and gone')
  t.equal(
    byInstance().some(({ InstanceId }) => InstanceId === id),
    false,
  )
  await region.clock.tick(20 * SECOND)
  t.equal(region.stateOf(id), undefined)
})

t.test(
  'who asks too often is throttled, each action by itself, until tokens come back',
  async (t) => {
    const region = aRegion(t, { rate: { burst: 3, perSecond: 1 } })
    const ask = () => refusalOf(() => region.call('DescribeAutoScalingGroups'))
    t.same([ask(), ask(), ask()], [null, null, null])
    t.same(ask(), { code: 'Throttling', message: 'Rate exceeded' })
    t.equal(
      refusalOf(() => region.ec2('DescribeInstances')),
      null,
    )
    await region.clock.tick(2 * SECOND)
    t.same([ask(), ask()], [null, null])
    t.equal(ask()?.code, 'Throttling')
    for (let count = 0; count < 3; count++) refusalOf(() => region.ec2('DescribeInstances'))
    t.equal(refusalOf(() => region.ec2('DescribeInstances'))?.code, 'RequestLimitExceeded')
  },
)

class DescribeLifecycleHooksCommand {
  readonly input = { AutoScalingGroupName: GROUP }
}

class SetDesiredCapacityCommand {
  readonly input: object
  constructor(DesiredCapacity: number) {
    this.input = { AutoScalingGroupName: GROUP, DesiredCapacity }
  }
}

t.test("without a socket the SDK's commands are taken by the name of their class", async (t) => {
  const region = await aServingGroup(t)
  const client = createInProcessClient(region.aws, 'autoscaling')
  const answer = await client.send(new DescribeLifecycleHooksCommand())
  t.match(answer['LifecycleHooks'], [{ LifecycleHookName: 'drain', GlobalTimeout: 3000 }])
  await t.rejects(client.send(new SetDesiredCapacityCommand(99)), {
    name: 'ValidationError',
    $metadata: { httpStatusCode: 400 },
  })
})

t.test(
  'faults hit the next calls: refused, lost before or lost after they were done',
  async (t) => {
    const region = await aServingGroup(t)
    const faults = new Faults()
    const client = createInProcessClient(region.aws, 'autoscaling', faults.intercept)
    const set = (desired: number) => client.send(new SetDesiredCapacityCommand(desired))
    faults.add({ action: 'SetDesiredCapacity', fault: 'Throttling', times: 2 })
    await t.rejects(set(3), { name: 'Throttling' })
    await t.rejects(set(3), { name: 'Throttling' })
    await set(3)
    faults.add({ fault: 'cut', times: 1 })
    await t.rejects(set(4), { name: 'ConnectionCut' })
    t.equal(region.group().DesiredCapacity, 3)
    faults.add({ fault: 'cut after', times: 1 })
    await t.rejects(set(4), { name: 'ConnectionCut' })
    t.equal(region.group().DesiredCapacity, 4)
  },
)

t.test('an intercept sees every call, and may hold it back', async (t) => {
  const region = await aServingGroup(t)
  const seen: string[] = []
  const intercept: AwsIntercept = async ({ action }, next) => {
    seen.push(action)
    const answer = await next()
    return action === 'SetDesiredCapacity' ? 'cut' : answer
  }
  const client = createInProcessClient(region.aws, 'autoscaling', intercept)
  await client.send(new DescribeLifecycleHooksCommand())
  await t.rejects(client.send(new SetDesiredCapacityCommand(4)))
  t.same(seen, ['DescribeLifecycleHooks', 'SetDesiredCapacity'])
  t.equal(region.group().DesiredCapacity, 4)
})

t.test('tags of groups are kept, listed, filtered and passed on to instances', async (t) => {
  const region = await aServingGroup(t, { hook: null, group: { DesiredCapacity: 0 } })
  const tag = { ResourceId: GROUP, ResourceType: 'auto-scaling-group' }
  region.call('CreateOrUpdateTags', {
    Tags: [
      { ...tag, Key: 'team', Value: 'ci', PropagateAtLaunch: true },
      { ...tag, Key: 'note', Value: 'x' },
    ],
  })
  region.call('SetDesiredCapacity', { AutoScalingGroupName: GROUP, DesiredCapacity: 1 })
  const id = region.instances()[0]?.InstanceId ?? ''
  const described = region.ec2('DescribeTags', { Filters: [{ Name: 'resource-id', Values: [id] }] })
  const keys = (described['Tags'] as { Key: string }[]).map(({ Key }) => Key)
  t.ok(keys.includes('team') && !keys.includes('note'))
  const found = (Filters: object[]) =>
    (region.call('DescribeAutoScalingGroups', { Filters })['AutoScalingGroups'] as unknown[]).length
  t.equal(found([{ Name: 'tag:team', Values: ['ci'] }]), 1)
  t.equal(found([{ Name: 'tag:team', Values: ['other'] }]), 0)
  region.call('DeleteTags', { Tags: [{ ...tag, Key: 'note' }] })
  t.equal((region.call('DescribeTags')['Tags'] as unknown[]).length, 1)
})
