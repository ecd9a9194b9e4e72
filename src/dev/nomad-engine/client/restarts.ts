/** Whether a task that ended is started again on the same node, and when. */
import { formatDuration } from '../../../model/index.ts'
import type { RestartPolicy } from '../objects/job.ts'
import { fromNanoseconds } from '../objects/values.ts'
import { WITHIN_POLICY } from './task-events.ts'

export type RestartDecision =
  | { restart: true; delayMs: number; reason: string }
  | { restart: false; reason: string }

/** What counts against the policy: restarts since the interval began. */
export interface RestartCount {
  attempts: number
  /** Null before the first restart. */
  sinceMs: number | null
}

export const NO_RESTARTS: RestartCount = { attempts: 0, sinceMs: null }

/** Nomad adds up to a quarter, so that tasks that failed together do not start together. */
const JITTER_SHARE = 0.25

/** Pure. @param random from 0 to 1. @returns the decision, and what counts from now on. */
export function decideRestart(
  policy: RestartPolicy,
  before: RestartCount,
  nowMs: number,
  random: number,
): { decision: RestartDecision; count: RestartCount } {
  if (policy.Attempts === 0 && policy.Mode === 'fail') {
    return { decision: { restart: false, reason: 'Policy allows no restarts' }, count: before }
  }
  const intervalMs = fromNanoseconds(policy.Interval)
  const isOver = before.sinceMs === null || nowMs - before.sinceMs >= intervalMs
  const count = isOver ? { attempts: 0, sinceMs: nowMs } : before
  if (count.attempts < policy.Attempts) {
    const delayMs = Math.round(fromNanoseconds(policy.Delay) * (1 + random * JITTER_SHARE))
    return {
      decision: { restart: true, delayMs, reason: WITHIN_POLICY },
      count: { ...count, attempts: count.attempts + 1 },
    }
  }
  if (policy.Mode === 'fail') {
    const reason = `Exceeded allowed attempts ${policy.Attempts} in interval ${formatDuration(intervalMs)} and mode is "fail"`
    return { decision: { restart: false, reason }, count }
  }
  const delayMs = (count.sinceMs ?? nowMs) + intervalMs - nowMs
  const reason = 'Exceeded allowed attempts, applying a delay'
  return { decision: { restart: true, delayMs, reason }, count: { attempts: 1, sinceMs: null } }
}
