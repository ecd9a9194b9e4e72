/** How an evaluation ends, and what waits on after it. */
import type { RandomSource } from '../../../platform/index.ts'
import { createEvaluation } from '../objects/evaluation.ts'
import type { AllocationMetric, DesiredUpdates, Evaluation } from '../objects/evaluation.ts'
import type { Job } from '../objects/job.ts'
import { toNanoseconds } from '../objects/values.ts'
import { jobKeyOf } from '../state/rows.ts'
import type { Write } from '../state/rows.ts'
import type { View } from '../state/state.ts'

export interface Failure {
  metric: AllocationMetric
  /** Allocations of the group that found no place. */
  count: number
}

interface Result {
  job: Job | undefined
  desired: Record<string, DesiredUpdates>
  failed: ReadonlyMap<string, Failure>
  followups: readonly Evaluation[]
}

/** Closes the evaluation. What could not be placed waits in a blocked one. */
export function endEvaluation(
  view: View,
  evaluation: Evaluation,
  { job, desired, failed, followups }: Result,
  context: { nowMs: number; random: RandomSource },
): Write<'evaluation'>[] {
  const FailedTGAllocs =
    failed.size > 0
      ? Object.fromEntries([...failed].map(([group, { metric }]) => [group, metric]))
      : null
  const QueuedAllocations = Object.fromEntries(
    Object.keys(desired).map((group) => [group, failed.get(group)?.count ?? 0]),
  )
  const outcome: Partial<Evaluation> = {
    FailedTGAllocs,
    QueuedAllocations,
    PlanAnnotations: { DesiredTGUpdates: desired, PreemptedAllocs: null },
    SnapshotIndex: view.index,
    ModifyTime: toNanoseconds(context.nowMs),
    NextEval: followups[0]?.ID ?? evaluation.NextEval,
  }
  const next = followups.map((put) => ({ table: 'evaluation' as const, key: put.ID, put }))
  const superseded = cancelBlocked(view, evaluation)
  const isWaiting = failed.size > 0 && job !== undefined
  if (isWaiting && evaluation.TriggeredBy === 'queued-allocs') {
    return [...superseded, ...next, end(evaluation, { ...outcome, ...BLOCKED })]
  }
  if (!isWaiting) return [...superseded, ...next, end(evaluation, { ...outcome, ...COMPLETE })]
  const blocked = createEvaluation(job, 'queued-allocs', context, {
    ...BLOCKED,
    FailedTGAllocs,
    PreviousEval: evaluation.ID,
    JobModifyIndex: evaluation.JobModifyIndex,
    SnapshotIndex: view.index,
  })
  return [
    ...superseded,
    ...next,
    { table: 'evaluation', key: blocked.ID, put: blocked },
    end(evaluation, { ...outcome, ...COMPLETE, BlockedEval: blocked.ID }),
  ]
}

const COMPLETE = { Status: 'complete', StatusDescription: '' } as const
const BLOCKED = {
  Status: 'blocked',
  StatusDescription: 'created to place remaining allocations',
} as const

function end(evaluation: Evaluation, fields: Partial<Evaluation>): Write<'evaluation'> {
  return { table: 'evaluation', key: evaluation.ID, patch: fields }
}

/** A job waits for room once; a newer look at it replaces the older wait. */
function cancelBlocked(view: View, evaluation: Evaluation): Write<'evaluation'>[] {
  const ids = [...view.indexes.ofJob(jobKeyOf(evaluation)).evaluations]
  return ids
    .filter((id) => id !== evaluation.ID && view.indexes.blocked.has(id))
    .map((key) => ({
      table: 'evaluation',
      key,
      patch: { Status: 'canceled', StatusDescription: `evaluation "${evaluation.ID}" successful` },
    }))
}
