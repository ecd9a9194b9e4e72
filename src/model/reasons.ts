/**
 * Why a slice ended as it did: a closed list.
 *
 * Dashboards, retry rules and exit codes hang on these names. Think twice before adding one and never
 * change the meaning of an existing one. `infrastructure` reasons are not the user's fault and may be
 * tried again on another node; a user's failure never is.
 */
import type { Result } from './states.ts'

interface ReasonEntry {
  /** Shown to people; `{detail}` style data stands beside it, not in it. */
  readonly sentence: string
  readonly result: Result
  /** Exit code of `caravan run`. */
  readonly exitCode: 0 | 1 | 3
  /** Whether a new attempt is made (in the bound of `limits.infrastructure_retries`). */
  readonly retried: boolean
}

const entry = (sentence: string, result: Result, retried = false): ReasonEntry => ({
  sentence,
  result,
  retried,
  exitCode: result === 'succeeded' ? 0 : result === 'infrastructure_failed' ? 3 : 1,
})

export const REASONS = {
  succeeded: entry('Every step succeeded.', 'succeeded'),
  halted: entry('A step ended the job early, as a success.', 'succeeded'),
  exit_code: entry('A step ended with a non-zero exit code.', 'failed'),
  signal: entry('A step was ended by a signal.', 'failed'),
  oom: entry('A step used more memory than its resource class has.', 'failed'),
  disk_full: entry('The disk of the allocation is full.', 'failed'),
  checkout: entry('The source could not be checked out.', 'failed'),
  image_pull: entry('An image could not be pulled.', 'failed'),
  config_error: entry('The configuration of the job cannot be run.', 'failed'),
  no_output: entry('A step wrote nothing for longer than its no_output_timeout.', 'timed_out'),
  max_run_time: entry('The job ran longer than it may.', 'timed_out'),
  canceled_by_user: entry('A person canceled the build.', 'canceled'),
  superseded: entry('A newer build of the same branch took its place.', 'canceled'),
  stopped_by_operator: entry('An operator stopped the Nomad job or allocation.', 'canceled'),
  start_timeout: entry(
    'The allocation was placed, but no agent reported in time.',
    'infrastructure_failed',
    true,
  ),
  no_placement: entry('No node of the cluster can ever hold this slice.', 'infrastructure_failed'),
  cluster_rejected: entry('Nomad refused the job.', 'infrastructure_failed'),
  node_lost: entry('The node was lost.', 'infrastructure_failed', true),
  preempted: entry(
    'Nomad gave the place to a job of higher priority.',
    'infrastructure_failed',
    true,
  ),
  drained: entry('The node was drained before the slice was done.', 'infrastructure_failed', true),
  agent_lost: entry('The agent stopped reporting.', 'infrastructure_failed', true),
  executor_lost: entry(
    'What runs the steps was lost, such as the Docker Engine or the registry of an image.',
    'infrastructure_failed',
    true,
  ),
  agent_crashed: entry('The agent ended without a report.', 'infrastructure_failed', true),
  vanished: entry('The Nomad job is gone and left no report.', 'infrastructure_failed', true),
} as const satisfies Record<string, ReasonEntry>

export type Reason = keyof typeof REASONS

export const REASON_NAMES = Object.keys(REASONS) as [Reason, ...Reason[]]
