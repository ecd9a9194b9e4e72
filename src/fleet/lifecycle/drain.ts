/** Draining a node for somebody, and giving it back. */
import type { NomadClient, NomadNode } from '../../nomad/index.ts'
import { toDrainMeta, type DrainMark } from '../drain-mark.ts'

type DrainCalls = Pick<NomadClient, 'drainNode'>

export interface DrainWish {
  /** What Nomad may end when the time is over; null lets everything run to its end. */
  stopAfterMs: number | null
  /** Leaves allocations of system jobs alone. */
  ignoreSystemJobs: boolean
  mark: DrainMark
}

/** To Nomad it is at once; less than that would be no deadline at all. */
export const AT_ONCE_MS = 1

/**
 * Whether another call would change nothing but its times. A deadline that somebody else gave is lifted
 * by a wish without one: `nomad node drain` gives an hour to whoever says nothing, and ends builds then.
 */
export function isDrained(
  node: NomadNode,
  { stopAfterMs }: Pick<DrainWish, 'stopAfterMs'>,
): boolean {
  if (node.SchedulingEligibility !== 'ineligible' || stopAfterMs !== null) return false
  if (node.DrainStrategy) return node.DrainStrategy.Deadline <= 0
  return node.LastDrain?.Status === 'complete'
}

export async function drain(nomad: DrainCalls, nodeId: string, wish: DrainWish): Promise<void> {
  const { stopAfterMs: deadlineMs, ignoreSystemJobs, mark } = wish
  await nomad.drainNode(nodeId, { deadlineMs, ignoreSystemJobs }, { meta: toDrainMeta(mark) })
}

export async function undrain(
  nomad: DrainCalls,
  nodeId: string,
  { markEligible, mark }: { markEligible: boolean; mark: DrainMark },
): Promise<void> {
  await nomad.drainNode(nodeId, null, { markEligible, meta: toDrainMeta(mark) })
}
