/**
 * What the end of an attempt comes to: the end of its slice, or another attempt.
 *
 * Only the slice whose infrastructure failed is tried again, never its neighbours. Not when somebody asked
 * it to stop, not more often than the settings allow, and not for a commit that a newer build of the same
 * branch and job has overtaken: its result is of no use to anybody by now.
 */
import { toNomadJobId, type Reason } from '../model/index.ts'
import { backoffMs } from '../platform/index.ts'
import { findNewerBuild, type BuildRow, type Reader, type SliceRow } from './store/index.ts'
import { mayRetry, type SliceFact } from './slice-machine.ts'

export interface RetryPolicy {
  /** How often a slice is tried again: `limits.infrastructure_retries`. */
  limit: number
  /** From 0 up to 1. */
  random: () => number
}

export type SliceEnd = Extract<SliceFact, { kind: 'ended' }>

/**
 * Where the node is gone the next attempt has another one: a second is for a cluster that loses several at
 * once to tell of all. For other reasons the cause may be on every node, and may pass if it is given time.
 * Each wait is five times the one before, up to half of it by chance: so a node that comes and goes does
 * not use up all attempts within a second, and slices that failed together do not come back in step.
 */
const BASE_MS: Readonly<Partial<Record<Reason, number>>> = {
  node_lost: 1000,
  preempted: 1000,
  drained: 1000,
}
const OTHER_BASE_MS = 3000
const FACTOR = 5
export const RETRY_WAIT_MAX_MS = 60_000

/**
 * @param reader of the transaction that records what is decided.
 * @param nowMs wall clock.
 */
export async function settleEnd(
  reader: Reader,
  attempt: { build: BuildRow; slice: SliceRow; end: SliceEnd },
  context: { policy: RetryPolicy; nowMs: number },
): Promise<SliceFact> {
  const { build, slice, end } = attempt
  const { policy } = context
  if (policy.limit === 0 || !mayRetry(slice, end.reason)) return end
  const isLast = slice.retries >= policy.limit
  const newer = isLast ? null : await findNewerBuild(reader, build)
  return decide({ ...attempt, ...context, newer })
}

/** Pure but for chance. @param newer number of the newest build of the branch, when it is another one. */
export function decide(parts: {
  build: Pick<BuildRow, 'id' | 'org' | 'repo' | 'number'>
  slice: SliceRow
  end: SliceEnd
  newer: number | null
  policy: RetryPolicy
  nowMs: number
}): SliceFact {
  const { build, slice, end, newer, policy, nowMs } = parts
  const { reason, epoch } = end
  if (!mayRetry(slice, reason)) return end
  if (slice.retries >= policy.limit) return withNote(end, `attempt ${countOf(slice, policy)}`)
  if (newer !== null) {
    return withNote(end, `not tried again: build ${newer} of the same branch is newer`)
  }
  const waitMs = toWaitMs(reason, slice.retries, policy.random)
  const { id, org, repo, number } = build
  const next = { build: id, index: slice.slice_index, org, repo, number, epoch: epoch + 1 }
  const nomadJobId = toNomadJobId(next)
  return { kind: 'retried', epoch, reason, detail: end.detail, nomadJobId, dueMs: nowMs + waitMs }
}

/** What people are told: `node lost, tried again (2 of 3): node worker-1 is down`. */
export function describeRetry(
  { reason, detail }: { reason: Reason; detail: string },
  next: Pick<SliceRow, 'retries'>,
  policy: RetryPolicy,
): string {
  const why = detail === '' ? '' : `: ${detail}`
  return `${reason.replaceAll('_', ' ')}, tried again (${countOf(next, policy)})${why}`
}

function countOf({ retries }: Pick<SliceRow, 'retries'>, { limit }: RetryPolicy): string {
  return `${retries + 1} of ${limit + 1}`
}

function withNote(end: SliceEnd, note: string): SliceEnd {
  return { ...end, detail: end.detail === '' ? note : `${end.detail} (${note})` }
}

function toWaitMs(reason: Reason, retries: number, random: () => number): number {
  const atMostMs = (BASE_MS[reason] ?? OTHER_BASE_MS) * FACTOR ** retries
  return backoffMs(0, {
    baseMs: Math.min(atMostMs, RETRY_WAIT_MAX_MS),
    maxMs: RETRY_WAIT_MAX_MS,
    random,
  })
}
