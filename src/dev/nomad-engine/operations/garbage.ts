/** Forgets what is over. */
import { isClientTerminal } from '../objects/allocation.ts'
import type { Evaluation } from '../objects/evaluation.ts'
import { fromNanoseconds } from '../objects/values.ts'
import { jobKeyOf, toSubmissionKey } from '../state/rows.ts'
import type { Write } from '../state/rows.ts'
import type { View } from '../state/state.ts'

/** Ages after which Nomad forgets, by default. */
export const GC_AGES = { jobMs: 4 * 3_600_000, evaluationMs: 3_600_000, nodeMs: 24 * 3_600_000 }

/** As `nomad system gc` asks for it: everything that is over, whatever its age. */
export const GC_FORCED: typeof GC_AGES = { jobMs: 0, evaluationMs: 0, nodeMs: 0 }

export interface Garbage {
  /** Dead jobs, with their evaluations, allocations and texts. */
  jobs: Write[]
  /** Evaluations and allocations whose job is gone already. */
  orphans: Write[]
  /** Nodes that are down, with nothing on them. */
  nodes: Write[]
}

/** Pure. A job goes when all of it is over and old enough. */
export function findGarbage(view: View, ages: typeof GC_AGES, nowMs: number): Garbage {
  const { job, evaluation, allocation, node } = view.tables
  const garbage: Garbage = { jobs: [], orphans: [], nodes: [] }
  for (const [key, row] of job.rows) {
    const isOver = row.Status === 'dead' && isAllOver(view, key, nowMs - ages.jobMs)
    const isOld = fromNanoseconds(row.SubmitTime) <= nowMs - ages.jobMs
    if (isOver && isOld) garbage.jobs.push(...dropJob(view, key))
  }
  const since = nowMs - ages.evaluationMs
  for (const [key, row] of evaluation.rows) {
    const isOrphan = job.get(jobKeyOf(row)) === undefined
    if (isOrphan && isOverAt(row, since)) {
      garbage.orphans.push({ table: 'evaluation', key, drop: true })
    }
  }
  for (const [key, row] of allocation.rows) {
    const isOrphan = job.get(jobKeyOf(row))?.CreateIndex !== row.Job.CreateIndex
    const isOver = isClientTerminal(row) && fromNanoseconds(row.ModifyTime) <= since
    if (isOrphan && isOver) garbage.orphans.push({ table: 'allocation', key, drop: true })
  }
  for (const [key, row] of node.rows) {
    const isOld = row.StatusUpdatedAt * 1000 <= nowMs - ages.nodeMs
    const isEmpty = view.indexes.ofNode(key).allocations.size === 0
    if (row.Status === 'down' && isOld && isEmpty) {
      garbage.nodes.push({ table: 'node', key, drop: true })
    }
  }
  return garbage
}

function isAllOver(view: View, jobKey: string, since: number): boolean {
  const { evaluations, allocations } = view.indexes.ofJob(jobKey)
  for (const id of evaluations) {
    const row = view.tables.evaluation.get(id)
    if (row && !isOverAt(row, since)) return false
  }
  for (const id of allocations) {
    const row = view.tables.allocation.get(id)
    if (row && !(isClientTerminal(row) && fromNanoseconds(row.ModifyTime) <= since)) return false
  }
  return true
}

function isOverAt(row: Evaluation, since: number): boolean {
  const isOpen = row.Status === 'pending' || row.Status === 'blocked'
  return !isOpen && fromNanoseconds(row.ModifyTime) <= since
}

function dropJob(view: View, key: string): Write[] {
  const { evaluations, allocations } = view.indexes.ofJob(key)
  const texts = [...view.tables.submission.startingWith(`${key}\0`)]
  return [
    { table: 'job', key, drop: true },
    ...[...evaluations].map((id) => ({
      table: 'evaluation' as const,
      key: id,
      drop: true as const,
    })),
    ...[...allocations].map((id) => ({
      table: 'allocation' as const,
      key: id,
      drop: true as const,
    })),
    ...texts.map((row) => ({
      table: 'submission' as const,
      key: toSubmissionKey(key, row.Version),
      drop: true as const,
    })),
  ]
}
