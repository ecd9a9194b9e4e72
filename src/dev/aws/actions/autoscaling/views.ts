/** How groups, instances and activities are told. */
import type { LifecycleState } from '../../core/states.ts'
import { isWarm } from '../../core/states.ts'
import { poolMembers } from '../../core/warm-pool.ts'
import { toWarmPoolView } from './warm-pool-view.ts'
import type { Activity, Group, Member, TemplateReference, World } from '../../core/world.ts'

export function toGroupView(world: World, group: Group, includesInstances: boolean) {
  const { template } = group
  return {
    AutoScalingGroupName: group.name,
    AutoScalingGroupARN: group.arn,
    LaunchTemplate: group.mirrored['MixedInstancesPolicy'] ? undefined : toTemplateView(template),
    ...group.mirrored,
    MinSize: group.min,
    MaxSize: group.max,
    DesiredCapacity: group.desired,
    DefaultCooldown: group.cooldownSeconds,
    AvailabilityZones: group.zones,
    LoadBalancerNames: [],
    TargetGroupARNs: [],
    HealthCheckGracePeriod: group.healthGraceSeconds,
    Instances: includesInstances ? listMembers(world, group, 'groupMs').map(toInstanceView) : [],
    CreatedTime: new Date(group.createdAt),
    SuspendedProcesses: [...group.suspended].map(([ProcessName, SuspensionReason]) => ({
      ProcessName,
      SuspensionReason,
    })),
    VPCZoneIdentifier: group.subnets.join(',') || undefined,
    EnabledMetrics: [],
    Status: group.isDeleting ? 'Delete in progress' : undefined,
    Tags: [...group.tags].map(([Key, { value, propagate }]) => ({
      ResourceId: group.name,
      ResourceType: 'auto-scaling-group',
      Key,
      Value: value,
      PropagateAtLaunch: propagate,
    })),
    TerminationPolicies: group.terminationPolicies,
    NewInstancesProtectedFromScaleIn: group.protectsNew,
    ServiceLinkedRoleARN: `arn:aws:iam::${world.settings.accountId}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling`,
    MaxInstanceLifetime: group.maxLifetimeSeconds || undefined,
    CapacityRebalance: group.capacityRebalance,
    ...describePool(group),
    TrafficSources: [],
  }
}

function describePool(group: Group) {
  const { warmPool } = group
  if (warmPool === null) return {}
  return {
    WarmPoolConfiguration: toWarmPoolView(warmPool),
    WarmPoolSize: poolMembers(group).length,
  }
}

export interface SeenMember {
  member: Member
  /** As the answer shows it, which may be a little old. */
  state: LifecycleState
}

/** The members of a group as an answer shows them: the pool's apart, and as old as the lag says. */
export function listMembers(
  world: World,
  group: Group,
  lag: 'groupMs' | 'instanceMs',
  which: 'serving' | 'pool' | 'all' = 'serving',
): SeenMember[] {
  const at = world.now - world.settings.lag[lag]
  const seen: SeenMember[] = []
  const see = (member: Member) => {
    const state = member.state.asOf(at)
    if (state === undefined || state.endsWith('Terminated') || state === 'Detached') return
    if (which === 'all' || isWarm(state) === (which === 'pool')) seen.push({ member, state })
  }
  for (const member of group.members.values()) see(member)
  for (const member of group.departed.values()) see(member)
  return seen
}

export function toInstanceView({ member, state }: SeenMember) {
  const { machine } = member
  return {
    InstanceId: machine.id,
    InstanceType: machine.instanceType,
    AvailabilityZone: machine.zone,
    LifecycleState: state,
    HealthStatus: member.health,
    LaunchTemplate: toMachineTemplate(member),
    ProtectedFromScaleIn: member.isProtected,
  }
}

export function toInstanceDetails(seen: SeenMember) {
  const { member, state } = seen
  const { machine, group } = member
  return {
    InstanceId: machine.id,
    InstanceType: machine.instanceType,
    AutoScalingGroupName: group.name,
    AvailabilityZone: machine.zone,
    LifecycleState: state,
    HealthStatus: member.health.toUpperCase(),
    LaunchTemplate: toMachineTemplate(member),
    ProtectedFromScaleIn: member.isProtected,
  }
}

/** An instance names the version that it has, not the one that its group follows. */
function toMachineTemplate({ machine }: Member) {
  const { template } = machine
  if (template === null) return undefined
  const { id, name, number } = template
  return { LaunchTemplateId: id, LaunchTemplateName: name, Version: String(number) }
}

export function toTemplateView(template: TemplateReference | null) {
  if (template === null) return undefined
  return {
    LaunchTemplateId: template.id,
    LaunchTemplateName: template.name,
    Version: template.version,
  }
}

export function toActivityView(activity: Activity) {
  return {
    ActivityId: activity.id,
    AutoScalingGroupName: activity.group,
    Description: activity.description,
    Cause: activity.cause,
    StartTime: new Date(activity.startedAt),
    EndTime: activity.endedAt === null ? undefined : new Date(activity.endedAt),
    StatusCode: activity.status,
    StatusMessage: activity.message ?? undefined,
    Progress: activity.progress,
    Details: activity.details,
    AutoScalingGroupARN: activity.groupArn,
  }
}
