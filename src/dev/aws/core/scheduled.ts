/** Scheduled actions: sizes of a group that change by the calendar. */
import { parseCron } from '../../../model/index.ts'
import { nextAfter } from './cron.ts'
import { setDesired } from './settle.ts'
import type { Group, ScheduledAction, World } from './world.ts'

/** @returns the time of its next run, which is also put on the agenda, or null when it never runs again. */
export function schedule(world: World, group: Group, action: ScheduledAction): number | null {
  const at = nextRun(world, action)
  if (at === null) return null
  world.agenda.add(at, {
    kind: 'scheduled-action',
    group: group.name,
    name: action.name,
    revision: action.revision,
  })
  return at
}

export function nextRun(world: World, action: ScheduledAction): number | null {
  const { startAt, endAt, recurrence, timeZone } = action
  if (recurrence === null) return startAt !== null && startAt > world.now ? startAt : null
  const cron = parseCron(recurrence)
  if (typeof cron === 'string') return null
  // The start itself counts when it fits.
  const from = startAt !== null && startAt > world.now ? startAt - 1 : world.now
  const at = nextAfter(cron, from, timeZone ?? 'UTC')
  return at !== null && (endAt === null || at <= endAt) ? at : null
}

export function runScheduled(
  world: World,
  group: Group,
  due: { name: string; revision: number },
): void {
  const action = group.scheduled.get(due.name)
  if (action === undefined || action.revision !== due.revision) return
  if (!group.suspended.has('ScheduledActions')) {
    resize(world, group, action)
  }
  const again = action.recurrence === null ? null : schedule(world, group, action)
  if (again === null) group.scheduled.delete(action.name)
}

/** Sizes that are given; desired is moved into the bounds when it is not. */
export function resize(
  world: World,
  group: Group,
  sizes: { min: number | null; max: number | null; desired: number | null },
): void {
  group.min = sizes.min ?? group.min
  group.max = sizes.max ?? group.max
  const wanted = sizes.desired ?? group.desired
  setDesired(world, group, Math.min(Math.max(wanted, group.min), group.max))
}
