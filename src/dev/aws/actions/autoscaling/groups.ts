/** Making, changing and deleting groups. */
import { z } from 'zod'
import { isInProgress } from '../../core/activities.ts'
import { atTime } from '../../core/activities.ts'
import { tell } from '../../core/events.ts'
import { createUuid } from '../../core/identifiers.ts'
import { resize } from '../../core/scheduled.ts'
import { settleSoon } from '../../core/settle-soon.ts'
import { isLeaving } from '../../core/states.ts'
import { beginTermination, proceedTermination } from '../../core/terminate.ts'
import type { Group, World } from '../../core/world.ts'
import { watchZones } from '../../core/zones.ts'
import { define } from '../action.ts'
import type { Actions } from '../action.ts'
import { findGroupToChange } from '../find.ts'
import { flag, groupName, integer, list } from '../parameters.ts'
import { Refusal, invalid } from '../refusal.ts'
import { applyFields, groupFields } from './group-fields.ts'
import type { GroupFields } from './group-fields.ts'
import { hookFields, putHook } from './hooks.ts'
import { putTags, tagFields } from './tags.ts'

/** The quota of a region. */
const GROUPS_MAX = 500

const newTag = tagFields.extend({
  ResourceId: groupName.optional(),
  ResourceType: z.string().optional(),
})

const createFields = groupFields.extend({
  MinSize: integer(0),
  MaxSize: integer(0),
  LifecycleHookSpecificationList: list(hookFields).optional(),
  Tags: list(newTag).optional(),
})

export const GROUP_ACTIONS: Actions = {
  CreateAutoScalingGroup: define(createFields, (world, input) => {
    const { LifecycleHookSpecificationList: hooks, Tags: tags, ...fields } = input
    checkNew(world, fields)
    const group = createGroup(world, fields)
    applyFields(world, group, fields)
    for (const hook of hooks ?? []) putHook(group, hook)
    putTags(group, tags ?? [])
    world.groups.set(group.name, group)
    watchZones(world, group)
    settleSoon(world, group)
    tell(world, { type: 'group', group: group.name, change: 'created' })
    return {}
  }),

  UpdateAutoScalingGroup: define(groupFields, (world, input) => {
    const group = findGroupToChange(world, input.AutoScalingGroupName)
    const min = input.MinSize ?? group.min
    const max = input.MaxSize ?? group.max
    checkSizes({ min, max, desired: input.DesiredCapacity })
    applyFields(world, group, input)
    resize(world, group, { min, max, desired: input.DesiredCapacity ?? null })
    watchZones(world, group)
    tell(world, { type: 'group', group: group.name, change: 'updated' })
    return {}
  }),

  DeleteAutoScalingGroup: define(
    z.strictObject({ AutoScalingGroupName: groupName, ForceDelete: flag.optional() }),
    (world, { AutoScalingGroupName, ForceDelete = false }) => {
      const group = findGroupToChange(world, AutoScalingGroupName)
      if (!ForceDelete) checkEmpty(group)
      group.isDeleting = true
      tell(world, { type: 'group', group: group.name, change: 'deleting' })
      endMembers(world, group)
      settleSoon(world, group)
      return {}
    },
  ),
}

function checkNew(world: World, input: GroupFields): void {
  const name = input.AutoScalingGroupName
  if (world.groups.has(name)) {
    const message = `AutoScalingGroup by this name already exists - A group with the name ${name} already exists`
    throw new Refusal('AlreadyExists', message)
  }
  if (world.groups.size >= GROUPS_MAX) {
    throw new Refusal('LimitExceeded', `a region has at most ${GROUPS_MAX} Auto Scaling groups`)
  }
  const sources = [input.LaunchTemplate, input.MixedInstancesPolicy, input.LaunchConfigurationName]
  if (sources.filter((each) => each !== undefined).length !== 1) {
    throw invalid(
      'Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.',
    )
  }
  if (!input.AvailabilityZones?.length && !input.VPCZoneIdentifier) {
    throw invalid('At least one Availability Zone or VPC Subnet is required.')
  }
  checkSizes({ min: input.MinSize ?? 0, max: input.MaxSize ?? 0, desired: input.DesiredCapacity })
}

/** @throws Refusal unless min <= desired <= max. */
function checkSizes(sizes: { min: number; max: number; desired: number | undefined }): void {
  const { min, max, desired } = sizes
  if (min > max) throw invalid('Max bound must be greater than or equal to min bound')
  if (desired === undefined) return
  if (desired < min || desired > max) {
    throw invalid('Desired capacity must be between the specified min size and max size')
  }
}

const COOLDOWN_DEFAULT_SECONDS = 300

function createGroup(world: World, input: GroupFields): Group {
  const { region, accountId, instanceType } = world.settings
  const name = input.AutoScalingGroupName
  const min = input.MinSize ?? 0
  return {
    name,
    arn: `arn:aws:autoscaling:${region}:${accountId}:autoScalingGroup:${createUuid(world)}:autoScalingGroupName/${name}`,
    createdAt: world.now,
    min,
    max: input.MaxSize ?? min,
    desired: input.DesiredCapacity ?? min,
    template: null,
    mirrored: { HealthCheckType: 'EC2' },
    instanceType,
    spot: false,
    zones: [],
    subnets: [],
    cooldownSeconds: COOLDOWN_DEFAULT_SECONDS,
    healthGraceSeconds: 0,
    terminationPolicies: ['Default'],
    protectsNew: false,
    maxLifetimeSeconds: 0,
    capacityRebalance: false,
    retainsAbandoned: false,
    tags: new Map(),
    hooks: new Map(),
    suspended: new Map(),
    members: new Map(),
    departed: new Map(),
    openActions: new Map(),
    scheduled: new Map(),
    refreshes: [],
    warmPool: null,
    replacing: new Map(),
    launchRequests: new Map(),
    watchesZones: false,
    lastScalingAt: null,
    launching: { failures: 0, failingSince: null, retryAt: 0 },
    isDeleting: false,
  }
}

function checkEmpty(group: Group): void {
  for (const { activity } of group.members.values()) {
    if (!isInProgress(activity)) continue
    const message =
      'You cannot delete an AutoScalingGroup while there are scaling activities in progress for that group.'
    throw new Refusal('ScalingActivityInProgress', message)
  }
  if (group.members.size === 0) return
  const message =
    'You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group.'
  throw new Refusal('ResourceInUse', message)
}

/** By force: no hook is asked, those that are being asked are not waited for. */
function endMembers(world: World, group: Group): void {
  const why = `${atTime(world)} an instance was taken out of service because its group is deleted.`
  for (const member of group.members.values()) {
    const state = member.state.value
    if (!isLeaving(state)) beginTermination(world, member, { why, skipsHooks: true })
    else if (!member.isEnding && state !== 'Terminating' && state !== 'Warmed:Terminating') {
      proceedTermination(world, member)
    }
  }
}
