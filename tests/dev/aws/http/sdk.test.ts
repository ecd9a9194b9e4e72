/** The JavaScript SDK's own clients, over the loopback socket, on a clock that is driven. */
import {
  AutoScalingClient,
  CompleteLifecycleActionCommand,
  CreateAutoScalingGroupCommand,
  DescribeAutoScalingGroupsCommand,
  DescribeAutoScalingInstancesCommand,
  DescribeLifecycleHooksCommand,
  DescribeScalingActivitiesCommand,
  PutLifecycleHookCommand,
  PutScheduledUpdateGroupActionCommand,
  RecordLifecycleActionHeartbeatCommand,
  SetDesiredCapacityCommand,
  SetInstanceProtectionCommand,
  SuspendProcessesCommand,
  TerminateInstanceInAutoScalingGroupCommand,
  paginateDescribeAutoScalingInstances,
} from '@aws-sdk/client-auto-scaling'
import {
  CreateTagsCommand,
  DescribeInstanceStatusCommand,
  DescribeInstancesCommand,
  DescribeLaunchTemplateVersionsCommand,
  EC2Client,
  GetConsoleOutputCommand,
  ModifyInstanceAttributeCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2'
import t from 'tap'
import type { Test } from 'tap'
import { startAwsEmulator } from '../../../../src/dev/index.ts'
import type { AwsEmulatorOptions } from '../../../../src/dev/index.ts'
import { TestClock, silentLog } from '../../../../src/platform/index.ts'
import { GROUP, SECOND, TERMINATING, countingRandom } from '../support.ts'

async function aCloud(t: Test, options: Partial<AwsEmulatorOptions> = {}) {
  const clock = new TestClock()
  const running = await startAwsEmulator({
    clock,
    random: countingRandom(),
    log: silentLog,
    rate: null,
    ...options,
  })
  const common = {
    endpoint: running.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  }
  const groups = new AutoScalingClient(common)
  const ec2 = new EC2Client(common)
  t.teardown(async () => {
    groups.destroy()
    ec2.destroy()
    await running.close()
  })
  await groups.send(
    new CreateAutoScalingGroupCommand({
      AutoScalingGroupName: GROUP,
      MinSize: 0,
      MaxSize: 100,
      DesiredCapacity: 2,
      AvailabilityZones: ['us-east-1a', 'us-east-1b'],
      LaunchTemplate: { LaunchTemplateName: 'any-name', Version: '$Latest' },
      Tags: [{ Key: 'team', Value: 'ci & more', PropagateAtLaunch: true }],
      NewInstancesProtectedFromScaleIn: false,
    }),
  )
  await groups.send(
    new PutLifecycleHookCommand({
      AutoScalingGroupName: GROUP,
      LifecycleHookName: 'drain',
      LifecycleTransition: TERMINATING,
      HeartbeatTimeout: 30,
      DefaultResult: 'CONTINUE',
    }),
  )
  await clock.tick(3 * SECOND)
  const describe = async () => {
    const { AutoScalingGroups } = await groups.send(
      new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [GROUP] }),
    )
    return AutoScalingGroups?.[0]
  }
  const ids = (await describe())?.Instances?.map(({ InstanceId }) => InstanceId ?? '') ?? []
  return { ...running, clock, groups, ec2, describe, ids }
}

const onGroup = { AutoScalingGroupName: GROUP }

