/**
 * The rows of the store.
 *
 * Columns are what SQLite and PostgreSQL both have: texts, integers, and JSON kept as text. Times are
 * wall-clock milliseconds since 1970 by the scheduler's clock; durations are never computed from them.
 */
import type {
  BuildId,
  BuildState,
  NomadJobId,
  Reason,
  Role,
  SliceState,
  StepState,
} from '../../model/index.ts'

export interface Tables {
  installation: InstallationRow
  builds: BuildTable
  slices: SliceRow
  attempts: AttemptRow
  earlier_attempts: EarlierAttemptRow
  steps: StepRow
  notices: NoticeRow
  tokens: TokenRow
}

/** One row. */
export interface InstallationRow {
  id: 1
  /** Tells our Nomad jobs from those of another installation on the same cluster. */
  install_id: string
  created_ms: number
  /** Builds are numbered from 1 in the order they were stored. */
  last_build_number: number
  /** How often the store was opened to be written. Who finds another one than its own is not alone. */
  generation: number
  /** When a backup took the place of everything, until Nomad's newer jobs are settled. */
  restored_ms: number | null
}

/** A build without its large texts. */
export interface BuildRow {
  id: BuildId
  number: number
  org: string
  repo: string
  branch: string
  sha: string
  job: string
  parallelism: number
  resource_class: string
  priority: number
  state: BuildState
  reason: Reason | null
  created_ms: number
  /** When the first slice left the queue. */
  started_ms: number | null
  finished_ms: number | null
  /** Number of the build that it runs again. */
  rerun_of: number | null
}

export interface BuildTable extends BuildRow {
  /** JSON of a JobSpec. */
  spec: string
  /** JSON of a Source. */
  source: string
  /** JSON list of texts. */
  warnings: string
}

/** The narrow, hot table: one row for each slice, at its current epoch. */
export interface SliceRow {
  build_id: BuildId
  slice_index: number
  state: SliceState
  /** Grows with every change; together with the state it guards each update. */
  version: number
  epoch: number
  /** How many of its epochs were begun because the infrastructure failed. */
  retries: number
  /** The epoch is not submitted before; null when nothing has to be waited for. */
  due_ms: number | null
  nomad_job_id: NomadJobId
  /** 1 from the intent to register until Nomad is known to run nothing of the job any more. */
  job_open: 0 | 1
  spec_hash: string | null
  job_modify_index: number | null
  /** The first allocation that Nomad made for the epoch; another one is never accepted. */
  allocation_id: string | null
  node_id: string | null
  node_name: string | null
  /** Why the agent is asked to stop, before the slice has its result. */
  cancel_reason: Reason | null
  reason: Reason | null
  /** One sentence on how it ended. */
  detail: string
  queued_ms: number
  submitted_ms: number | null
  placed_ms: number | null
  claimed_ms: number | null
  /** When the agent accepted. */
  started_ms: number | null
  finished_ms: number | null
}

/** What the agent of one epoch proved and told. */
export interface AttemptRow {
  build_id: BuildId
  slice_index: number
  epoch: number
  claim_id: string
  /** Hex SHA-256 of the session token. */
  session_hash: string
  agent_version: string
  allocation_id: string
  claimed_ms: number
  /** Sequence number of the last event applied. */
  events_applied: number
  /** How the agent says the slice ended; its result stands only when the output is in. */
  reported_reason: Reason | null
  reported_detail: string
}

/** How one epoch of a slice ended that another epoch has followed. */
export interface EarlierAttemptRow extends Pick<
  SliceRow,
  | 'build_id'
  | 'slice_index'
  | 'epoch'
  | 'nomad_job_id'
  | 'job_open'
  | 'job_modify_index'
  | 'allocation_id'
  | 'node_id'
  | 'node_name'
  | 'detail'
  | 'queued_ms'
  | 'submitted_ms'
  | 'placed_ms'
  | 'claimed_ms'
  | 'started_ms'
> {
  reason: Reason
  finished_ms: number
}

export interface StepRow {
  build_id: BuildId
  slice_index: number
  epoch: number
  step_index: number
  attempt: number
  state: StepState
  shell: string | null
  exit_code: number | null
  signal: string | null
  reason: Reason | null
  started_ms: number | null
  finished_ms: number | null
  /** Measured by the agent. */
  duration_ms: number | null
  /** As the agent tells them when the step is over. */
  output_length: number | null
  output_sha256: string | null
  output_dropped: number
  /** Whether all of it arrived; null while that is open. */
  output_state: 'complete' | 'incomplete' | null
}

export interface NoticeRow {
  build_id: BuildId
  slice_index: number
  epoch: number
  /** Counts from 1 in each epoch. */
  number: number
  step_index: number | null
  at_ms: number
  text: string
}

/** A token of the API. A revoked one has no row. */
export interface TokenRow {
  /** Names it; tells nothing of it. */
  id: string
  name: string
  role: Role
  /** Hex SHA-256 of the token. */
  hash: string
  created_ms: number
  expires_ms: number | null
  /** Coarse: not every use is written down. */
  used_ms: number | null
}
