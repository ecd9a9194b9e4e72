/** What a job's status must be, from its allocations and evaluations. */
import type { Job } from '../objects/job.ts'
import { jobKeyOf, toJobKey } from './rows.ts'
import type { RowChange, Write } from './rows.ts'
import type { View } from './state.ts'

/** Job statuses that no longer fit after these changes. */
export function deriveJobStatuses(view: View, changes: readonly RowChange[]): Write[] {
  const touched = new Set<string>()
  for (const { table, before, after } of changes) {
    const row = after ?? before
    if (row === undefined) continue
    if (table === 'job') touched.add(toJobKey(row as Job))
    else if (table === 'allocation' || table === 'evaluation') {
      touched.add(jobKeyOf(row as { Namespace: string; JobID: string }))
    }
  }
  const writes: Write[] = []
  for (const key of touched) {
    const job = view.tables.job.get(key)
    if (job === undefined) continue
    const Status = toJobStatus(view, job)
    if (Status !== job.Status) writes.push({ table: 'job', key, patch: { Status } })
  }
  return writes
}

/** `dead` says that nothing runs and nothing is planned, not that anything went well. */
export function toJobStatus(view: View, job: Job): Job['Status'] {
  const relations = view.indexes.ofJob(toJobKey(job))
  const runsEverywhere = job.Type === 'system' || job.Type === 'sysbatch'
  if (job.Type === 'system' && !job.Stop) return 'running'
  if (relations.live > 0) return 'running'
  if (relations.open > 0) return 'pending'
  if (job.Stop || runsEverywhere) return 'dead'
  return relations.evaluations.size > 0 ? 'dead' : 'pending'
}
