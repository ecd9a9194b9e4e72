/** Tags of groups. */
import { z } from 'zod'
import type { Group } from '../../core/world.ts'
import { define } from '../action.ts'
import type { Actions } from '../action.ts'
import { findGroupToChange } from '../find.ts'
import { byKey, page } from '../paging.ts'
import { filters, flag, groupName, integer, list, matches, text } from '../parameters.ts'
import { Refusal, invalid } from '../refusal.ts'

const TAGS_MAX = 50
const PAGE_MAX = 100

export const tagFields = z.strictObject({
  Key: text(1, 128),
  Value: z.string().max(256).default(''),
  PropagateAtLaunch: flag.default(false),
})

const tagOfGroup = tagFields.extend({
  ResourceId: groupName,
  ResourceType: z.literal('auto-scaling-group').default('auto-scaling-group'),
})

/** @throws Refusal when there would be too many. */
export function putTags(group: Group, tags: readonly z.infer<typeof tagFields>[]): void {
  for (const { Key, Value, PropagateAtLaunch } of tags) {
    group.tags.set(Key, { value: Value, propagate: PropagateAtLaunch })
  }
  if (group.tags.size > TAGS_MAX) {
    throw new Refusal('LimitExceeded', `a group has at most ${TAGS_MAX} tags`)
  }
}

export const TAG_ACTIONS: Actions = {
  CreateOrUpdateTags: define(z.strictObject({ Tags: list(tagOfGroup) }), (world, { Tags }) => {
    for (const tag of Tags) putTags(findGroupToChange(world, tag.ResourceId), [tag])
    return {}
  }),

  DeleteTags: define(
    z.strictObject({ Tags: list(tagOfGroup.partial({ Value: true, PropagateAtLaunch: true })) }),
    (world, { Tags }) => {
      for (const { ResourceId, Key } of Tags) findGroupToChange(world, ResourceId).tags.delete(Key)
      return {}
    },
  ),

  DescribeTags: define(
    z.strictObject({
      Filters: filters.optional(),
      MaxRecords: integer(1, PAGE_MAX).default(50),
      NextToken: text().optional(),
    }),
    (world, { Filters = [], MaxRecords, NextToken }) => {
      const all = [...world.groups.values()].flatMap((group) =>
        [...group.tags].map(([key, tag]) => ({ group: group.name, key, ...tag })),
      )
      const found = all.filter((tag) =>
        Filters.every(({ Name, Values }) => {
          return Values.some((pattern) => matches(pattern, valueOf(tag, Name)))
        }),
      )
      const keyOf = (tag: { group: string; key: string }) => `${tag.group}\n${tag.key}`
      const { items, next } = page(byKey(found, keyOf), keyOf, {
        size: MaxRecords,
        token: NextToken,
        fault: 'InvalidNextToken',
      })
      const tags = items.map(({ group, key, value, propagate }) => ({
        ResourceId: group,
        ResourceType: 'auto-scaling-group',
        Key: key,
        Value: value,
        PropagateAtLaunch: propagate,
      }))
      return { Tags: tags, NextToken: next }
    },
  ),
}

function valueOf(
  tag: { group: string; key: string; value: string; propagate: boolean },
  filter: string,
): string {
  if (filter === 'auto-scaling-group') return tag.group
  if (filter === 'key') return tag.key
  if (filter === 'value') return tag.value
  if (filter === 'propagate-at-launch') return String(tag.propagate)
  throw invalid(`Filter type ${filter} is not correct.`)
}
