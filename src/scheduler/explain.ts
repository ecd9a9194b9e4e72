/** Why Nomad has no place for a slice, in one sentence for people. */
import type { AllocationMetric, NomadEvaluation } from '../nomad/index.ts'

/**
 * @param evaluations of one job, in any order.
 * @returns null when none of them tells of a failed placement.
 */
export function explainEvaluations(evaluations: readonly NomadEvaluation[]): string | null {
  const newestFirst = [...evaluations].sort((a, b) => b.ModifyIndex - a.ModifyIndex)
  for (const evaluation of newestFirst) {
    const metric = Object.values(evaluation.FailedTGAllocs ?? {})[0]
    if (metric !== undefined) return explainPlacement(metric)
  }
  return null
}

/**
 * Whether Nomad gave up on placing the job: its last evaluation failed, and the one that follows up on it
 * comes minutes later.
 */
export function isGivenUp(evaluations: readonly NomadEvaluation[]): boolean {
  const own = evaluations.filter((each) => each.TriggeredBy !== 'failed-follow-up')
  if (own.some(({ Status }) => Status === 'pending' || Status === 'blocked')) return false
  const [newest] = own.sort((a, b) => b.CreateIndex - a.CreateIndex)
  return newest?.Status === 'failed'
}

/** `waits for capacity: memory exhausted on 3 nodes`. */
export function explainPlacement(metric: AllocationMetric): string {
  const exhausted = counted(metric.DimensionExhausted).map(
    ([dimension, count]) => `${dimension} exhausted on ${nodes(count)}`,
  )
  // A filtered class only repeats, less exactly, which constraint filtered it.
  const constraints = counted(metric.ConstraintFiltered).map(
    ([constraint, count]) => `${nodes(count)} fail${count === 1 ? 's' : ''} "${constraint}"`,
  )
  const classes = counted(metric.ClassFiltered).map(
    ([name, count]) => `${nodes(count)} of class ${name} ruled out`,
  )
  const filtered = constraints.length > 0 ? constraints : classes
  if (exhausted.length > 0) return `waits for capacity: ${[...exhausted, ...filtered].join(', ')}`
  if (filtered.length > 0) return `waits for a fitting node: ${filtered.join(', ')}`
  if (metric.NodesExhausted > 0) {
    return `waits for capacity: ${nodes(metric.NodesExhausted)} ${metric.NodesExhausted === 1 ? 'is' : 'are'} full`
  }
  return 'waits for a node: none of the cluster takes work'
}

/** Most first. */
function counted(counts: Record<string, number> | null | undefined): [string, number][] {
  return Object.entries(counts ?? {}).sort(([, a], [, b]) => b - a)
}

function nodes(count: number): string {
  return count === 1 ? '1 node' : `${count} nodes`
}
