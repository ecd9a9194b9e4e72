/** Scheduled actions: one by one, and in batches. */
import { z } from 'zod'
import { isTimeZone, parseCron } from '../../../../model/index.ts'
import { nextRun, schedule } from '../../core/scheduled.ts'
import type { Group, ScheduledAction, World } from '../../core/world.ts'
import { define } from '../action.ts'
import type { Actions } from '../action.ts'
import { findGroup, findGroupToChange } from '../find.ts'
import { byKey, page } from '../paging.ts'
import { groupName, integer, list, text, time } from '../parameters.ts'
import { Refusal, invalid } from '../refusal.ts'

const ACTIONS_MAX = 125
const BATCH_MAX = 50
const PAGE_MAX = 100

const actionFields = z.strictObject({
  ScheduledActionName: text(1, 255),
  /** An old name of StartTime. */
  Time: time.optional(),
  StartTime: time.optional(),
  EndTime: time.optional(),
  Recurrence: text(1, 255).optional(),
  TimeZone: text(1, 255).optional(),
  MinSize: integer(0).optional(),
  MaxSize: integer(0).optional(),
  DesiredCapacity: integer(0).optional(),
})

export const SCHEDULED_ACTIONS: Actions = {
  PutScheduledUpdateGroupAction: define(
    actionFields.extend({ AutoScalingGroupName: groupName }),
    (world, { AutoScalingGroupName, ...fields }) => {
      put(world, findGroupToChange(world, AutoScalingGroupName), fields)
      return {}
    },
  ),

  BatchPutScheduledUpdateGroupAction: define(
    z.strictObject({
      AutoScalingGroupName: groupName,
      ScheduledUpdateGroupActions: list(actionFields, BATCH_MAX),
    }),
    (world, input) => {
      const group = findGroupToChange(world, input.AutoScalingGroupName)
      const failed = input.ScheduledUpdateGroupActions.flatMap((fields) =>
        attempt(fields.ScheduledActionName, () => put(world, group, fields)),
      )
      return { FailedScheduledUpdateGroupActions: failed }
    },
  ),

  DeleteScheduledAction: define(
    z.strictObject({ AutoScalingGroupName: groupName, ScheduledActionName: text() }),
    (world, input) => {
      remove(findGroupToChange(world, input.AutoScalingGroupName), input.ScheduledActionName)
      return {}
    },
  ),

  BatchDeleteScheduledAction: define(
    z.strictObject({
      AutoScalingGroupName: groupName,
      ScheduledActionNames: list(text(), BATCH_MAX),
    }),
    (world, input) => {
      const group = findGroupToChange(world, input.AutoScalingGroupName)
      const failed = input.ScheduledActionNames.flatMap((name) =>
        attempt(name, () => remove(group, name)),
      )
      return { FailedScheduledActions: failed }
    },
  ),

  DescribeScheduledActions: define(
    z.strictObject({
      AutoScalingGroupName: groupName.optional(),
      ScheduledActionNames: list(text(), BATCH_MAX).optional(),
      StartTime: time.optional(),
      EndTime: time.optional(),
      MaxRecords: integer(1, PAGE_MAX).default(BATCH_MAX),
      NextToken: text().optional(),
    }),
    (world, input) => {
      const { AutoScalingGroupName: only, ScheduledActionNames: names } = input
      const groups = only === undefined ? [...world.groups.values()] : [findGroup(world, only)]
      const found = groups
        .flatMap((group) => [...group.scheduled.values()].map((action) => ({ group, action })))
        .filter(({ action }) => names === undefined || names.includes(action.name))
        .filter(({ action }) => {
          const at = nextRun(world, action) ?? world.now
          return at >= (input.StartTime ?? at) && at <= (input.EndTime ?? at)
        })
      const keyOf = (each: (typeof found)[number]) => `${each.group.name}\n${each.action.name}`
      const { items, next } = page(byKey(found, keyOf), keyOf, {
        size: input.MaxRecords,
        token: input.NextToken,
        fault: 'InvalidNextToken',
      })
      return {
        ScheduledUpdateGroupActions: items.map(({ group, action }) => toView(world, group, action)),
        NextToken: next,
      }
    },
  ),
}

/** Makes it, or changes what is given of one that exists. @throws Refusal */
function put(world: World, group: Group, input: z.infer<typeof actionFields>): void {
  const known = group.scheduled.get(input.ScheduledActionName)
  const action: ScheduledAction = {
    name: input.ScheduledActionName,
    revision: (known?.revision ?? 0) + 1,
    startAt: input.StartTime ?? input.Time ?? known?.startAt ?? null,
    endAt: input.EndTime ?? known?.endAt ?? null,
    recurrence: input.Recurrence ?? known?.recurrence ?? null,
    timeZone: input.TimeZone ?? known?.timeZone ?? null,
    min: input.MinSize ?? known?.min ?? null,
    max: input.MaxSize ?? known?.max ?? null,
    desired: input.DesiredCapacity ?? known?.desired ?? null,
  }
  check(world, group, action)
  group.scheduled.set(action.name, action)
  schedule(world, group, action)
}

/** @throws Refusal */
function check(world: World, group: Group, action: ScheduledAction): void {
  if (!group.scheduled.has(action.name) && group.scheduled.size >= ACTIONS_MAX) {
    throw new Refusal('LimitExceeded', `a group has at most ${ACTIONS_MAX} scheduled actions`)
  }
  const { recurrence, timeZone, startAt, endAt, min, max, desired } = action
  const cron = recurrence === null ? null : parseCron(recurrence)
  if (typeof cron === 'string') throw invalid(`Given recurrence string is invalid: ${cron}`)
  if (timeZone !== null && !isTimeZone(timeZone)) throw invalid(`Invalid time zone: ${timeZone}`)
  if (recurrence === null && startAt === null) {
    throw invalid('Either Recurrence or StartTime must be given')
  }
  if (startAt !== null && startAt < world.now) throw invalid('Given start time is in the past')
  if (endAt !== null && endAt <= Math.max(world.now, startAt ?? 0)) {
    throw invalid('Given end time is before the start time, or in the past')
  }
  if (min === null && max === null && desired === null) {
    throw invalid('At least one of MinSize, MaxSize and DesiredCapacity must be given')
  }
}

function remove(group: Group, name: string): void {
  if (!group.scheduled.delete(name)) throw invalid('Scheduled action name not found')
}

/** Batches tell of each failure by its name. */
function attempt(name: string, run: () => void) {
  try {
    run()
    return []
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause
    return [{ ScheduledActionName: name, ErrorCode: cause.code, ErrorMessage: cause.message }]
  }
}

function toView(world: World, group: Group, action: ScheduledAction) {
  const at = nextRun(world, action)
  const start = at === null ? undefined : new Date(at)
  return {
    AutoScalingGroupName: group.name,
    ScheduledActionName: action.name,
    ScheduledActionARN: `${group.arn}:scheduledActionName/${action.name}`,
    Time: start,
    StartTime: start,
    EndTime: action.endAt === null ? undefined : new Date(action.endAt),
    Recurrence: action.recurrence ?? undefined,
    MinSize: action.min ?? undefined,
    MaxSize: action.max ?? undefined,
    DesiredCapacity: action.desired ?? undefined,
    TimeZone: action.timeZone ?? undefined,
  }
}
