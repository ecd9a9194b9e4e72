/**
 * Nomad's JSON, as far as Caravan reads or writes it. Field names are Nomad's own.
 *
 * Durations are integer nanoseconds. SubmitTime, CreateTime, ModifyTime and TaskEvent.Time are unix
 * nanoseconds, too large for a double: they are rounded to microseconds here, which display and
 * ordering survive. Nested lists and maps may be `null` where a list would be empty.
 *
 * @see Nomad HTTP API documentation
 */

export interface Constraint {
  LTarget: string
  RTarget: string
  Operand: string
}

export interface NomadTask {
  Name: string
  Driver: string
  User?: string
  Config: Record<string, unknown>
  Env?: Record<string, string> | null
  Meta?: Record<string, string> | null
  Resources?: {
    CPU?: number
    MemoryMB?: number
    MemoryMaxMB?: number
    [key: string]: unknown
  } | null
  KillTimeout?: number
  KillSignal?: string
  Leader?: boolean
  LogConfig?: { MaxFiles: number; MaxFileSizeMB: number; Disabled?: boolean } | null
  [key: string]: unknown
}

export interface NomadTaskGroup {
  Name: string
  Count?: number
  Constraints?: Constraint[] | null
  Tasks: NomadTask[]
  Meta?: Record<string, string> | null
  EphemeralDisk?: { SizeMB?: number; Sticky?: boolean; Migrate?: boolean } | null
  RestartPolicy?: { Attempts?: number; Interval?: number; Delay?: number; Mode?: string } | null
  ReschedulePolicy?: Record<string, unknown> | null
  Disconnect?: Record<string, unknown> | null
  MaxRunDuration?: number | null
  [key: string]: unknown
}

export interface NomadJob {
  ID: string
  Name: string
  Type: string
  Namespace?: string
  Region?: string
  Priority?: number
  Datacenters?: string[] | null
  NodePool?: string
  Constraints?: Constraint[] | null
  TaskGroups: NomadTaskGroup[]
  Meta?: Record<string, string> | null
  Stop?: boolean
  Status?: string
  StatusDescription?: string
  Version?: number
  SubmitTime?: number
  CreateIndex?: number
  ModifyIndex?: number
  JobModifyIndex?: number
  [key: string]: unknown
}

export interface NomadJobStub {
  ID: string
  Name: string
  Namespace: string
  Type: string
  Priority: number
  Status: string
  Stop: boolean
  Meta?: Record<string, string> | null
  SubmitTime: number
  CreateIndex: number
  ModifyIndex: number
  JobModifyIndex: number
}

export interface TaskEvent {
  Type: string
  Time: number
  Message?: string
  DisplayMessage?: string
  Details?: Record<string, string> | null
}

export interface TaskState {
  State: 'pending' | 'running' | 'dead'
  Failed: boolean
  Restarts?: number
  StartedAt?: string | null
  FinishedAt?: string | null
  Events?: TaskEvent[] | null
}

export type AllocationClientStatus =
  | 'pending'
  | 'running'
  | 'complete'
  | 'failed'
  | 'lost'
  | 'unknown'

/** What the list calls return, and the part of a full allocation that Caravan reads. */
export interface NomadAllocation {
  ID: string
  EvalID: string
  Name: string
  Namespace: string
  NodeID: string
  NodeName: string
  JobID: string
  /** In lists; a full allocation has its job instead. */
  JobType?: string
  Job?: Pick<NomadJob, 'Type'> | null
  TaskGroup: string
  DesiredStatus: 'run' | 'stop' | 'evict'
  DesiredDescription?: string
  ClientStatus: AllocationClientStatus
  ClientDescription?: string
  DesiredTransition?: {
    Migrate?: boolean | null
    Reschedule?: boolean | null
    /** Set by a drain, from the versions on that know it. */
    MigrateDisablePlacement?: boolean | null
  } | null
  TaskStates?: Record<string, TaskState> | null
  PreemptedByAllocation?: string
  NextAllocation?: string
  CreateIndex: number
  ModifyIndex: number
  CreateTime: number
  ModifyTime: number
}

