/** Counts of a job's allocations by what became of them. */
import type { Job } from '../objects/job.ts'
import { toJobKey } from './rows.ts'
import type { View } from './state.ts'

interface GroupSummary {
  Queued: number
  Complete: number
  Failed: number
  Running: number
  Starting: number
  Lost: number
  Unknown: number
}

export interface JobSummary {
  JobID: string
  Namespace: string
  Summary: Record<string, GroupSummary>
  Children: { Pending: number; Running: number; Dead: number }
  CreateIndex: number
  ModifyIndex: number
}

const COLUMNS = {
  pending: 'Starting',
  running: 'Running',
  complete: 'Complete',
  failed: 'Failed',
  lost: 'Lost',
  unknown: 'Unknown',
} as const

/** Allocations of an earlier job with the same id are left out. */
export function summarizeJob(view: View, job: Job): JobSummary {
  const relations = view.indexes.ofJob(toJobKey(job))
  const Summary: Record<string, GroupSummary> = {}
  for (const group of job.TaskGroups) {
    const Queued = job.Stop ? 0 : (relations.queued?.byGroup[group.Name] ?? 0)
    const none = { Complete: 0, Failed: 0, Running: 0, Starting: 0, Lost: 0, Unknown: 0 }
    Summary[group.Name] = { Queued, ...none }
  }
  for (const id of relations.allocations) {
    const allocation = view.tables.allocation.get(id)
    const row = allocation && Summary[allocation.TaskGroup]
    if (row === undefined || allocation?.Job.CreateIndex !== job.CreateIndex) continue
    row[COLUMNS[allocation.ClientStatus]]++
  }
  return {
    JobID: job.ID,
    Namespace: job.Namespace,
    Summary,
    Children: { Pending: 0, Running: 0, Dead: 0 },
    CreateIndex: job.CreateIndex,
    ModifyIndex: Math.max(relations.summaryIndex, job.CreateIndex),
  }
}
