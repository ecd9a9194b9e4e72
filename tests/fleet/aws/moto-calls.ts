/** The calls that moto has as well, in an order that makes sense, and where the answers differ. */

export interface ComparedCall {
  service: 'autoscaling' | 'ec2'
  action: string
  /** As on the wire. `THE INSTANCE` stands for the one that each of the two launched. */
  input: Readonly<Record<string, string>>
  onlyOurs?: readonly string[]
  onlyTheirs?: readonly string[]
}

/** One of the images that moto knows from the start. */
const IMAGE = 'ami-12c6146b'

const group = { AutoScalingGroupName: 'clients' }
const hook = { ...group, LifecycleHookName: 'drain' }
const instance = { 'InstanceIds.member.1': 'THE INSTANCE' }

const autoscaling = (
  action: string,
  input: ComparedCall['input'],
  differences: Pick<ComparedCall, 'onlyOurs' | 'onlyTheirs'> = {},
): ComparedCall => ({ service: 'autoscaling', action, input, ...differences })

const ec2 = (
  action: string,
  input: ComparedCall['input'],
  differences: Pick<ComparedCall, 'onlyOurs' | 'onlyTheirs'> = {},
): ComparedCall => ({ service: 'ec2', action, input, ...differences })

const groupTag = {
  'Tags.member.1.ResourceId': 'clients',
  'Tags.member.1.ResourceType': 'auto-scaling-group',
  'Tags.member.1.Key': 'note',
  'Tags.member.1.PropagateAtLaunch': 'false',
}
const groupMember =
  'DescribeAutoScalingGroupsResponse/DescribeAutoScalingGroupsResult/AutoScalingGroups/member'
const hookMember =
  'DescribeLifecycleHooksResponse/DescribeLifecycleHooksResult/LifecycleHooks/member'
const scheduledMember =
  'DescribeScheduledActionsResponse/DescribeScheduledActionsResult/ScheduledUpdateGroupActions/member'
const machine = 'DescribeInstancesResponse/reservationSet/item/instancesSet/item'
const version = 'DescribeLaunchTemplateVersionsResponse/launchTemplateVersionSet/item'

/** Newer than what moto knows. */
const trafficSources = { onlyOurs: [`${groupMember}/TrafficSources`] }

/** moto leaves out what tells the zone, and says that all is over at once. */
const activityOf = (action: string, list: string, isOver: boolean) => {
  const activity = `${action}Response/${action}Result/${list}`
  return {
    onlyOurs: [`${activity}/AutoScalingGroupARN`, `${activity}/Details`],
    onlyTheirs: isOver ? [`${activity}/EndTime`] : [],
  }
}

