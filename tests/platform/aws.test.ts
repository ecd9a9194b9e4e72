/** AWS through the SDK's own clients, over a socket, against the emulator. */
import t, { type Test } from 'tap'
import { startAwsEmulator } from '../../src/dev/aws/index.ts'
import {
  awsProblemOf,
  createAws,
  silentLog,
  systemClock,
  systemRandom,
  type AwsRegion,
} from '../../src/platform/index.ts'
import { classifyAws } from '../../src/platform/aws/failure.ts'
import { isCaravanError } from '../../src/model/index.ts'

process.env['AWS_ACCESS_KEY_ID'] = 'key'
process.env['AWS_SECRET_ACCESS_KEY'] = 'secret'
process.env['AWS_EC2_METADATA_DISABLED'] = 'true'

async function aRegion(t: Test) {
  const emulator = await startAwsEmulator({
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    bootMs: 20,
    rate: null,
  })
  process.env['AWS_ENDPOINT_URL'] = emulator.endpoint
  const aws = createAws({ region: 'us-east-1', clock: systemClock })
  t.teardown(async () => {
    aws.close()
    await emulator.close()
  })
  const call = (action: string, input: object) => emulator.aws.call('autoscaling', action, input)
  const create = (name: string, size: number, min = 0) => {
    call('CreateAutoScalingGroup', {
      AutoScalingGroupName: name,
      MinSize: min,
      MaxSize: 200,
      DesiredCapacity: size,
      LaunchTemplate: { LaunchTemplateName: 'client', Version: '1' },
      AvailabilityZones: ['us-east-1a'],
    })
    call('PutLifecycleHook', {
      AutoScalingGroupName: name,
      LifecycleHookName: 'drain',
      HeartbeatTimeout: 300,
      LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
    })
  }
  return { emulator, aws, call, create }
}

async function inState(aws: AwsRegion, group: string, state: string, count: number) {
  for (let tries = 0; tries < 600; tries++) {
    const [found] = await aws.readGroups([group])
    const ids = (found?.instances ?? [])
      .filter(({ lifecycle }) => lifecycle === state)
      .map(({ instanceId }) => instanceId)
    if (ids.length >= count) return ids
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`${count} instances never became ${state}`)
}

t.test('a machine is ended through its hook: held, beaten for, and let go', async (t) => {
  const { aws, create } = await aRegion(t)
  create('clients', 2)
  const [first = '', second = ''] = await inState(aws, 'clients', 'InService', 2)
  t.match(await aws.readHooks('clients'), [
    { name: 'drain', transition: 'terminating', timeoutMs: 300_000, capMs: 30_000_000 },
  ])
  t.match(await aws.terminateInGroup(first, true), { kind: 'terminating' })
  await inState(aws, 'clients', 'Terminating:Wait', 1)
  const action = { group: 'clients', hook: 'drain', instanceId: first }
  t.equal(await aws.heartbeat(action), 'done')
  t.equal(await aws.completeAction(action, 'CONTINUE'), 'done')
  t.equal(await aws.completeAction(action, 'CONTINUE'), 'no_action')
  t.equal(await aws.heartbeat({ ...action, instanceId: second }), 'no_action')
  t.match(await aws.readGroups(['clients', 'nowhere']), [{ name: 'clients', desired: 1 }])
  t.match(await aws.readMembers([second, 'i-00000000000000000']), [
    { instanceId: second, group: 'clients', lifecycle: 'InService', isHealthy: true },
  ])
  const [activity] = await aws.readActivities('clients', 5)
  t.ok((activity?.startedMs ?? 0) > 0)
})

t.test('41, 50: what AWS refuses is a value', async (t) => {
  const { aws, create } = await aRegion(t)
  create('clients', 1, 1)
  const [only = ''] = await inState(aws, 'clients', 'InService', 1)
  t.match(await aws.terminateInGroup(only, true), { kind: 'at_minimum' })
  t.same(await aws.terminateInGroup('i-00000000000000000', true), { kind: 'gone' })
  t.match(await aws.setDesired('clients', 500), { kind: 'refused' })
  t.same(await aws.setDesired('clients', 2), { kind: 'set' })
})

