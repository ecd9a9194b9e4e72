/**
 * Nomad as the rest of Caravan sees it.
 *
 * A missing object is `null`, a lost race is a value, everything else is a CaravanError: NOMAD_FORBIDDEN
 * (403), NOMAD_REJECTED (Nomad refused what we asked, with its words), NOMAD_NOT_FOUND (a write to
 * something that is not there), NOMAD_UNREACHABLE (nothing was done: try again) and
 * NOMAD_UNKNOWN_OUTCOME (a write that may or may not have happened: read back first). The detail of each
 * holds `problem`, see classify.ts. A call that the caller's signal ends throws the reason of that signal.
 *
 * Reads are repeated inside on passing faults, writes only when nothing can have reached the server.
 */
import type {
  AgentSelf,
  JobStatus,
  JobSubmission,
  NomadAllocation,
  NomadEvaluation,
  NomadEvent,
  NomadJob,
  NomadJobStub,
  NomadNode,
  SchedulerConfiguration,
} from './wire.ts'
import type { NomadVersion } from './version.ts'

export interface NomadClient {
  /** The namespace that every call without its own works in. */
  readonly namespace: string

  /**
   * @param options.enforceIndex register only when the job's JobModifyIndex is this; 0 creates only.
   * A conflict is possible only with it. Before Nomad 2.0.1 two creations can both succeed, see
   * `hasFeature(version, 'atomic_create')`.
   */
  registerJob(job: NomadJob, options?: RegisterOptions): Promise<RegisterOutcome>
  readJob(id: string, options?: CallOptions): Promise<NomadJob | null>
  /** Stops the job; an unknown id is a success with an empty evaluation id. */
  deregisterJob(id: string, options?: CallOptions & { purge?: boolean }): Promise<WriteReceipt>
  /** Makes a new evaluation: kicks a job whose evaluation failed. */
  evaluateJob(id: string, options?: CallOptions): Promise<WriteReceipt>
  /** Ordered by id. A prefix matches more than whole ids: compare exactly afterwards. */
  listJobs(options?: ListOptions & { meta?: boolean }): AsyncIterable<Page<NomadJobStub>>
  /**
   * State and allocations of exactly these jobs; one that Nomad does not know is left out.
   * @returns null below Nomad 1.8, which has no such call: list and read allocations instead.
   */
  jobStatuses(ids: readonly string[], options?: CallOptions): Promise<JobStatus[] | null>
  /** Empty for an unknown job. `all`: also those of earlier jobs of the same id. */
  jobAllocations(id: string, options?: CallOptions & { all?: boolean }): Promise<NomadAllocation[]>
  jobEvaluations(id: string, options?: CallOptions): Promise<NomadEvaluation[]>
  /** Lets Nomad read a job file: the only check of it that names line and column. */
  parseJob(hcl: string, options?: CallOptions & { variables?: string }): Promise<ParseOutcome>

  readAllocation(id: string, options?: CallOptions): Promise<NomadAllocation | null>
  listAllocations(options?: ListOptions): AsyncIterable<Page<NomadAllocation>>
  readEvaluation(id: string, options?: CallOptions): Promise<NomadEvaluation | null>
  /**
   * The last bytes of what a task wrote, kept by its client.
   * @returns null when there is nothing to read: not started, collected, or the client is away.
   */
  tailTaskLog(
    allocationId: string,
    options: CallOptions & { task: string; type: 'stdout' | 'stderr'; bytesMax: number },
  ): Promise<string | null>

  /** With resources; attributes only from `readNode`. */
  listNodes(options?: ListOptions): AsyncIterable<Page<NomadNode>>
  readNode(id: string, options?: CallOptions): Promise<NomadNode | null>
  nodeAllocations(id: string, options?: CallOptions): Promise<NomadAllocation[]>
  /** @param drain null ends a drain; the node stays ineligible unless `markEligible`. */
  drainNode(
    id: string,
    drain: Drain | null,
    options?: CallOptions & { markEligible?: boolean; meta?: Record<string, string> },
  ): Promise<NodeReceipt>
  setEligibility(
    id: string,
    eligibility: 'eligible' | 'ineligible',
    options?: CallOptions,
  ): Promise<NodeReceipt>
  /** Forgets a node. One that lives registers again, and its allocations may be lost: prove it gone before. */
  purgeNode(id: string, options?: CallOptions): Promise<NodeReceipt>

