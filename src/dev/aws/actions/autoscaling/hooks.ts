/** Lifecycle hooks, heartbeats and completion. */
import { z } from 'zod'
import { globalTimeoutSeconds, recordHeartbeat } from '../../core/hooks.ts'
import { completeAction, removeHook } from '../../core/waits.ts'
import type { Group, Hook, LifecycleAction, Member, World } from '../../core/world.ts'
import { define } from '../action.ts'
import type { Actions } from '../action.ts'
import { findGroup, findGroupToChange } from '../find.ts'
import { groupName, instanceId, integer, list, text } from '../parameters.ts'
import { Refusal, invalid } from '../refusal.ts'

const TRANSITIONS = [
  'autoscaling:EC2_INSTANCE_LAUNCHING',
  'autoscaling:EC2_INSTANCE_TERMINATING',
] as const

const HOOKS_MAX = 50
const HEARTBEAT_DEFAULT_SECONDS = 3600

const hookName = z
  .string()
  .regex(/^[A-Za-z0-9\-_/]{1,255}$/, 'a hook name of 1 to 255 characters of A-Z a-z 0-9 - _ /')

/** What a hook is made of, in PutLifecycleHook and in the list of CreateAutoScalingGroup. */
export const hookFields = z.strictObject({
  LifecycleHookName: hookName,
  LifecycleTransition: z.enum(TRANSITIONS).optional(),
  HeartbeatTimeout: integer(30, 7200).optional(),
  DefaultResult: z.enum(['CONTINUE', 'ABANDON']).optional(),
  NotificationTargetARN: z.string().optional(),
  RoleARN: z.string().optional(),
  NotificationMetadata: z.string().max(4000).optional(),
})

/** Makes the hook, or changes what is given of one that exists. @throws Refusal */
export function putHook(group: Group, input: z.infer<typeof hookFields>): void {
  const known = group.hooks.get(input.LifecycleHookName)
  const transition = input.LifecycleTransition ?? known?.transition
  if (transition === undefined) {
    throw invalid('LifecycleTransition is required to create a lifecycle hook')
  }
  if (known === undefined && group.hooks.size >= HOOKS_MAX) {
    throw new Refusal('LimitExceeded', `a group has at most ${HOOKS_MAX} lifecycle hooks`)
  }
  const hook: Hook = {
    name: input.LifecycleHookName,
    transition,
    heartbeatSeconds:
      input.HeartbeatTimeout ?? known?.heartbeatSeconds ?? HEARTBEAT_DEFAULT_SECONDS,
    defaultResult: input.DefaultResult ?? known?.defaultResult ?? 'ABANDON',
    // An empty text takes the target away.
    targetArn: input.NotificationTargetARN ?? known?.targetArn ?? null,
    roleArn: input.RoleARN ?? known?.roleArn ?? null,
    metadata: input.NotificationMetadata ?? known?.metadata ?? null,
  }
  group.hooks.set(hook.name, hook)
}

const actionFields = {
  LifecycleHookName: hookName,
  AutoScalingGroupName: groupName,
  LifecycleActionToken: z.string().length(36).optional(),
  InstanceId: instanceId.optional(),
}

interface ActionReference {
  LifecycleHookName: string
  LifecycleActionToken?: string | undefined
  InstanceId?: string | undefined
}

/** By its token, or by its instance and hook. @throws Refusal when nothing waits there. */
function findAction(
  group: Group,
  reference: ActionReference,
): { member: Member; action: LifecycleAction } {
  const { LifecycleHookName, LifecycleActionToken: token, InstanceId } = reference
  if (token !== undefined) {
    const open = group.openActions.get(token)
    const fits = InstanceId === undefined || open?.member.machine.id === InstanceId
    if (open !== undefined && open.action.hook === LifecycleHookName && fits) return open
    throw invalid(`No active Lifecycle Action found with token ${token}`)
  }
  if (InstanceId === undefined) {
    throw invalid('Either LifecycleActionToken or InstanceId must be given')
  }
  const member = group.members.get(InstanceId)
  const action = member?.actions.find(
    ({ hook, result }) => hook === LifecycleHookName && result === null,
  )
  if (member !== undefined && action !== undefined) return { member, action }
  throw invalid(`No active Lifecycle Action found with instance ID ${InstanceId}`)
}

function toView(group: Group, hook: Hook) {
  return {
    LifecycleHookName: hook.name,
    AutoScalingGroupName: group.name,
    LifecycleTransition: hook.transition,
    NotificationTargetARN: hook.targetArn || undefined,
    RoleARN: hook.roleArn || undefined,
    NotificationMetadata: hook.metadata ?? undefined,
    HeartbeatTimeout: hook.heartbeatSeconds,
    GlobalTimeout: globalTimeoutSeconds(hook),
    DefaultResult: hook.defaultResult,
  }
}

export const HOOK_ACTIONS: Actions = {
  PutLifecycleHook: define(
    hookFields.extend({ AutoScalingGroupName: groupName }),
    (world, { AutoScalingGroupName, ...fields }) => {
      putHook(findGroupToChange(world, AutoScalingGroupName), fields)
      return {}
    },
  ),

  DescribeLifecycleHooks: define(
    z.strictObject({
      AutoScalingGroupName: groupName,
      LifecycleHookNames: list(text(1, 255), HOOKS_MAX).optional(),
    }),
    (world, { AutoScalingGroupName, LifecycleHookNames }) => {
      const group = findGroup(world, AutoScalingGroupName)
      const hooks = [...group.hooks.values()].filter(
        ({ name }) => LifecycleHookNames?.includes(name) ?? true,
      )
      return { LifecycleHooks: hooks.map((hook) => toView(group, hook)) }
    },
  ),

  DescribeLifecycleHookTypes: define(z.strictObject({}), () => ({
    LifecycleHookTypes: [...TRANSITIONS],
  })),

  DeleteLifecycleHook: define(
    z.strictObject({ AutoScalingGroupName: groupName, LifecycleHookName: hookName }),
    (world, { AutoScalingGroupName, LifecycleHookName }) => {
      const group = findGroupToChange(world, AutoScalingGroupName)
      const hook = group.hooks.get(LifecycleHookName)
      if (hook === undefined) {
        throw invalid(`No Lifecycle Hook found with name ${LifecycleHookName}`)
      }
      removeHook(world, group, hook)
      return {}
    },
  ),

  RecordLifecycleActionHeartbeat: define(z.strictObject(actionFields), (world, input) => {
    const { group, member, action } = locate(world, input)
    const hook = group.hooks.get(action.hook)
    if (hook !== undefined) recordHeartbeat(world, member, action, hook)
    return {}
  }),

  CompleteLifecycleAction: define(
    z.strictObject({ ...actionFields, LifecycleActionResult: z.enum(['CONTINUE', 'ABANDON']) }),
    (world, input) => {
      const { member, action } = locate(world, input)
      completeAction(world, member, action, input.LifecycleActionResult)
      return {}
    },
  ),
}

function locate(world: World, input: ActionReference & { AutoScalingGroupName: string }) {
  const group = findGroup(world, input.AutoScalingGroupName)
  return { group, ...findAction(group, input) }
}
