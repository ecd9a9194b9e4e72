/** The `aws` command against the emulator: the commands of the guides as they stand there, and what operators type. */
import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { eventually } from '../../dev/nomad-engine/support.ts'
import { findPython } from './python.ts'
import { startRegion, type Region } from './region.ts'

/** As in the guide. */
const GROUP = 'nomad-clients'
const HOOK = 'caravan-drain'
const on = ['--auto-scaling-group-name', GROUP]

const BARE = ['--output', 'text', '--query', 'AutoScalingInstances[].InstanceId']
const SUSPENDED = 'AutoScalingGroups[].SuspendedProcesses[].ProcessName'

/** The first block of commands below a heading. */
function blockOf(page: string, heading: string): string {
  const text = readFileSync(new URL(`../../../docs/guides/${page}`, import.meta.url), 'utf8')
  const block = /\n```(?:sh)?\n([^]*?)\n```/.exec(text.slice(text.indexOf(`\n## ${heading}\n`)))
  if (block?.[1] === undefined) throw new Error(`${page} has no commands below "${heading}"`)
  return block[1]
}

const found = await findPython()
if ('reason' in found) {
  const message = `the aws command could not be installed, so nothing was tried: ${found.reason}`
  if (process.env['CI']) t.fail(message)
  else t.pass(`skipped: ${message}`)
  console.error(`\n*** ${message}\n`)
} else {
  await t.test('a group is made, filled and told of', testGroup)
  await t.test('a hook made as the guide says holds an instance until it is completed', testHook)
  await t.test('the rehearsal by hand is as it stands in its guide', testByHand)
  await t.test('what operators do to instances and groups', testOperators)
  await t.test('what is refused is told, with an exit code', testRefusals)
}

async function testGroup(t: Test): Promise<void> {
  const { done, groups, asked, until, states } = await startRegion(t)
  const template = ['--launch-template-name', 'client']
  const data = ['--launch-template-data', 'ImageId=ami-0123456789abcdef0,InstanceType=m5.large']
  const made = await asked('ec2', 'create-launch-template', ...template, ...data)
  t.match(made, { LaunchTemplate: { LaunchTemplateName: 'client', LatestVersionNumber: 1 } })
  await done('ec2', 'create-launch-template-version', ...template, ...data)
  await createGroup(groups, '--desired-capacity', '3', '--tags', 'Key=team,Value=ci & co')
  await until('InService', 'InService', 'InService')
  const [json, table, text, templates, paged, second] = await Promise.all([
    asked<{ AutoScalingGroups: unknown[] }>('autoscaling', 'describe-auto-scaling-groups'),
    groups('describe-auto-scaling-groups', '--output', 'table'),
    groups('describe-auto-scaling-instances', ...BARE),
    asked('ec2', 'describe-launch-templates', '--launch-template-names', 'client'),
    asked<Paged>('autoscaling', 'describe-auto-scaling-instances', '--max-items', '2'),
    groups('describe-auto-scaling-instances', '--page-size', '1', ...BARE),
  ])
  t.match(json.AutoScalingGroups, [
    {
      AutoScalingGroupName: GROUP,
      DesiredCapacity: 3,
      AvailabilityZones: ['us-east-1a', 'us-east-1b'],
      LaunchTemplate: { LaunchTemplateName: 'client', Version: '$Latest' },
      Tags: [{ Key: 'team', Value: 'ci & co' }],
    },
  ])
  t.match(table, /^-+\n\|\s+DescribeAutoScalingGroups\s+\|\n/)
  t.match(table, new RegExp(`\\|\\|  AutoScalingGroupName\\s+\\|  ${GROUP}\\s+\\|\\|`))
  const ids = states().map(({ id }) => id)
  t.same(text.trim().split(/\s+/).sort(), ids.toSorted())
  t.match(templates, { LaunchTemplates: [{ LatestVersionNumber: 2 }] })
  t.equal(second.trim().split('\n').length, 3, 'as many pages as there are instances')
  const next = ['--max-items', '2', '--starting-token', paged.NextToken ?? '']
  const rest = await asked<Paged>('autoscaling', 'describe-auto-scaling-instances', ...next)
  const pages = [paged, rest].map(({ AutoScalingInstances }) => AutoScalingInstances)
  t.same(
    pages.map((page) => page.length),
    [2, 1],
  )
  t.same(
    pages
      .flat()
      .map(({ InstanceId }) => InstanceId)
      .sort(),
    ids.toSorted(),
  )
  t.equal(rest.NextToken, undefined)
}

