/** Evaluations: what makes the scheduler look at a job. */
import type { RandomSource } from '../../../platform/index.ts'
import type { Job } from './job.ts'
import { createUuid, toNanoseconds } from './values.ts'

export type EvaluationStatus = 'pending' | 'complete' | 'failed' | 'canceled' | 'blocked'

/** Why a group could not be placed, or what it cost to place it. */
export interface AllocationMetric {
  NodesEvaluated: number
  NodesFiltered: number
  NodesInPool: number
  NodePool: string
  NodesAvailable: Record<string, number>
  ClassFiltered: Record<string, number> | null
  ConstraintFiltered: Record<string, number> | null
  NodesExhausted: number
  ClassExhausted: Record<string, number> | null
  DimensionExhausted: Record<string, number> | null
  QuotaExhausted: null
  ResourcesExhausted: null
  Scores: null
  ScoreMetaData: { NodeID: string; Scores: Record<string, number>; NormScore: number }[] | null
  AllocationTime: number
  CoalescedFailures: number
}

/** What the plan did to one group, in the words of `nomad eval status`. */
export interface DesiredUpdates {
  Ignore: number
  Place: number
  Migrate: number
  Stop: number
  InPlaceUpdate: number
  DestructiveUpdate: number
  Canary: number
  Preemptions: number
  Disconnect: number
  Reconnect: number
  RescheduleNow: number
  RescheduleLater: number
}

export interface Evaluation {
  ID: string
  Namespace: string
  Priority: number
  Type: string
  TriggeredBy: string
  JobID: string
  JobModifyIndex: number
  NodeID: string
  NodeModifyIndex: number
  DeploymentID: string
  Status: EvaluationStatus
  StatusDescription: string
  /** When a delayed evaluation falls due, RFC 3339. */
  WaitUntil: string | null
  NextEval: string
  PreviousEval: string
  BlockedEval: string
  FailedTGAllocs: Record<string, AllocationMetric> | null
  QueuedAllocations: Record<string, number> | null
  PlanAnnotations: {
    DesiredTGUpdates: Record<string, DesiredUpdates>
    PreemptedAllocs: null
  } | null
  SnapshotIndex: number
  CreateIndex: number
  ModifyIndex: number
  CreateTime: number
  ModifyTime: number
}

/** A pending evaluation of a job; the store fills in the indexes. */
export function createEvaluation(
  job: Pick<Job, 'ID' | 'Namespace' | 'Priority' | 'Type'>,
  triggeredBy: string,
  context: { nowMs: number; random: RandomSource },
  more: Partial<Evaluation> = {},
): Evaluation {
  const now = toNanoseconds(context.nowMs)
  return {
    ID: createUuid(context.random),
    Namespace: job.Namespace,
    Priority: job.Priority,
    Type: job.Type,
    TriggeredBy: triggeredBy,
    JobID: job.ID,
    JobModifyIndex: 0,
    NodeID: '',
    NodeModifyIndex: 0,
    DeploymentID: '',
    Status: 'pending',
    StatusDescription: '',
    WaitUntil: null,
    NextEval: '',
    PreviousEval: '',
    BlockedEval: '',
    FailedTGAllocs: null,
    QueuedAllocations: null,
    PlanAnnotations: null,
    SnapshotIndex: 0,
    CreateIndex: 0,
    ModifyIndex: 0,
    CreateTime: now,
    ModifyTime: now,
    ...more,
  }
}
