/** What can be done to an allocation. */
import { createEvaluation } from '../objects/evaluation.ts'
import { toNanoseconds } from '../objects/values.ts'
import { jobKeyOf } from '../state/rows.ts'
import type { Core } from './jobs.ts'
import { Refusal } from './refusal.ts'

/**
 * Stops one allocation. Its place is filled anew, by its reschedule policy when `reschedule` is set.
 *
 * @throws Refusal when there is no such allocation.
 */
export function stopAllocation(
  core: Core,
  id: string,
  options: { reschedule: boolean; noShutdownDelay: boolean },
): { evaluationId: string; index: number } {
  const { state, clock, random } = core
  const allocation = state.tables.allocation.get(id)
  if (allocation === undefined) throw new Refusal(404, 'allocation not found')
  const context = { nowMs: clock.now(), random }
  const evaluation = createEvaluation(allocation.Job, 'alloc-stop', context, {
    JobModifyIndex: state.tables.job.get(jobKeyOf(allocation))?.ModifyIndex ?? 0,
  })
  const DesiredTransition = {
    ...allocation.DesiredTransition,
    Migrate: true,
    Reschedule: options.reschedule,
    NoShutdownDelay: options.noShutdownDelay,
  }
  const ModifyTime = toNanoseconds(clock.now())
  const index = state.commit('AllocationUpdateDesiredStatus', [
    { table: 'allocation', key: id, patch: { DesiredTransition, ModifyTime } },
    { table: 'evaluation', key: evaluation.ID, put: evaluation },
  ])
  return { evaluationId: evaluation.ID, index }
}