export const CALLS: readonly ComparedCall[] = [
  ec2('CreateLaunchTemplate', {
    LaunchTemplateName: 'client',
    'LaunchTemplateData.ImageId': IMAGE,
    'LaunchTemplateData.InstanceType': 'm5.large',
  }),
  autoscaling('CreateAutoScalingGroup', {
    ...group,
    MinSize: '0',
    MaxSize: '5',
    DesiredCapacity: '1',
    'AvailabilityZones.member.1': 'us-east-1a',
    'LaunchTemplate.LaunchTemplateName': 'client',
    'LaunchTemplate.Version': '1',
    'Tags.member.1.Key': 'team',
    'Tags.member.1.Value': 'ci',
    'Tags.member.1.PropagateAtLaunch': 'true',
  }),
  ec2('DescribeLaunchTemplates', { 'LaunchTemplateName.1': 'client' }),
  autoscaling('DescribeAutoScalingInstances', {}),
  autoscaling('DescribeAutoScalingGroups', {}, trafficSources),
  autoscaling('PutLifecycleHook', {
    ...hook,
    LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
    HeartbeatTimeout: '60',
  }),
  // moto makes up a target and a role for hooks that have none.
  autoscaling('DescribeLifecycleHooks', group, {
    onlyTheirs: [`${hookMember}/NotificationTargetARN`, `${hookMember}/RoleARN`],
  }),
  autoscaling('DeleteLifecycleHook', hook),
  autoscaling('SetInstanceProtection', { ...group, ...instance, ProtectedFromScaleIn: 'true' }),
  autoscaling('SuspendProcesses', { ...group, 'ScalingProcesses.member.1': 'AZRebalance' }),
  autoscaling(
    'DescribeAutoScalingGroups',
    { 'AutoScalingGroupNames.member.1': 'clients' },
    trafficSources,
  ),
  autoscaling('ResumeProcesses', group),
  autoscaling('DescribeTags', {}),
  autoscaling('SetInstanceHealth', { InstanceId: 'THE INSTANCE', HealthStatus: 'Healthy' }),
  autoscaling('PutScheduledUpdateGroupAction', {
    ...group,
    ScheduledActionName: 'mornings',
    Recurrence: '0 7 * * *',
    MinSize: '1',
    MaxSize: '5',
    DesiredCapacity: '2',
  }),
  // moto does not work out when an expression comes true.
  autoscaling('DescribeScheduledActions', group, {
    onlyOurs: [
      `${scheduledMember}/ScheduledActionARN`,
      `${scheduledMember}/StartTime`,
      `${scheduledMember}/Time`,
    ],
  }),
  autoscaling('DeleteScheduledAction', { ...group, ScheduledActionName: 'mornings' }),
  // Our machines have no disks, interfaces and public addresses, and no reason for a state that they are in from their start.
  ec2(
    'DescribeInstances',
    { 'InstanceId.1': 'THE INSTANCE' },
    {
      onlyTheirs: [
        `${machine}/blockDeviceMapping/item`,
        `${machine}/ipAddress`,
        `${machine}/networkInterfaceSet/item`,
        `${machine}/platform`,
        `${machine}/sriovNetSupport`,
        `${machine}/stateReason`,
      ],
    },
  ),
  ec2('DescribeInstanceStatus', { 'InstanceId.1': 'THE INSTANCE' }),
  // To changes EC2 answers `true`; some of moto's answers are empty.
  ec2(
    'CreateTags',
    { 'ResourceId.1': 'THE INSTANCE', 'Tag.1.Key': 'pinned', 'Tag.1.Value': 'yes' },
    { onlyOurs: ['CreateTagsResponse/return'] },
  ),
  ec2('DescribeTags', { 'Filter.1.Name': 'resource-id', 'Filter.1.Value.1': 'THE INSTANCE' }),
  ec2(
    'DeleteTags',
    { 'ResourceId.1': 'THE INSTANCE', 'Tag.1.Key': 'pinned' },
    { onlyOurs: ['DeleteTagsResponse/return'] },
  ),
  ec2('GetConsoleOutput', { InstanceId: 'THE INSTANCE' }),
  ec2(
    'ModifyInstanceAttribute',
    { InstanceId: 'THE INSTANCE', 'DisableApiTermination.Value': 'false' },
    { onlyOurs: ['ModifyInstanceAttributeResponse/return'] },
  ),
  // What a template holds is not looked at here.
  ec2(
    'DescribeLaunchTemplateVersions',
    { LaunchTemplateName: 'client' },
    { onlyTheirs: [`${version}/launchTemplateData/instanceType`] },
  ),
  autoscaling(
    'EnterStandby',
    { ...group, ...instance, ShouldDecrementDesiredCapacity: 'true' },
    activityOf('EnterStandby', 'Activities/member', true),
  ),
  autoscaling(
    'ExitStandby',
    { ...group, ...instance },
    activityOf('ExitStandby', 'Activities/member', true),
  ),
  autoscaling('SetDesiredCapacity', { ...group, DesiredCapacity: '2' }),
  autoscaling('UpdateAutoScalingGroup', { ...group, MaxSize: '6' }),
  autoscaling(
    'DetachInstances',
    { ...group, ...instance, ShouldDecrementDesiredCapacity: 'true' },
    activityOf('DetachInstances', 'Activities/member', false),
  ),
  autoscaling('AttachInstances', { ...group, ...instance }),
  autoscaling(
    'TerminateInstanceInAutoScalingGroup',
    { InstanceId: 'THE INSTANCE', ShouldDecrementDesiredCapacity: 'true' },
    activityOf('TerminateInstanceInAutoScalingGroup', 'Activity', true),
  ),
  autoscaling('BatchPutScheduledUpdateGroupAction', {
    ...group,
    'ScheduledUpdateGroupActions.member.1.ScheduledActionName': 'evenings',
    'ScheduledUpdateGroupActions.member.1.Recurrence': '0 19 * * *',
    'ScheduledUpdateGroupActions.member.1.DesiredCapacity': '1',
  }),
  autoscaling('BatchDeleteScheduledAction', {
    ...group,
    'ScheduledActionNames.member.1': 'evenings',
  }),
  autoscaling('CreateOrUpdateTags', { ...groupTag, 'Tags.member.1.Value': 'x' }),
  autoscaling('DeleteTags', groupTag),
  autoscaling('PutWarmPool', { ...group, MinSize: '0' }),
  // moto keeps the pool as a record, without machines.
  autoscaling('DescribeWarmPool', group, {
    onlyOurs: ['DescribeWarmPoolResponse/DescribeWarmPoolResult/Instances/member'],
  }),
  autoscaling('DeleteWarmPool', group),
  autoscaling('DeleteAutoScalingGroup', { ...group, ForceDelete: 'true' }),
  ec2('TerminateInstances', { 'InstanceId.1': 'THE INSTANCE' }),
  ec2('DescribeInstances', { 'InstanceId.1': 'i-0123456789abcdef0' }),
  ec2('DescribeInstances', { 'InstanceId.1': 'nonsense' }),
]