/** Why an evaluation could not place a group. */
export interface AllocationMetric {
  NodesEvaluated: number
  NodesFiltered: number
  NodesInPool?: number
  NodesAvailable?: Record<string, number> | null
  ClassFiltered?: Record<string, number> | null
  ConstraintFiltered?: Record<string, number> | null
  NodesExhausted: number
  ClassExhausted?: Record<string, number> | null
  DimensionExhausted?: Record<string, number> | null
}

export interface NomadEvaluation {
  ID: string
  Namespace: string
  Priority: number
  Type: string
  TriggeredBy: string
  JobID: string
  Status: 'pending' | 'complete' | 'failed' | 'canceled' | 'blocked'
  StatusDescription?: string
  NextEval?: string
  PreviousEval?: string
  BlockedEval?: string
  FailedTGAllocs?: Record<string, AllocationMetric> | null
  QueuedAllocations?: Record<string, number> | null
  CreateIndex: number
  ModifyIndex: number
}

export interface DrainStrategy {
  Deadline: number
  IgnoreSystemJobs: boolean
  ForceDeadline?: string
  StartedAt?: string
}

/** The drain that is under way, or the last one; a node that was never drained has none. */
export interface LastDrain {
  Status: 'draining' | 'complete' | 'canceled'
  StartedAt?: string
  UpdatedAt?: string
  /** As whoever began or ended it told. */
  Meta?: Record<string, string> | null
}

export interface NodeResources {
  Cpu?: { CpuShares: number } | null
  Memory?: { MemoryMB: number } | null
  Disk?: { DiskMB: number } | null
}

/** `GET /v1/nodes?resources=true` and, with more in it, `GET /v1/node/:id`. */
export interface NomadNode {
  ID: string
  Name: string
  Datacenter: string
  NodePool?: string
  NodeClass: string
  Address?: string
  HTTPAddr?: string
  Version?: string
  Drain: boolean
  DrainStrategy?: DrainStrategy | null
  LastDrain?: LastDrain | null
  SchedulingEligibility: 'eligible' | 'ineligible'
  Status: 'initializing' | 'ready' | 'disconnected' | 'down'
  StatusDescription?: string
  Attributes?: Record<string, string> | null
  NodeResources?: NodeResources | null
  ReservedResources?: NodeResources | null
  /** The last ten, in order; not in lists. */
  Events?: NodeEvent[] | null
  CreateIndex: number
  ModifyIndex: number
}

export interface NodeEvent {
  Message: string
  Subsystem: string
}

export interface NomadEvent {
  Topic: string
  Type: string
  Key: string
  Namespace: string
  FilterKeys?: string[] | null
  Index: number
  Payload: {
    Allocation?: NomadAllocation
    Evaluation?: NomadEvaluation
    Job?: NomadJob
    Node?: NomadNode
    Deleted?: boolean
    Timeout?: boolean
  }
}

/** One allocation as `POST /v1/jobs/statuses` tells it. */
export interface JobStatusAllocation {
  ID: string
  Group: string
  ClientStatus: AllocationClientStatus
  NodeID: string
  JobVersion: number
  FollowupEvalID?: string
}

/** One job of `POST /v1/jobs/statuses`. */
export interface JobStatus {
  ID: string
  Namespace: string
  Name: string
  Type: string
  Status: string
  Stop: boolean
  Version: number
  SubmitTime: number
  ModifyIndex: number
  GroupCountSum: number
  Allocs: JobStatusAllocation[] | null
}

/** What the job was made from, for `nomad job inspect -hcl`. */
export interface JobSubmission {
  Source: string
  Format: 'hcl2' | 'json'
  VariableFlags?: Record<string, string>
  Variables?: string
}

/** `GET /v1/agent/self`, the part that Caravan reads. */
export interface AgentSelf {
  config?: { Version?: { Version?: string; VersionMetadata?: string } | null } | null
  member?: { Name?: string; Tags?: Record<string, string> | null } | null
  stats?: Record<string, Record<string, string>> | null
}

export interface SchedulerConfiguration {
  SchedulerAlgorithm: string
  PreemptionConfig?: { BatchSchedulerEnabled?: boolean } | null
  MemoryOversubscriptionEnabled?: boolean
  /** An operator stopped all registrations: they answer 403. */
  RejectJobRegistration?: boolean
  /** An operator stopped all placing: evaluations stay pending. */
  PauseEvalBroker?: boolean
}