t.test(
  '49: protection goes in batches, and one that is refused does not spoil the others',
  async (t) => {
    const { aws, create } = await aRegion(t)
    create('clients', 60)
    const ids = await inState(aws, 'clients', 'InService', 60)
    const gone = 'i-00000000000000000'
    t.same(
      await aws.setProtection('clients', [...ids.slice(0, 30), gone, ...ids.slice(30)], true),
      [gone],
    )
    const [group] = await aws.readGroups(['clients'])
    t.ok(group?.instances.every(({ isProtected }) => isProtected))
  },
)

t.test('57, 60, 79: many groups and stale ids, a page at a time', async (t) => {
  const { aws, create, emulator } = await aRegion(t)
  const names = Array.from({ length: 120 }, (_, at) => `group-${at}`)
  for (const name of names) create(name, 0)
  create('clients', 3)
  const ids = await inState(aws, 'clients', 'InService', 3)
  t.equal((await aws.readGroups(names)).length, 120)
  const stale = ['i-00000000000000000', ...ids]
  t.equal((await aws.readInstances(stale)).length, 3, 'a stale id spoils nothing')
  t.match(await aws.findInstances(['clients']), [{ group: 'clients', state: 'running' }, {}, {}])
  t.equal(await aws.terminateInstance('i-00000000000000000'), false)
  emulator.faults.add({ action: 'DescribeAutoScalingGroups', fault: 'Throttling', times: 2 })
  t.equal((await aws.readGroups(['clients'])).length, 1, 'repeated inside')
})

t.test('9: a write whose answer is lost may have been done; a read has not', async (t) => {
  const { aws, create, emulator } = await aRegion(t)
  create('clients', 1)
  const [only = ''] = await inState(aws, 'clients', 'InService', 1)
  emulator.faults.add({
    action: 'TerminateInstanceInAutoScalingGroup',
    fault: 'cut after',
    times: 1,
  })
  const failure = await aws.terminateInGroup(only, true).catch((error: unknown) => error)
  t.ok(isCaravanError(failure, 'AWS_UNKNOWN_OUTCOME'))
  t.match(await aws.readGroups(['clients']), [{ desired: 0 }], 'it was done, once')
  emulator.faults.add({ action: 'DescribeAutoScalingGroups', fault: 'ExpiredToken', times: 1 })
  const expired = await aws.readGroups(['clients']).catch((error: unknown) => error)
  t.equal(awsProblemOf(expired), 'credentials')
  t.ok(isCaravanError(expired, 'AWS_FORBIDDEN'))
})

t.test('errors are told apart by their code, and only then by their words', async (t) => {
  const fromAws = (name: string, message = '', status = 400) =>
    Object.assign(new Error(message), {
      name,
      $fault: 'client',
      $metadata: { httpStatusCode: status },
    })
  const cases: [Error, string][] = [
    [fromAws('Throttling', 'No active Lifecycle Action found'), 'throttled'],
    [fromAws('ResourceContention', '', 500), 'contention'],
    [fromAws('ScalingActivityInProgress'), 'busy'],
    [fromAws('ValidationError', 'No active Lifecycle Action found with token x'), 'no_action'],
    [fromAws('ValidationError', 'Currently, desiredSize equals minSize (3).'), 'at_minimum'],
    [fromAws('ValidationError', 'The instance i-1 is not in InService or Standby.'), 'wrong_state'],
    [
      fromAws('ValidationError', 'may not be modified while it is pending delete'),
      'pending_delete',
    ],
    [fromAws('ValidationError', 'Something new'), 'rejected'],
    [fromAws('SomethingNew', '', 503), 'unreachable'],
    [Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }), 'unreachable'],
  ]
  for (const [error, problem] of cases) t.equal(classifyAws(error), problem, error.message)
})
