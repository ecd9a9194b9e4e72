/**
 * Who drains a node, why and since when, kept in Nomad beside the drain: what a controller that lost its
 * store, a person with `nomad node status`, and the commands for hook scripts all can read.
 *
 * A mark counts as long as the node is ineligible.
 */
import type { NomadNode } from '../nomad/index.ts'

export interface DrainMark {
  /** `controller`: may be taken back by it. `command`: a person's. `lifecycle`: the instance's own daemon. */
  by: 'controller' | 'command' | 'lifecycle'
  reason: string
  sinceMs: number
}

/** What the daemon of an instance tells as the reason; the controller goes by it. */
export const TOLD = {
  leaves: 'the instance leaves its group',
  /** EC2 has given notice: what runs there ends within two minutes. */
  interrupted: 'EC2 takes the machine back',
  /** A hint, which may come to nothing: the controller gives the node back where no other one stands by. */
  atRisk: 'EC2 recommends to replace the machine',
} as const

const KEYS = { by: 'caravan_by', reason: 'caravan_reason', since: 'caravan_since' } as const

/** For the `Meta` of a drain. */
export function toDrainMeta({ by, reason, sinceMs }: DrainMark): Record<string, string> {
  return {
    [KEYS.by]: by,
    [KEYS.reason]: reason,
    [KEYS.since]: new Date(sinceMs).toISOString(),
  }
}

export function readDrainMark(
  node: Pick<NomadNode, 'LastDrain' | 'SchedulingEligibility'>,
): DrainMark | null {
  return node.SchedulingEligibility === 'eligible' ? null : lastDrainMark(node)
}

/** The mark of the last drain, also when the node is eligible again. */
export function lastDrainMark({ LastDrain }: Pick<NomadNode, 'LastDrain'>): DrainMark | null {
  const meta = LastDrain?.Meta
  if (LastDrain?.Status === 'canceled') return null
  const by = meta?.[KEYS.by]
  if (by !== 'controller' && by !== 'command' && by !== 'lifecycle') return null
  const sinceMs = Date.parse(meta?.[KEYS.since] ?? '')
  return {
    by,
    reason: meta?.[KEYS.reason] ?? '',
    sinceMs: Number.isFinite(sinceMs) ? sinceMs : 0,
  }
}