  agentSelf(options?: CallOptions): Promise<AgentSelf>
  /** @returns null when our token may not read the agent, or it tells none. */
  version(options?: CallOptions): Promise<NomadVersion | null>
  /** Address of the leading server, null while there is none. */
  leader(options?: CallOptions): Promise<string | null>
  schedulerConfiguration(options?: CallOptions): Promise<SchedulerConfiguration>

  /**
   * The object now, and again after each change, by blocking queries; null while Nomad does not have it.
   * Goes on through outages, ends with the signal and throws what trying again can not cure. Each watch
   * holds one of the few connections kept for waiting.
   */
  watch<What extends keyof Watchable>(
    what: What,
    id: string,
    signal: AbortSignal,
  ): AsyncIterable<Watchable[What] | null>
  /** Goes on through outages, ends with the signal and throws when Nomad refuses the subscription. */
  events(subscription: Subscription, signal: AbortSignal): AsyncIterable<StreamItem>

  /** Ends calls in flight, watches and streams. */
  close(): Promise<void>
}

export interface CallOptions {
  signal?: AbortSignal
  namespace?: string
}

export interface ListOptions extends CallOptions {
  prefix?: string
  /** Nomad's filter language, evaluated by the server; see `filterOf`. */
  filter?: string
  perPage?: number
}

export interface Page<Item> {
  items: Item[]
  /** The index of the state that was read. */
  index: number
}

export interface RegisterOptions {
  enforceIndex?: number
  /** Kept by Nomad for people who look at the job. */
  submission?: JobSubmission
  signal?: AbortSignal
}

export type RegisterOutcome =
  | {
      kind: 'registered'
      evalId: string
      jobModifyIndex: number
      index: number
      /** Nomad's words; empty without warnings. */
      warnings: string
    }
  /** Another job modify index than the enforced one; `index` is the enforced one. */
  | { kind: 'conflict'; index: number }

export type ParseOutcome = { kind: 'parsed'; job: NomadJob } | { kind: 'invalid'; text: string }

export interface WriteReceipt {
  /** Empty when nothing had to be done. */
  evalId: string
  index: number
}

export interface NodeReceipt {
  evalIds: string[]
  nodeModifyIndex: number
  index: number
}

export interface Drain {
  /** When Nomad stops what still runs; null lets it run to its end. */
  deadlineMs: number | null
  ignoreSystemJobs?: boolean
}

export interface Watchable {
  job: NomadJob
  jobAllocations: NomadAllocation[]
  evaluation: NomadEvaluation
  node: NomadNode
  nodeAllocations: NomadAllocation[]
}

export interface Subscription {
  topics: readonly EventTopic[]
  /** Where to start: the last seen index, or 0 for what the server still has. */
  index?: number
  /** `*` for all that exist when the stream opens. */
  namespace?: string
}

/** A key is matched whole: the object's id, or the job id of an allocation or evaluation. */
export interface EventTopic {
  topic: 'Job' | 'Evaluation' | 'Allocation' | 'Node'
  key?: string
}

/**
 * `connected`: from here on changes are seen; what happened before is not, so read lists now.
 * `gap`: events before here are missing, or may be; read lists again. Told after every reconnection,
 * since the server starts silently at the closest index it still has, and when the reader was too slow.
 * Events may repeat: compare ModifyIndex.
 */
export type StreamItem =
  | { kind: 'connected'; index: number }
  | { kind: 'batch'; index: number; events: NomadEvent[] }
  | { kind: 'gap'; reason: GapReason }

export type GapReason = 'ended' | 'silent' | 'unreachable' | 'malformed' | 'slow_reader'