interface Paged {
  AutoScalingInstances: { InstanceId: string }[]
  NextToken?: string
}

/** @param more such as how many instances. */
async function createGroup(groups: Region['groups'], ...more: string[]): Promise<void> {
  const sizes = ['--min-size', '0', '--max-size', '4']
  const zones = ['--availability-zones', 'us-east-1a', 'us-east-1b']
  const template = ['--launch-template', 'LaunchTemplateName=client,Version=$Latest']
  await groups('create-auto-scaling-group', ...on, ...sizes, ...zones, ...template, ...more)
}

async function testHook(t: Test): Promise<void> {
  const { groups, asked, refused, until, states, shell } = await startRegion(t)
  await createGroup(groups, '--desired-capacity', '2')
  const made = await shell(blockOf('fleet.md', 'What a group needs'))
  t.equal(made.code, 0, made.stderr)
  t.match(await asked('autoscaling', 'describe-lifecycle-hooks', ...on), {
    LifecycleHooks: [
      {
        LifecycleHookName: HOOK,
        HeartbeatTimeout: 1800,
        GlobalTimeout: 172_800,
        DefaultResult: 'CONTINUE',
      },
    ],
  })
  await until('InService', 'InService')
  const [{ id } = { id: '' }] = states()
  const ended = await asked(
    'autoscaling',
    'terminate-instance-in-auto-scaling-group',
    '--instance-id',
    id,
    '--should-decrement-desired-capacity',
  )
  t.match(ended, { Activity: { AutoScalingGroupName: GROUP, StatusCode: 'InProgress' } })
  await until('InService', 'Terminating:Wait')
  const action = [...on, '--lifecycle-hook-name', HOOK, '--instance-id', id]
  const result = ['--lifecycle-action-result', 'CONTINUE']
  t.equal(await groups('record-lifecycle-action-heartbeat', ...action), '')
  t.equal(await groups('complete-lifecycle-action', ...action, ...result), '')
  await until('InService')
  t.equal(
    await refused('autoscaling', 'complete-lifecycle-action', ...action, ...result),
    `An error occurred (ValidationError) when calling the CompleteLifecycleAction operation: No active Lifecycle Action found with instance ID ${id}`,
  )
  const activities = ['describe-scaling-activities', ...on, '--max-items', '1'] as const
  t.match(await asked('autoscaling', ...activities), {
    Activities: [{ Description: `Terminating EC2 instance: ${id}` }],
  })
}

async function testByHand(t: Test): Promise<void> {
  const { endpoint, shell, until, states } = await startRegion(t)
  const block = blockOf('rehearse-hooks.md', 'By hand')
  t.match(block, 'http://127.0.0.1:4566')
  const ran = await shell(block.replace('http://127.0.0.1:4566', endpoint))
  t.equal(ran.code, 0, ran.stderr)
  await eventually(() => states().length > 0, 'instances')
  // The block launches two and scales in at once: one of them has to wait for the hook of the group.
  await until('InService', 'Terminating:Wait')
}

