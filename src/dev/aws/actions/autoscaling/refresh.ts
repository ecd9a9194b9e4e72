/** Instance refreshes. */
import { z } from 'zod'
import { createUuid } from '../../core/identifiers.ts'
import { countedMembers } from '../../core/members.ts'
import { finishRefresh, isActive, percentComplete, stepLater } from '../../core/refresh.ts'
import { isUpToDate } from '../../core/settle.ts'
import type { Group, Refresh, World } from '../../core/world.ts'
import { define } from '../action.ts'
import type { Actions } from '../action.ts'
import { findGroup, findGroupToChange } from '../find.ts'
import { byKey, page } from '../paging.ts'
import { flag, groupName, integer, list, text } from '../parameters.ts'
import { Refusal } from '../refusal.ts'
import { groupFields, takeTemplate } from './group-fields.ts'
import { toTemplateView } from './views.ts'

const PAGE_MAX = 100

/** As Auto Scaling keeps them. */
const KEPT_MAX = 100

const preferences = z.strictObject({
  MinHealthyPercentage: integer(0, 100).optional(),
  MaxHealthyPercentage: integer(100, 200).optional(),
  InstanceWarmup: integer(0).optional(),
  BakeTime: integer(0, 172_800).optional(),
  SkipMatching: flag.optional(),
  AutoRollback: flag.optional(),
  ScaleInProtectedInstances: z.enum(['Refresh', 'Ignore', 'Wait']).optional(),
  StandbyInstances: z.enum(['Terminate', 'Ignore', 'Wait']).optional(),
})

export const REFRESH_ACTIONS: Actions = {
  StartInstanceRefresh: define(
    z.strictObject({
      AutoScalingGroupName: groupName,
      Strategy: z.literal('Rolling').optional(),
      DesiredConfiguration: groupFields.pick({ LaunchTemplate: true }).optional(),
      Preferences: preferences.optional(),
    }),
    (world, input) => {
      const group = findGroupToChange(world, input.AutoScalingGroupName)
      const running = group.refreshes.find(isActive)
      if (running !== undefined) {
        const message = `An Instance Refresh is already in progress and blocks the execution of this Instance Refresh. Instance refresh id: ${running.id}`
        throw new Refusal('InstanceRefreshInProgress', message)
      }
      const oldTemplate = group.template
      const template = input.DesiredConfiguration?.LaunchTemplate
      if (template !== undefined) group.template = takeTemplate(world, template)
      const refresh = createRefresh(world, group, input.Preferences ?? {}, oldTemplate)
      group.refreshes.push(refresh)
      if (group.refreshes.length > KEPT_MAX) group.refreshes.shift()
      stepLater(world, group, refresh)
      return { InstanceRefreshId: refresh.id }
    },
  ),

  CancelInstanceRefresh: define(
    z.strictObject({
      AutoScalingGroupName: groupName,
      WaitForTransitioningInstances: flag.default(true),
    }),
    (world, input) => {
      const refresh = findActive(findGroupToChange(world, input.AutoScalingGroupName))
      if (input.WaitForTransitioningInstances) refresh.status = 'Cancelling'
      else finishRefresh(world, refresh, 'Cancelled', 'Cancelled by user request.')
      return { InstanceRefreshId: refresh.id }
    },
  ),

  RollbackInstanceRefresh: define(
    z.strictObject({ AutoScalingGroupName: groupName }),
    (world, input) => {
      const group = findGroupToChange(world, input.AutoScalingGroupName)
      const refresh = findActive(group)
      if (refresh.oldTemplate === null || refresh.oldTemplate === group.template) {
        const message = `The instance refresh ${refresh.id} can not be rolled back: it has no desired configuration`
        throw new Refusal('IrreversibleInstanceRefresh', message)
      }
      group.template = refresh.oldTemplate
      refresh.status = 'RollbackInProgress'
      refresh.bakedAt = null
      refresh.targets.clear()
      for (const member of countedMembers(group)) {
        if (!isUpToDate(world, member)) refresh.targets.add(member.machine.id)
      }
      return { InstanceRefreshId: refresh.id }
    },
  ),

  DescribeInstanceRefreshes: define(
    z.strictObject({
      AutoScalingGroupName: groupName,
      InstanceRefreshIds: list(text()).optional(),
      MaxRecords: integer(1, PAGE_MAX).default(50),
      NextToken: text().optional(),
    }),
    (world, input) => {
      const group = findGroup(world, input.AutoScalingGroupName)
      const ids = input.InstanceRefreshIds ?? []
      const found = group.refreshes.filter(({ id }) => ids.length === 0 || ids.includes(id))
      const keyOf = (each: Refresh) =>
        `${String(9e15 - each.startedAt).padStart(16, '0')}/${each.id}`
      const { items, next } = page(byKey(found, keyOf), keyOf, {
        size: input.MaxRecords,
        token: input.NextToken,
        fault: 'InvalidNextToken',
      })
      return { InstanceRefreshes: items.map((each) => toView(group, each)), NextToken: next }
    },
  ),
}

const MIN_HEALTHY_DEFAULT = 90
const MAX_HEALTHY_DEFAULT = 100

function createRefresh(
  world: World,
  group: Group,
  given: z.infer<typeof preferences>,
  oldTemplate: Group['template'],
): Refresh {
  const targets = countedMembers(group).filter(
    (member) => given.SkipMatching !== true || !isUpToDate(world, member),
  )
  return {
    id: createUuid(world),
    startedAt: world.now,
    endedAt: null,
    status: 'Pending',
    reason: null,
    targets: new Set(targets.map(({ machine }) => machine.id)),
    total: targets.length,
    minHealthyPercent: given.MinHealthyPercentage ?? MIN_HEALTHY_DEFAULT,
    maxHealthyPercent: given.MaxHealthyPercentage ?? MAX_HEALTHY_DEFAULT,
    warmupSeconds: given.InstanceWarmup ?? group.healthGraceSeconds,
    bakeSeconds: given.BakeTime ?? 0,
    protectedInstances: given.ScaleInProtectedInstances ?? 'Wait',
    standbyInstances: given.StandbyInstances ?? 'Wait',
    preferences: given,
    bakedAt: null,
    oldTemplate,
  }
}

function findActive(group: Group): Refresh {
  const refresh = group.refreshes.find(isActive)
  if (refresh !== undefined) return refresh
  const message = `No in progress or pending Instance Refresh found for Auto Scaling group ${group.name}`
  throw new Refusal('ActiveInstanceRefreshNotFound', message)
}

function toView(group: Group, refresh: Refresh) {
  return {
    InstanceRefreshId: refresh.id,
    AutoScalingGroupName: group.name,
    Status: refresh.status,
    StatusReason: refresh.reason ?? undefined,
    StartTime: new Date(refresh.startedAt),
    EndTime: refresh.endedAt === null ? undefined : new Date(refresh.endedAt),
    PercentageComplete: percentComplete(refresh),
    InstancesToUpdate: refresh.targets.size,
    Preferences: refresh.preferences,
    DesiredConfiguration: { LaunchTemplate: toTemplateView(group.template) },
    Strategy: 'Rolling',
  }
}
