/** What Auto Scaling answers, in our words. Pure. */
import type {
  Activity,
  AutoScalingGroup,
  Instance,
  LaunchTemplateSpecification,
  LifecycleHook,
} from '@aws-sdk/client-auto-scaling'
import type { AwsActivity, AwsGroup, AwsHook, AwsMember, AwsTemplate } from './types.ts'

export function toGroup(group: AutoScalingGroup): AwsGroup {
  const name = group.AutoScalingGroupName ?? ''
  const mixed = group.MixedInstancesPolicy?.LaunchTemplate?.LaunchTemplateSpecification
  return {
    name,
    min: group.MinSize ?? 0,
    max: group.MaxSize ?? 0,
    desired: group.DesiredCapacity ?? 0,
    instances: (group.Instances ?? []).map((each) => toMember(each, name)),
    suspended: (group.SuspendedProcesses ?? []).flatMap(({ ProcessName }) => ProcessName ?? []),
    status: group.Status ?? null,
    protectsNew: group.NewInstancesProtectedFromScaleIn ?? false,
    template: toTemplate(group.LaunchTemplate ?? mixed, group.LaunchConfigurationName),
    maxLifetimeMs: group.MaxInstanceLifetime ? group.MaxInstanceLifetime * 1000 : null,
    hasWarmPool: group.WarmPoolConfiguration !== undefined,
    rebalances: group.CapacityRebalance ?? false,
    retains: group.InstanceLifecyclePolicy?.RetentionTriggers?.TerminateHookAbandon === 'retain',
  }
}

/** Both kinds of answers that hold an instance of a group. */
type MemberAnswer = Pick<
  Instance,
  | 'InstanceId'
  | 'AvailabilityZone'
  | 'InstanceType'
  | 'HealthStatus'
  | 'ProtectedFromScaleIn'
  | 'LaunchTemplate'
  | 'LaunchConfigurationName'
> & { LifecycleState?: string | undefined }

export function toMember(instance: MemberAnswer, group: string): AwsMember {
  return {
    instanceId: instance.InstanceId ?? '',
    group,
    zone: instance.AvailabilityZone ?? '',
    type: instance.InstanceType ?? '',
    lifecycle: instance.LifecycleState ?? '',
    // One kind of answer has it in capitals.
    isHealthy: instance.HealthStatus?.toLowerCase() !== 'unhealthy',
    isProtected: instance.ProtectedFromScaleIn ?? false,
    template: toTemplate(instance.LaunchTemplate, instance.LaunchConfigurationName),
  }
}

function toTemplate(
  template: LaunchTemplateSpecification | undefined,
  configuration: string | undefined,
): AwsTemplate | null {
  const id = template?.LaunchTemplateId ?? template?.LaunchTemplateName
  if (id !== undefined) return { id, version: template?.Version ?? '$Default' }
  return configuration === undefined ? null : { id: configuration, version: '' }
}

/** Hooks of transitions that we do not know are nobody's business here. */
export function toHook(hook: LifecycleHook): AwsHook[] {
  const transition = TRANSITIONS[hook.LifecycleTransition ?? '']
  if (transition === undefined) return []
  const timeoutMs = (hook.HeartbeatTimeout ?? DEFAULT_TIMEOUT_S) * 1000
  return [
    {
      name: hook.LifecycleHookName ?? '',
      transition,
      timeoutMs,
      capMs: hook.GlobalTimeout
        ? hook.GlobalTimeout * 1000
        : Math.min(CAP_MAX_MS, BEATS_MAX * timeoutMs),
      defaultResult: hook.DefaultResult === 'CONTINUE' ? 'CONTINUE' : 'ABANDON',
    },
  ]
}

const TRANSITIONS: Readonly<Record<string, AwsHook['transition']>> = {
  'autoscaling:EC2_INSTANCE_LAUNCHING': 'launching',
  'autoscaling:EC2_INSTANCE_TERMINATING': 'terminating',
}

/** As Auto Scaling documents them. */
const DEFAULT_TIMEOUT_S = 3600
const CAP_MAX_MS = 48 * 3_600_000
const BEATS_MAX = 100

export function toActivity(activity: Activity): AwsActivity {
  return {
    id: activity.ActivityId ?? '',
    status: activity.StatusCode ?? '',
    message: activity.StatusMessage ?? '',
    cause: activity.Cause ?? '',
    description: activity.Description ?? '',
    startedMs: activity.StartTime?.getTime() ?? 0,
    endedMs: activity.EndTime?.getTime() ?? null,
  }
}
