/** Draining a node for somebody, and giving it back. */
import type { Drain, NomadClient, NomadNode } from '../../nomad/index.ts'

type DrainCalls = Pick<NomadClient, 'drainNode'>

export interface DrainWish {
  /** What Nomad may end when the time is over; null lets everything run to its end. */
  stopAfterMs: number | null
  /** Leaves allocations of system jobs alone. */
  ignoreSystemJobs: boolean
  /** For people who look at the node: who drained it, and why. */
  by: string
  reason: string
}

/** Kept in the node's last drain, for whoever looks and for us after a restart. */
const BY = 'drained_by'
const REASON = 'drain_reason'

/** To Nomad it is at once; less than that would be no deadline at all. */
export const AT_ONCE_MS = 1

/** Whether the node is drained already the way that is wished: then another call would change its times. */
export function isDrained(node: NomadNode, { stopAfterMs }: DrainWish): boolean {
  if (node.SchedulingEligibility !== 'ineligible') return false
  if (node.DrainStrategy) return stopAfterMs === null && node.DrainStrategy.Deadline >= 0
  return stopAfterMs === null && node.LastDrain?.Status === 'complete'
}

export async function drain(nomad: DrainCalls, nodeId: string, wish: DrainWish): Promise<void> {
  const { stopAfterMs: deadlineMs, ignoreSystemJobs, by, reason } = wish
  const asked: Drain = { deadlineMs, ignoreSystemJobs }
  await nomad.drainNode(nodeId, asked, { meta: { [BY]: by, [REASON]: reason } })
}

/** @param markEligible whether it takes work again. */
export async function undrain(
  nomad: DrainCalls,
  nodeId: string,
  { markEligible, by }: { markEligible: boolean; by: string },
): Promise<void> {
  await nomad.drainNode(nodeId, null, { markEligible, meta: { [BY]: by } })
}

/** Who drained it last; null for one that takes work, or when nobody said. */
export function drainedBy(node: NomadNode): string | null {
  if (node.SchedulingEligibility === 'eligible') return null
  return node.LastDrain?.Meta?.[BY] ?? null
}

/** When the drain that is under way, or that left the node ineligible, was begun; null when nobody knows. */
export function drainedSinceMs(node: NomadNode): number | null {
  if (node.SchedulingEligibility === 'eligible') return null
  const ms = Date.parse(node.LastDrain?.StartedAt ?? '')
  return Number.isNaN(ms) ? null : ms
}
