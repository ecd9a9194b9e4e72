/** What the engine remembers: one row type per table, and the writes that change them. */
import type { Allocation } from '../objects/allocation.ts'
import type { Evaluation } from '../objects/evaluation.ts'
import type { Job, Submission } from '../objects/job.ts'
import type { Node } from '../objects/node.ts'

export interface NodePool {
  Name: string
  Description: string
  CreateIndex: number
  ModifyIndex: number
}

export interface SchedulerConfiguration {
  SchedulerAlgorithm: 'binpack' | 'spread'
  PreemptionConfig: {
    SystemSchedulerEnabled: boolean
    SysBatchSchedulerEnabled: boolean
    BatchSchedulerEnabled: boolean
    ServiceSchedulerEnabled: boolean
  }
  MemoryOversubscriptionEnabled: boolean
  RejectJobRegistration: boolean
  PauseEvalBroker: boolean
  NodeLimitForFeasibilityChecks: number
  CreateIndex: number
  ModifyIndex: number
}

/** How to find a started task again after the engine itself was killed. */
export interface TaskHandle {
  allocation: string
  task: string
  /** Of the process that waits for the task and writes down how it ended. */
  pid: number
  /** In the machine's own units; with the pid it names a process for good. */
  startTime: string
}

export interface Rows {
  job: Job
  submission: Submission & { JobKey: string; Version: number }
  evaluation: Evaluation
  allocation: Allocation
  node: Node
  pool: NodePool
  setting: SchedulerConfiguration
  task: TaskHandle
}

export type TableName = keyof Rows

export const TABLE_NAMES = [
  'job',
  'submission',
  'evaluation',
  'node',
  'pool',
  'setting',
  'allocation',
  'task',
] as const satisfies readonly TableName[]

interface WriteTo<T extends TableName> {
  table: T
  key: string
  /** The whole new row. */
  put?: Rows[T]
  /** Fields that change in a row that exists. */
  patch?: Partial<Rows[T]>
  drop?: true
}
export type Write<T extends TableName = TableName> = { [K in T]: WriteTo<K> }[T]

interface RowChangeIn<T extends TableName> {
  table: T
  key: string
  before: Rows[T] | undefined
  after: Rows[T] | undefined
}
export type RowChange<T extends TableName = TableName> = { [K in T]: RowChangeIn<K> }[T]

/** Why something was written; the `Type` that the event stream shows. */
export type CommitType =
  | 'JobRegistered'
  | 'JobDeregistered'
  | 'JobBatchDeregistered'
  | 'EvaluationUpdated'
  | 'PlanResult'
  | 'AllocationUpdated'
  | 'AllocationUpdateDesiredStatus'
  | 'NodeRegistration'
  | 'NodeDeregistration'
  | 'NodeEligibility'
  | 'NodeDrain'
  | 'NodeStreamEvent'
  | 'NodePoolUpserted'
  /** Of no interest to anybody outside: settings, process handles. */
  | 'Internal'

/** Everything that changed under one index. */
export interface Commit {
  index: number
  type: CommitType
  changes: RowChange[]
}

/** NUL sorts before every character an id may hold, so keys sort by namespace, then by id. */
export function toJobKey(job: { Namespace: string; ID: string }): string {
  return `${job.Namespace}\0${job.ID}`
}

/** The key of the job that an evaluation or allocation belongs to. */
export function jobKeyOf(row: { Namespace: string; JobID: string }): string {
  return `${row.Namespace}\0${row.JobID}`
}

export function toTaskKey(handle: Pick<TaskHandle, 'allocation' | 'task'>): string {
  return `${handle.allocation}\0${handle.task}`
}

export function toSubmissionKey(jobKey: string, version: number): string {
  return `${jobKey}\0${version}`
}

/** The one row of the settings table. */
export const SETTING_KEY = 'scheduler'
