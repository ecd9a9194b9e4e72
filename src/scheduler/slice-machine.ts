/**
 * The life of a slice as a pure function: what is known, and a new fact, to what changes.
 *
 * Facts come from several places at once, late and more than once: Nomad's events, its lists, the
 * agent, a person. Each names the epoch it is about. One that is old, that repeats what is known, or
 * that comes after the result changes nothing; so the first result wins and states only go forward.
 */
import {
  REASONS,
  canFollow,
  isResult,
  type NomadJobId,
  type Reason,
  type SliceState,
} from '../model/index.ts'
import type { SliceRow } from './store/index.ts'

export type SliceFact = { epoch: number } & (
  | { kind: 'submitting'; specHash: string }
  | { kind: 'registered'; jobModifyIndex: number }
  | { kind: 'placed'; allocationId: string; nodeId: string; nodeName: string }
  | { kind: 'claimed' }
  | { kind: 'accepted' }
  /** The agent says that the steps are over. */
  | { kind: 'reported' }
  /** Somebody wants it to end. */
  | { kind: 'cancel'; reason: Reason }
  | { kind: 'ended'; reason: Reason; detail: string }
  /** The epoch ended as `ended` tells, by a fault of the infrastructure, and the next one follows. */
  | { kind: 'retried'; reason: Reason; detail: string; nomadJobId: NomadJobId; dueMs: number }
  /** Nomad runs nothing of the job any more. */
  | { kind: 'job_closed' }
)

/** Columns that a fact may change; `version` is the store's. */
export type SliceChange = Partial<Omit<SliceRow, 'build_id' | 'slice_index' | 'version'>>

/**
 * What the fact changes, or null when it changes nothing.
 *
 * @param nowMs wall clock, for the times in the row.
 */
export function applyFact(slice: SliceRow, fact: SliceFact, nowMs: number): SliceChange | null {
  if (fact.epoch !== slice.epoch) return null
  if (fact.kind === 'job_closed') return closeJob(slice)
  if (isResult(slice.state)) return null
  switch (fact.kind) {
    case 'submitting':
      return move(slice, 'submitting', {
        spec_hash: fact.specHash,
        job_open: 1,
        submitted_ms: nowMs,
      })
    case 'registered':
      return register(slice, fact.jobModifyIndex)
    case 'placed':
      return place(slice, fact, nowMs)
    case 'claimed':
      return move(slice, 'starting', { claimed_ms: nowMs })
    case 'accepted':
      // The agent's word is needed for nothing else: it may be faster than the answer of `claim`'s store.
      return slice.state === 'starting' ? move(slice, 'running', { started_ms: nowMs }) : null
    case 'reported':
      return move(slice, 'finishing', {})
    case 'cancel':
      return cancel(slice, fact.reason, nowMs)
    case 'ended':
      return end(slice, fact.reason, fact.detail, nowMs)
    case 'retried':
      return retry(slice, fact, nowMs)
  }
}

/** Whether another attempt may follow when this one ends for that reason, by the slice itself. */
export function mayRetry(
  { state, cancel_reason: asked }: Pick<SliceRow, 'state' | 'cancel_reason'>,
  reason: Reason,
): boolean {
  const { retried }: { retried: boolean } = REASONS[reason]
  // What has not been submitted has not failed, and what was asked to stop is not begun again.
  return retried && asked === null && !isWaiting(state) && canFollow(state, 'waiting_run')
}

/** Before the agent accepts, nothing of a slice has run that a user could see. */
export function hasAccepted(state: SliceState): boolean {
  return state === 'running' || state === 'finishing'
}

function move(slice: SliceRow, state: SliceState, more: SliceChange): SliceChange | null {
  return canFollow(slice.state, state) ? { state, ...more } : null
}

function register(slice: SliceRow, jobModifyIndex: number): SliceChange | null {
  if (slice.job_modify_index !== null) return null
  // An agent can claim before the answer to the registration is here; then the state is further on.
  const state = slice.state === 'submitting' ? { state: 'placing' as const } : {}
  return { ...state, job_modify_index: jobModifyIndex }
}

function place(
  slice: SliceRow,
  allocation: { allocationId: string; nodeId: string; nodeName: string },
  nowMs: number,
): SliceChange | null {
  if (slice.allocation_id !== null || !slice.job_open) return null
  return {
    allocation_id: allocation.allocationId,
    node_id: allocation.nodeId,
    node_name: allocation.nodeName,
    placed_ms: nowMs,
  }
}

function cancel(slice: SliceRow, reason: Reason, nowMs: number): SliceChange | null {
  if (!hasAccepted(slice.state)) return end({ ...slice, cancel_reason: reason }, reason, '', nowMs)
  return slice.cancel_reason === null ? { cancel_reason: reason } : null
}

function end(slice: SliceRow, reason: Reason, detail: string, nowMs: number): SliceChange | null {
  return move(slice, REASONS[reason].result, {
    reason,
    detail,
    finished_ms: nowMs,
    cancel_reason: slice.cancel_reason,
  })
}

/** Nothing of the old epoch stays in the row: whoever still speaks for it speaks of what is gone. */
function retry(
  slice: SliceRow,
  next: Extract<SliceFact, { kind: 'retried' }>,
  nowMs: number,
): SliceChange | null {
  if (!mayRetry(slice, next.reason)) return null
  return move(slice, 'waiting_run', {
    epoch: slice.epoch + 1,
    retries: slice.retries + 1,
    due_ms: next.dueMs,
    nomad_job_id: next.nomadJobId,
    job_open: 0,
    spec_hash: null,
    job_modify_index: null,
    allocation_id: null,
    node_id: null,
    node_name: null,
    queued_ms: nowMs,
    submitted_ms: null,
    placed_ms: null,
    claimed_ms: null,
    started_ms: null,
  })
}

function isWaiting(state: SliceState): boolean {
  return state === 'waiting_usage' || state === 'waiting_run'
}

/** Only of a slice that is over: a live one still needs its job, or has yet to learn that it is gone. */
function closeJob(slice: SliceRow): SliceChange | null {
  return slice.job_open && isResult(slice.state) ? { job_open: 0 } : null
}
