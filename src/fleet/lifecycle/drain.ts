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

/** After so long without anything to wait for, and again as long as there is nothing. */
export const RENEW_MS = 30_000

/** As good as none; whoever dies in between leaves a drain that ends nothing. */
const NO_END_MS = 100 * 86_400_000

/**
 * Lets Nomad look at a drain without a deadline once more. It does so when a batch or service job of the node
 * changes, and when the drain itself does: one whose last allocation was of a sysbatch job, or of a job that was
 * purged, stays open for ever. What was told of the drain stays.
 */
export async function renewDrain(
  nomad: Pick<NomadClient, 'readNode' | 'drainNode'>,
  nodeId: string,
  signal?: AbortSignal,
): Promise<void> {
  const options = signal === undefined ? {} : { signal }
  const node = await nomad.readNode(nodeId, options)
  const strategy = node?.DrainStrategy
  if (!strategy || strategy.Deadline !== 0) return
  const same = { ignoreSystemJobs: strategy.IgnoreSystemJobs }
  const told = { ...options, meta: node?.LastDrain?.Meta ?? {} }
  await nomad.drainNode(nodeId, { ...same, deadlineMs: NO_END_MS }, told)
  await nomad.drainNode(nodeId, { ...same, deadlineMs: null }, told)
}

export async function undrain(
  nomad: DrainCalls,
  nodeId: string,
  { markEligible, mark }: { markEligible: boolean; mark: DrainMark },
): Promise<void> {
  await nomad.drainNode(nodeId, null, { markEligible, meta: toDrainMeta(mark) })
}