t.test('an instance is terminated through its hook by the calls of a controller', async (t) => {
  const { clock, groups, describe, ids } = await aCloud(t)
  const [id = ''] = ids
  const { Activity } = await groups.send(
    new TerminateInstanceInAutoScalingGroupCommand({
      InstanceId: id,
      ShouldDecrementDesiredCapacity: true,
    }),
  )
  t.match(Activity, { StatusCode: 'InProgress', Progress: 0, ...onGroup })
  t.type(Activity?.StartTime, Date)
  await clock.tick(20 * SECOND)
  const action = { ...onGroup, LifecycleHookName: 'drain', InstanceId: id }
  await groups.send(new RecordLifecycleActionHeartbeatCommand(action))
  await clock.tick(20 * SECOND)
  const { AutoScalingInstances } = await groups.send(
    new DescribeAutoScalingInstancesCommand({ InstanceIds: [id, 'i-unknown'] }),
  )
  t.match(AutoScalingInstances, [{ LifecycleState: 'Terminating:Wait', HealthStatus: 'HEALTHY' }])
  t.equal(AutoScalingInstances?.length, 1)
  const complete = new CompleteLifecycleActionCommand({
    ...action,
    LifecycleActionResult: 'CONTINUE',
  })
  await groups.send(complete)
  await clock.tick(5 * SECOND)
  t.match(await describe(), { DesiredCapacity: 1, Instances: [{ LifecycleState: 'InService' }] })
  await t.rejects(groups.send(complete), {
    name: 'ValidationError',
    message: `No active Lifecycle Action found with instance ID ${id}`,
    $metadata: { httpStatusCode: 400 },
  })
  const { Activities } = await groups.send(new DescribeScalingActivitiesCommand(onGroup))
  t.equal(Activities?.[0]?.StatusCode, 'Successful')
  t.same(Object.keys(JSON.parse(Activities?.[0]?.Details ?? '{}')), [
    'Subnet ID',
    'Availability Zone',
  ])
})

t.test('hooks, protection, processes and schedules are read as they were written', async (t) => {
  const { clock, groups, describe, ids } = await aCloud(t)
  const { LifecycleHooks } = await groups.send(new DescribeLifecycleHooksCommand(onGroup))
  t.match(LifecycleHooks, [
    { HeartbeatTimeout: 30, GlobalTimeout: 3000, DefaultResult: 'CONTINUE' },
  ])
  await groups.send(
    new SetInstanceProtectionCommand({ ...onGroup, InstanceIds: ids, ProtectedFromScaleIn: true }),
  )
  await groups.send(new SuspendProcessesCommand({ ...onGroup, ScalingProcesses: ['Terminate'] }))
  const start = new Date(clock.now() + 60 * SECOND)
  await groups.send(
    new PutScheduledUpdateGroupActionCommand({
      ...onGroup,
      ScheduledActionName: 'later',
      StartTime: start,
      DesiredCapacity: 3,
    }),
  )
  await clock.tick(61 * SECOND)
  const group = await describe()
  t.match(group, {
    DesiredCapacity: 3,
    SuspendedProcesses: [{ ProcessName: 'Terminate' }],
    Tags: [{ Key: 'team', Value: 'ci & more' }],
    LaunchTemplate: { LaunchTemplateName: 'any-name', Version: '$Latest' },
  })
  t.equal(group?.Instances?.filter((each) => each.ProtectedFromScaleIn).length, 2)
  await t.rejects(
    groups.send(new SetDesiredCapacityCommand({ ...onGroup, DesiredCapacity: 101 })),
    {
      name: 'ValidationError',
    },
  )
})

t.test('the paginators of the SDK read everything', async (t) => {
  const { clock, groups } = await aCloud(t)
  await groups.send(new SetDesiredCapacityCommand({ ...onGroup, DesiredCapacity: 70 }))
  await clock.tick(3 * SECOND)
  const sizes: number[] = []
  for await (const page of paginateDescribeAutoScalingInstances({ client: groups }, {})) {
    sizes.push(page.AutoScalingInstances?.length ?? 0)
  }
  t.same(sizes, [50, 20])
})

