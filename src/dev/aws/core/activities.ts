/** Scaling activities: what a group did to an instance, and why. */
import { tell } from './events.ts'
import { createUuid } from './identifiers.ts'
import type { Activity, ActivityStatus, Group, Machine, World } from './world.ts'

/** Enough for weeks of a busy group; Auto Scaling forgets after six weeks. */
const KEPT_MAX = 10_000

export const ACTIVITY_AGE_MAX_MS = 42 * 86_400_000

export interface NewActivity {
  description: string
  cause: string
  machine: Machine | null
  zone: string
  subnet: string
  status: ActivityStatus
  progress: number
}

export function openActivity(world: World, group: Group, fields: NewActivity): Activity {
  const list = world.activities.get(group.name) ?? []
  world.activities.set(group.name, list)
  const activity: Activity = {
    id: createUuid(world),
    order: (list.at(-1)?.order ?? 0) + 1,
    group: group.name,
    groupArn: group.arn,
    description: fields.description,
    cause: fields.cause.slice(0, CAUSE_LENGTH_MAX),
    details: toDetails(fields.zone, fields.subnet),
    startedAt: world.now,
    instance: fields.machine?.id ?? null,
    endedAt: null,
    status: fields.status,
    message: null,
    progress: fields.progress,
  }
  list.push(activity)
  if (list.length > KEPT_MAX) list.shift()
  tell(world, { type: 'activity', activity: { ...activity } })
  return activity
}

/** Both are limits of the API. */
const CAUSE_LENGTH_MAX = 1023
const MESSAGE_LENGTH_MAX = 255

export function setActivity(
  world: World,
  activity: Activity | null,
  status: ActivityStatus,
  options: { progress?: number; message?: string } = {},
): void {
  if (activity === null || activity.endedAt !== null) return
  activity.status = status
  activity.progress = options.progress ?? activity.progress
  activity.message = options.message?.slice(0, MESSAGE_LENGTH_MAX) ?? activity.message
  if (status === 'Successful' || status === 'Failed' || status === 'Cancelled') {
    activity.endedAt = world.now
    activity.progress = 100
  }
  tell(world, { type: 'activity', activity: { ...activity } })
}

export function isInProgress(activity: Activity | null): activity is Activity {
  return activity !== null && activity.endedAt === null
}

/** How causes begin: `At 2026-01-01T00:00:00Z`. */
export function atTime(world: World): string {
  return `At ${new Date(world.now).toISOString().slice(0, 19)}Z`
}

/** A JSON text inside the XML, with a key that has spaces: so it is. */
function toDetails(zone: string, subnet: string): string {
  return JSON.stringify({ 'Subnet ID': subnet, 'Availability Zone': zone })
}
