/** Why instances do not come, from what Auto Scaling tells of its launches, and when to ask again. Pure. */
import type { AwsActivity } from '../../platform/index.ts'
import type { PoolMemory } from '../memory.ts'
import { atTime, counted } from './words.ts'

export type LaunchFailure =
  /** AWS has no such machine now. */
  | 'capacity'
  /** The account may not have more. */
  | 'quota'
  /** What instances are made from is wrong or gone. */
  | 'template'
  | 'permission'
  /** The machine came, its node did not. */
  | 'never_registered'
  /** Somebody suspended launching in the group. */
  | 'suspended'
  | 'other'

const PATTERNS: readonly { pattern: RegExp; failure: LaunchFailure }[] = [
  {
    pattern:
      /InsufficientInstanceCapacity|do not have sufficient|no Spot capacity|capacity-not-available/i,
    failure: 'capacity',
  },
  {
    pattern: /LimitExceeded|instance ?limit|MaxSpotInstanceCount|quota|more vCPU capacity than/i,
    failure: 'quota',
  },
  {
    pattern: /UnauthorizedOperation|not authorized|AccessDenied|service-linked role/i,
    failure: 'permission',
  },
  {
    pattern:
      /launch template|InvalidAMIID|AMI|InvalidParameter|security group|subnet|key ?pair|snapshot/i,
    failure: 'template',
  },
]

export function classifyLaunch(message: string): LaunchFailure {
  return PATTERNS.find(({ pattern }) => pattern.test(message))?.failure ?? 'other'
}

/** Doubled each time. Passing shortages pass in minutes; a wrong template waits for a person. */
const BACKOFF: Readonly<Record<LaunchFailure, { baseMs: number; maxMs: number }>> = {
  capacity: { baseMs: 30_000, maxMs: 10 * 60_000 },
  quota: { baseMs: 60_000, maxMs: 15 * 60_000 },
  template: { baseMs: 60_000, maxMs: 30 * 60_000 },
  permission: { baseMs: 60_000, maxMs: 30 * 60_000 },
  never_registered: { baseMs: 60_000, maxMs: 30 * 60_000 },
  suspended: { baseMs: 30_000, maxMs: 5 * 60_000 },
  other: { baseMs: 30_000, maxMs: 10 * 60_000 },
}

/** From so many in a row on, a person should look. */
export const ALARM_AT = 3

/** Changes the memory: a machine came and its node, so that what is due to be tried again is well again. */
export function forgetFailures({ backoff }: PoolMemory, nowMs: number): void {
  for (const [kind, { untilMs }] of Object.entries(backoff)) {
    const isOver = kind === 'never_registered' || untilMs <= nowMs
    if (isOver) delete backoff[kind as LaunchFailure]
  }
}

/** Changes the memory: one more failure of the kind, and when to ask again. */
export function noteFailure(memory: PoolMemory, failure: LaunchFailure, nowMs: number): void {
  const failures = (memory.backoff[failure]?.failures ?? 0) + 1
  const { baseMs, maxMs } = BACKOFF[failure]
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 20))
  // Pools that fail together do not come back together; the same each time, so that a replay agrees.
  const untilMs = nowMs + Math.round(ceiling * (0.75 + spread(`${memory.pool} ${failure}`) / 4))
  memory.backoff[failure] = { failures, untilMs }
}

/** From 0 to 1, always the same for a text. */
function spread(text: string): number {
  let hash = 2_166_136_261
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 16_777_619) >>> 0
  }
  return hash / 2 ** 32
}

/** Nobody completed its launching hook in time; what we abandon ourselves is counted when it is done. */
const LAPSED = /Lifecycle Action.*Heartbeat Timeout/i

/**
 * Changes the memory by launches that have ended since it last looked.
 *
 * @returns sentences about the failed ones.
 */
export function readLaunches(
  memory: PoolMemory,
  activities: readonly AwsActivity[],
  nowMs: number,
): string[] {
  const fresh = activities
    .filter(({ startedMs, endedMs }) => endedMs !== null && startedMs > memory.activitiesUntilMs)
    .filter(({ description }) => /launching/i.test(description))
    .sort((a, b) => a.startedMs - b.startedMs)
  const failed = new Map<LaunchFailure, string>()
  for (const { status, message, startedMs } of fresh) {
    memory.activitiesUntilMs = startedMs
    if (status === 'Successful') {
      failed.clear()
      // A machine came; whether its node does is another question.
      const kept = memory.backoff.never_registered
      memory.backoff = kept === undefined ? {} : { never_registered: kept }
    } else if (status === 'Failed') failed.set(classifyLaunch(message), message)
    else if (status === 'Cancelled' && LAPSED.test(message)) failed.set('never_registered', message)
  }
  // A group that is short tries again and again: one look is one failure of each kind.
  for (const failure of failed.keys()) noteFailure(memory, failure, nowMs)
  return [...failed].map(([failure, message]) => `launches fail (${failure}): ${message}`)
}

/** A failure of longer ago says little of the next launch, when none is under way. */
const FRESH_MS = 30 * 60_000

/**
 * Why a machine that goes would have no other in its place; null when nothing speaks against it.
 *
 * @param requested how many were asked for and have not come.
 */
export function whyNotReplaced(
  { backoff }: PoolMemory,
  requested: number,
  nowMs: number,
): string | null {
  const [worst] = Object.entries(backoff)
    .filter(([, { untilMs }]) => requested > 0 || nowMs - untilMs < FRESH_MS)
    .sort((a, b) => b[1].failures - a[1].failures)
  if (worst === undefined) return null
  const [kind, { failures }] = worst
  return `launches failed ${counted(failures, 'time')} (${kind})`
}

/** Why not to ask for more now; null when nothing speaks against it. */
export function backoffReason({ backoff }: PoolMemory, nowMs: number): string | null {
  const waiting = Object.entries(backoff).filter(([, { untilMs }]) => untilMs > nowMs)
  const [kind, entry] = waiting.sort((a, b) => b[1].untilMs - a[1].untilMs)[0] ?? []
  if (kind === undefined || entry === undefined) return null
  const times = counted(entry.failures, 'time')
  return `launches failed ${times} (${kind}): asking again at ${atTime(entry.untilMs)}`
}
