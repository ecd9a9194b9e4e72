/** Reading groups, instances and activities, a page at a time. */
import { z } from 'zod'
import { ACTIVITY_AGE_MAX_MS } from '../../core/activities.ts'
import type { Activity, Group, World } from '../../core/world.ts'
import { define } from '../action.ts'
import type { Actions } from '../action.ts'
import { byKey, page } from '../paging.ts'
import {
  filters,
  flag,
  groupName,
  instanceId,
  integer,
  list,
  matches,
  text,
} from '../parameters.ts'
import type { Filters } from '../parameters.ts'
import { invalid } from '../refusal.ts'
import { listMembers, toActivityView, toGroupView, toInstanceDetails } from './views.ts'

const PAGE_DEFAULT = 50
const GROUPS_PAGE_MAX = 100
const INSTANCES_PAGE_MAX = 50
const ACTIVITIES_PAGE_MAX = 100
const FAULT = 'InvalidNextToken'

export const DESCRIBE_ACTIONS: Actions = {
  DescribeAutoScalingGroups: define(
    z.strictObject({
      AutoScalingGroupNames: list(groupName).optional(),
      IncludeInstances: flag.default(true),
      Filters: filters.optional(),
      MaxRecords: integer(1, GROUPS_PAGE_MAX).default(PAGE_DEFAULT),
      NextToken: text().optional(),
    }),
    (world, input) => {
      const names = input.AutoScalingGroupNames ?? []
      const groups = byKey(world.groups.values(), ({ name }) => name).filter(
        (group) =>
          (names.length === 0 || names.includes(group.name)) && fits(group, input.Filters ?? []),
      )
      const { items, next } = page(groups, ({ name }) => name, {
        size: input.MaxRecords,
        token: input.NextToken,
        fault: FAULT,
      })
      return {
        AutoScalingGroups: items.map((group) => toGroupView(world, group, input.IncludeInstances)),
        NextToken: next,
      }
    },
  ),

  DescribeAutoScalingInstances: define(
    z.strictObject({
      InstanceIds: list(instanceId, INSTANCES_PAGE_MAX).optional(),
      MaxRecords: integer(1, INSTANCES_PAGE_MAX).default(PAGE_DEFAULT),
      NextToken: text().optional(),
    }),
    (world, input) => {
      const wanted = input.InstanceIds?.length ? new Set(input.InstanceIds) : null
      const seen = groupsOf(world, wanted)
        .flatMap((group) => listMembers(world, group, 'instanceMs', 'all'))
        .filter(({ member }) => wanted?.has(member.machine.id) ?? true)
      const sorted = byKey(seen, ({ member }) => member.machine.id)
      const { items, next } = page(sorted, ({ member }) => member.machine.id, {
        size: input.MaxRecords,
        token: input.NextToken,
        fault: FAULT,
      })
      return { AutoScalingInstances: items.map(toInstanceDetails), NextToken: next }
    },
  ),

  DescribeScalingActivities: define(
    z.strictObject({
      AutoScalingGroupName: groupName.optional(),
      ActivityIds: list(text(), 50).optional(),
      IncludeDeletedGroups: flag.default(false),
      IncludeManagedResources: flag.optional(),
      Filters: filters.optional(),
      MaxRecords: integer(1, ACTIVITIES_PAGE_MAX).default(ACTIVITIES_PAGE_MAX),
      NextToken: text().optional(),
    }),
    (world, input) => {
      const wanted = input.ActivityIds?.length ? new Set(input.ActivityIds) : null
      const since = world.now - ACTIVITY_AGE_MAX_MS
      const until = world.now - world.settings.lag.activityMs
      const found = pickActivities(world, input).filter(
        ({ id, startedAt }) =>
          (wanted?.has(id) ?? true) && startedAt >= since && startedAt <= until,
      )
      const newestFirst = found.toSorted(byNewest)
      const { items, next } = page(newestFirst, newestFirstKey, {
        size: input.MaxRecords,
        token: input.NextToken,
        fault: FAULT,
      })
      return { Activities: items.map(toActivityView), NextToken: next }
    },
  ),
}

/** Those that have one of the instances: a few ids must not cost as much as all of them. */
function groupsOf(world: World, instances: ReadonlySet<string> | null): Group[] {
  if (instances === null) return [...world.groups.values()]
  const names = new Set([...instances].map((id) => world.machines.get(id)?.group))
  return [...world.groups.values()].filter(({ name }) => names.has(name))
}

/** `tag:NAME`, `tag-key` and `tag-value` are all there is. @throws Refusal */
function fits(group: Group, wanted: Filters): boolean {
  return wanted.every(({ Name, Values }) => {
    const anyOf = (value: string) => Values.some((pattern) => matches(pattern, value))
    if (Name === 'tag-key') return [...group.tags.keys()].some(anyOf)
    if (Name === 'tag-value') return [...group.tags.values()].some(({ value }) => anyOf(value))
    if (!Name.startsWith('tag:')) throw invalid(`Filter type ${Name} is not correct.`)
    const tag = group.tags.get(Name.slice('tag:'.length))
    return tag !== undefined && anyOf(tag.value)
  })
}

function pickActivities(
  world: World,
  input: { AutoScalingGroupName?: string | undefined; IncludeDeletedGroups: boolean },
): Activity[] {
  const { AutoScalingGroupName: name, IncludeDeletedGroups: withDeleted } = input
  return [...world.activities]
    .filter(([group]) => (name ?? group) === group && (withDeleted || world.groups.has(group)))
    .flatMap(([, activities]) => activities)
}

/** By falling time, then by falling order within the group. */
function byNewest(a: Activity, b: Activity): number {
  const byTime = b.startedAt - a.startedAt
  if (byTime !== 0) return byTime
  return a.group === b.group ? b.order - a.order : a.group < b.group ? -1 : 1
}

/** Sorts as well; made for few of them, since a busy group has thousands. */
function newestFirstKey({ startedAt, order, group }: Activity): string {
  const falling = (value: number) => String(9e15 - value).padStart(16, '0')
  return `${falling(startedAt)}/${group}/${falling(order)}`
}
