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
  autoscaling('DescribeAutoScalingInstances', {}),
  autoscaling('DescribeAutoScalingGroups', {}),
  autoscaling('PutLifecycleHook', {
    ...hook,
    LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
    HeartbeatTimeout: '60',
  }),
  autoscaling('DescribeLifecycleHooks', group),
  autoscaling('DeleteLifecycleHook', hook),
  autoscaling('SetInstanceProtection', { ...group, ...instance, ProtectedFromScaleIn: 'true' }),
  autoscaling('SuspendProcesses', { ...group, 'ScalingProcesses.member.1': 'AZRebalance' }),
  autoscaling('DescribeAutoScalingGroups', { 'AutoScalingGroupNames.member.1': 'clients' }),
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
  autoscaling('DescribeScheduledActions', group),
  autoscaling('DeleteScheduledAction', { ...group, ScheduledActionName: 'mornings' }),
  ec2('DescribeInstances', { 'InstanceId.1': 'THE INSTANCE' }),
  ec2('DescribeInstanceStatus', { 'InstanceId.1': 'THE INSTANCE' }),
  ec2('CreateTags', {
    'ResourceId.1': 'THE INSTANCE',
    'Tag.1.Key': 'pinned',
    'Tag.1.Value': 'yes',
  }),
  ec2('DescribeTags', { 'Filter.1.Name': 'resource-id', 'Filter.1.Value.1': 'THE INSTANCE' }),
  ec2('DescribeLaunchTemplateVersions', { LaunchTemplateName: 'client' }),
  autoscaling('EnterStandby', { ...group, ...instance, ShouldDecrementDesiredCapacity: 'true' }),
  autoscaling('ExitStandby', { ...group, ...instance }),
  autoscaling('SetDesiredCapacity', { ...group, DesiredCapacity: '2' }),
  autoscaling('UpdateAutoScalingGroup', { ...group, MaxSize: '6' }),
  autoscaling('DetachInstances', { ...group, ...instance, ShouldDecrementDesiredCapacity: 'true' }),
  autoscaling('AttachInstances', { ...group, ...instance }),
  autoscaling('TerminateInstanceInAutoScalingGroup', {
    InstanceId: 'THE INSTANCE',
    ShouldDecrementDesiredCapacity: 'true',
  }),
  autoscaling('PutWarmPool', { ...group, MinSize: '0' }),
  autoscaling('DescribeWarmPool', group),
  autoscaling('DeleteWarmPool', group),
  ec2('TerminateInstances', { 'InstanceId.1': 'THE INSTANCE' }),
  ec2('DescribeInstances', { 'InstanceId.1': 'i-0123456789abcdef0' }),
  ec2('DescribeInstances', { 'InstanceId.1': 'nonsense' }),
]