async function testOperators(t: Test): Promise<void> {
  const { done, groups, asked, until, states } = await startRegion(t)
  await createGroup(groups, '--desired-capacity', '2', '--new-instances-protected-from-scale-in')
  await until('InService', 'InService')
  const [{ id: first } = { id: '' }, { id: second } = { id: '' }] = states()
  await groups('set-desired-capacity', ...on, '--desired-capacity', '1')
  await until('InService', 'InService')
  const ids = ['--instance-ids', first]
  await groups('set-instance-protection', ...on, ...ids, '--no-protected-from-scale-in')
  await until('InService')
  t.match(states(), [{ id: second }], 'the one that is protected stays')
  await groups('set-desired-capacity', ...on, '--desired-capacity', '2', '--no-honor-cooldown')
  await until('InService', 'InService')
  const spare = states().find(({ id }) => id !== second)?.id ?? ''
  const standby = [...on, '--instance-ids', spare]
  await groups('enter-standby', ...standby, '--should-decrement-desired-capacity')
  await until('InService', 'Standby')
  await groups('exit-standby', ...standby)
  await until('InService', 'InService')
  const processes = [...on, '--scaling-processes', 'Terminate', 'ReplaceUnhealthy']
  await groups('suspend-processes', ...processes)
  const suspended = await asked('autoscaling', 'describe-auto-scaling-groups', '--query', SUSPENDED)
  t.same(suspended, ['Terminate', 'ReplaceUnhealthy'])
  await groups('resume-processes', ...on)
  const preferences = ['--preferences', 'MinHealthyPercentage=50,InstanceWarmup=0']
  const started = await asked('autoscaling', 'start-instance-refresh', ...on, ...preferences)
  t.match(started, { InstanceRefreshId: /^[0-9a-f-]{36}$/ })
  t.match(await asked('autoscaling', 'describe-instance-refreshes', ...on), {
    InstanceRefreshes: [{ AutoScalingGroupName: GROUP, Preferences: { InstanceWarmup: 0 } }],
  })
  await groups('cancel-instance-refresh', ...on)
  await testMachines(t, { done, asked, states })
  await groups('delete-auto-scaling-group', ...on, '--force-delete')
  await until()
}

/** EC2's side of the same machines. */
async function testMachines(
  t: Test,
  { done, asked, states }: Pick<Region, 'done' | 'asked' | 'states'>,
): Promise<void> {
  const running = 'Name=instance-state-name,Values=running'
  const ofGroup = `Name=tag:aws:autoscaling:groupName,Values=${GROUP},other`
  const seen = await asked<string[]>(
    'ec2',
    'describe-instances',
    '--filters',
    running,
    ofGroup,
    '--query',
    'Reservations[].Instances[].InstanceId',
  )
  const serving = states().filter(({ state }) => state === 'InService')
  t.ok(serving.length > 0)
  t.ok(
    serving.every(({ id }) => seen.includes(id)),
    'those in service run',
  )
  const [{ id } = { id: '' }] = serving
  t.match(await asked('ec2', 'terminate-instances', '--instance-ids', id), {
    TerminatingInstances: [
      { InstanceId: id, CurrentState: { Name: 'shutting-down' }, PreviousState: { Code: 16 } },
    ],
  })
  await done('ec2', 'wait', 'instance-terminated', '--instance-ids', id)
}

async function testRefusals(t: Test): Promise<void> {
  const { groups, refused } = await startRegion(t)
  await createGroup(groups)
  const hook = ['--lifecycle-hook-name', HOOK]
  const [above, unknown, short, nobody, action] = await Promise.all([
    refused('autoscaling', 'set-desired-capacity', ...on, '--desired-capacity', '9'),
    refused('autoscaling', 'describe-lifecycle-hooks', '--auto-scaling-group-name', 'nobody'),
    refused(
      'autoscaling',
      'put-lifecycle-hook',
      ...on,
      ...hook,
      '--heartbeat-timeout',
      '5',
      '--lifecycle-transition',
      'autoscaling:EC2_INSTANCE_TERMINATING',
    ),
    refused('ec2', 'terminate-instances', '--instance-ids', 'i-0123456789abcdef0'),
    refused('autoscaling', 'describe-policies'),
  ])
  t.match(above, /\(ValidationError\).*SetDesiredCapacity value 9 is above max value 4/)
  t.match(unknown, /\(ValidationError\).*no such group: nobody/)
  t.match(short, /\(ValidationError\).*HeartbeatTimeout/)
  t.match(nobody, /\(InvalidInstanceID.NotFound\).*'i-0123456789abcdef0' does not exist/)
  t.match(action, /\(InvalidAction\).*DescribePolicies is not valid/)
}
