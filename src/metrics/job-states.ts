/** How many jobs are in each state, as dashboards know the four of them. */
import type { GroupSummary, JobReading } from '../nomad/index.ts'

export interface JobCounts {
  pending: number
  running: number
  complete: number
  dead: number
}

export interface JobCountOptions {
  /**
   * `derived`: a dead job whose allocations all completed counts as complete. `literal`: only what Nomad
   * says, and no Nomad since 0.3 says complete.
   */
  states: 'derived' | 'literal'
  /** Leaves out what only makes other jobs: periodic and parameterized ones, which run for ever. */
  excludeParents: boolean
}

/** States of the summary that keep a dead job from having completed. */
const UNDONE = ['Queued', 'Starting', 'Running', 'Failed', 'Lost', 'Unknown'] as const

export function noJobs(): JobCounts {
  return { pending: 0, running: 0, complete: 0, dead: 0 }
}

/**
 * Adds a page of jobs to the counts.
 *
 * @param onUnknown told of a state that is none of the four, which is counted nowhere.
 * @throws Error when a number of a summary is none.
 */
export function countJobs(
  counts: JobCounts,
  jobs: readonly JobReading[],
  options: JobCountOptions,
  onUnknown: (status: string) => void,
): void {
  for (const job of jobs) {
    if (options.excludeParents && isParent(job)) continue
    const state = stateOf(job, options.states)
    if (state === null) onUnknown(job.Status)
    else counts[state] += 1
  }
}

function stateOf(job: JobReading, states: JobCountOptions['states']): keyof JobCounts | null {
  switch (job.Status) {
    case 'pending':
    case 'running':
    case 'complete':
      return job.Status
    case 'dead':
      return states === 'derived' && hasCompleted(job) ? 'complete' : 'dead'
    default:
      return null
  }
}

/** A job whose failed allocation was replaced by one that completed can not be told from a failed one. */
function hasCompleted({ Stop, JobSummary }: JobReading): boolean {
  const groups = Object.values(JobSummary?.Summary ?? {})
  if (Stop === true || groups.length === 0) return false
  const complete = sum(groups, 'Complete')
  return complete > 0 && UNDONE.every((state) => sum(groups, state) === 0)
}

function sum(groups: readonly GroupSummary[], state: keyof GroupSummary): number {
  let total = 0
  for (const group of groups) {
    const count: unknown = group[state] ?? 0
    if (typeof count !== 'number') throw new Error(`${state} of a job summary is no number`)
    total += count
  }
  return total
}

function isParent({ Periodic, ParameterizedJob, ParentID }: JobReading): boolean {
  return (Periodic === true || ParameterizedJob === true) && (ParentID ?? '') === ''
}