t.test('EC2 knows the machines by their states, tags, templates and consoles', async (t) => {
  const { clock, ec2, ids } = await aCloud(t)
  const [id = ''] = ids
  const Filters = [{ Name: 'tag:team', Values: ['ci*'] }]
  await ec2.send(
    new CreateTagsCommand({ Resources: [id], Tags: [{ Key: 'pinned', Value: 'yes' }] }),
  )
  const { Reservations } = await ec2.send(new DescribeInstancesCommand({ Filters }))
  const machines = Reservations?.flatMap(({ Instances }) => Instances ?? []) ?? []
  t.equal(machines.length, 2)
  const machine = machines.find(({ InstanceId }) => InstanceId === id)
  t.match(machine, { State: { Name: 'running', Code: 16 }, InstanceType: 'm5.large' })
  t.match(machine?.PrivateIpAddress, /^10\.0\./)
  t.type(machine?.LaunchTime, Date)
  t.ok(machine?.Tags?.some(({ Key, Value }) => Key === 'pinned' && Value === 'yes'))
  const { InstanceStatuses } = await ec2.send(new DescribeInstanceStatusCommand({}))
  t.match(InstanceStatuses?.[0], { InstanceStatus: { Status: 'ok' } })
  const versions = await ec2.send(
    new DescribeLaunchTemplateVersionsCommand({
      LaunchTemplateName: 'any-name',
      Versions: ['$Latest'],
    }),
  )
  t.match(versions.LaunchTemplateVersions, [{ VersionNumber: 1 }])
  t.match(versions.LaunchTemplateVersions?.[0]?.LaunchTemplateData?.ImageId, /^ami-0[0-9a-f]{16}$/)
  const output = await ec2.send(new GetConsoleOutputCommand({ InstanceId: id }))
  t.match(Buffer.from(output.Output ?? '', 'base64').toString(), /system ready/)
  const { TerminatingInstances } = await ec2.send(
    new TerminateInstancesCommand({ InstanceIds: [id] }),
  )
  t.match(TerminatingInstances, [
    { CurrentState: { Name: 'shutting-down' }, PreviousState: { Name: 'running' } },
  ])
  await clock.tick(2 * SECOND)
  const after = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }))
  t.match(after.Reservations?.[0]?.Instances?.[0], {
    State: { Name: 'terminated' },
    StateReason: { Code: 'Client.UserInitiatedShutdown' },
  })
  await t.rejects(
    ec2.send(new DescribeInstancesCommand({ InstanceIds: ['i-0123456789abcdef0'] })),
    { name: 'InvalidInstanceID.NotFound' },
  )
  await ec2.send(
    new ModifyInstanceAttributeCommand({
      InstanceId: ids[1],
      DisableApiTermination: { Value: true },
    }),
  )
  await t.rejects(ec2.send(new TerminateInstancesCommand({ InstanceIds: [ids[1] ?? ''] })), {
    name: 'OperationNotPermitted',
  })
})

t.test(
  'a lost answer, a throttled call and a server fault look as they do with the real one',
  async (t) => {
    const { groups, describe, faults } = await aCloud(t)
    const set = (DesiredCapacity: number) =>
      groups.send(new SetDesiredCapacityCommand({ ...onGroup, DesiredCapacity }))
    faults.add({ action: 'SetDesiredCapacity', fault: 'Throttling', times: 1 })
    await t.rejects(set(3), { name: 'Throttling', $metadata: { httpStatusCode: 400 } })
    faults.add({ fault: 'ResourceContention', times: 1 })
    await t.rejects(set(3), { name: 'ResourceContentionFault', $metadata: { httpStatusCode: 500 } })
    faults.add({ fault: 'cut after', times: 1 })
    await t.rejects(set(3), { code: 'ECONNRESET' })
    t.equal((await describe())?.DesiredCapacity, 3, 'it was done')
  },
)

t.test('an action or a version that is unknown is an error', async (t) => {
  const { endpoint } = await aCloud(t)
  const post = async (body: string) => {
    const answer = await fetch(endpoint, { method: 'POST', body })
    return [answer.status, await answer.text()] as const
  }
  const [status, text] = await post('Action=PutScalingPolicy&Version=2011-01-01')
  t.equal(status, 400)
  t.match(text, '<Code>InvalidAction</Code>')
  t.match((await post('Action=X&Version=1999-01-01'))[1], 'InvalidAction')
  t.match((await post('Version=2016-11-15&Action=RunInstances'))[1], '<Response><Errors><Error>')
})

t.test('a client whose clock is off is refused once, and corrects itself', async (t) => {
  // The region's clock stands where the test's does, years from that of this machine.
  const { endpoint } = await aCloud(t)
  const strict = await startAwsEmulator({
    clock: new TestClock(),
    random: countingRandom(),
    log: silentLog,
    clockLimitMs: 5 * 60 * SECOND,
  })
  const options = {
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  }
  const client = new AutoScalingClient({ ...options, endpoint: strict.endpoint, maxAttempts: 2 })
  t.teardown(async () => {
    client.destroy()
    await strict.close()
  })
  t.same((await client.send(new DescribeAutoScalingGroupsCommand({}))).AutoScalingGroups, [])
  const lenient = new AutoScalingClient({ ...options, endpoint, maxAttempts: 1 })
  t.teardown(() => lenient.destroy())
  t.equal(
    (await lenient.send(new DescribeAutoScalingGroupsCommand({}))).AutoScalingGroups?.length,
    1,
  )
})
