/**
 * Who drains a node, why and since when, kept in Nomad beside the drain: what a controller that lost its
 * store, a person with `nomad node status`, and the commands for hook scripts all can read.
 *
 * A mark counts as long as the node is ineligible by that drain.
 */
import type { NomadNode } from '../nomad/index.ts'

export interface DrainMark {
  /** `controller`: may be taken back by it. `command`: a person's. `lifecycle`: the instance's own daemon. */
  by: 'controller' | 'command' | 'lifecycle'
  reason: string
  sinceMs: number
  /** Somebody else had taken the node out before: it stays out when the drain is taken back. */
  wasOut?: boolean
}

/** What the daemon of an instance tells as the reason; the controller goes by it. */
export const TOLD = {
  leaves: 'the instance leaves its group',
  /** EC2 has given notice: what runs there ends within two minutes. */
  interrupted: 'EC2 takes the machine back',
  /** A hint, which may come to nothing: the controller gives the node back where no other one stands by. */
  atRisk: 'EC2 recommends to replace the machine',
} as const

const KEYS = {
  by: 'caravan_by',
  reason: 'caravan_reason',
  since: 'caravan_since',
  wasOut: 'caravan_was_out',
} as const

/** For the `Meta` of a drain. */
export function toDrainMeta({ by, reason, sinceMs, wasOut }: DrainMark): Record<string, string> {
  return {
    [KEYS.by]: by,
    [KEYS.reason]: reason,
    [KEYS.since]: new Date(sinceMs).toISOString(),
    ...(wasOut === true ? { [KEYS.wasOut]: 'true' } : {}),
  }
}

export function readDrainMark(
  node: Pick<NomadNode, 'LastDrain' | 'SchedulingEligibility' | 'Events'>,
): DrainMark | null {
  const isOut = node.SchedulingEligibility === 'ineligible'
  return isOut && !isTakenOutSince(node) ? lastDrainMark(node) : null
}

/**
 * Whether somebody has taken the node out after that drain, which had been taken back then: Nomad keeps the
 * mark of a drain that is complete. By the order of events, since a drain's time has whole seconds only.
 */
function isTakenOutSince({ Events }: Pick<NomadNode, 'Events'>): boolean {
  const last = Events?.findLast(
    ({ Message, Subsystem }) => Message === MARKED_OUT || Subsystem === 'Drain',
  )
  return last?.Message === MARKED_OUT
}

const MARKED_OUT = 'Node marked as ineligible for scheduling'

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
    ...(meta?.[KEYS.wasOut] === 'true' ? { wasOut: true } : {}),
  }
}
