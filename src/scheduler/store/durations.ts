/** How long slices of a job ran, from the store. */
import type { BuildRow } from './tables.ts'
import type { Reader } from './index.ts'

/** Names a job over all branches. */
export type JobName = Pick<BuildRow, 'org' | 'repo' | 'job'>

/** Older ones say little of what the job is today. */
const BUILDS_MAX = 20

/** Ends that tell how long the commands took; who was canceled or lost a node was cut short. */
const WHOLE_RUNS = ['succeeded', 'failed', 'timed_out'] as const

/** Milliseconds, of the newest builds of the job that are over; no more than `limit`. Both looks are by an index. */
export async function readDurations(
  reader: Reader,
  { org, repo, job }: JobName,
  limit: number,
): Promise<number[]> {
  const builds = await reader
    .selectFrom('builds')
    .select('id')
    .where('org', '=', org)
    .where('repo', '=', repo)
    .where('job', '=', job)
    .where('finished_ms', 'is not', null)
    .orderBy('number', 'desc')
    .limit(BUILDS_MAX)
    .execute()
  if (builds.length === 0) return []
  const ids = builds.map(({ id }) => id)
  const slices = await reader
    .selectFrom('slices')
    .select(['started_ms', 'finished_ms'])
    .where('build_id', 'in', ids)
    .where('state', 'in', WHOLE_RUNS)
    // Ids sort by age.
    .orderBy('build_id', 'desc')
    .orderBy('slice_index')
    .limit(limit)
    .execute()
  return slices.flatMap(({ started_ms, finished_ms }) =>
    started_ms === null || finished_ms === null ? [] : [Math.max(0, finished_ms - started_ms)],
  )
}
