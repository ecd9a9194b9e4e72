/** The drain without which nothing can be proven of a node. Pure. */
import { act, type Draft } from './draft.ts'
import { note, type Unit } from './unit.ts'
import { RENEW_MS } from '../lifecycle/drain.ts'
import { lacksDrain } from '../proof.ts'
import type { NodeView } from '../view.ts'

/**
 * Asks for it, of a machine that is to go.
 *
 * @returns whether it is over, or there is nothing that could be drained.
 */
export function isDrainedFirst(
  draft: Draft,
  { instanceId, node }: { instanceId: string; node: NodeView | null },
  reason: string,
): boolean {
  if (node === null || node.isDrained) return true
  // Of one that is down no more is needed than that it takes nothing when it comes back.
  if (node.status === 'down' && !node.isEligible) return true
  if (node.isEligible || lacksDrain(node)) {
    const { name: pool } = draft.policy
    act(draft, { kind: 'drain', pool, instanceId, nodeId: node.id, reason }, reason)
  }
  return false
}

/** Where nothing is left that we can see, and Nomad calls the drain open: it may not have looked. */
export function renewDrainOf(draft: Draft, unit: Unit, reason: string): void {
  const { nowMs, policy } = draft
  const { id: instanceId, memory } = unit
  const { node, live } = unit.view
  if (node === null || node.status === 'down' || node.isEligible || !node.isDraining) return
  const askedMs = memory.drainedMs ?? memory.cordon?.seenMs ?? nowMs
  const emptyMs = memory.emptySinceMs ?? nowMs
  if (live.length > 0 || nowMs - Math.max(askedMs, emptyMs) < RENEW_MS) return
  note(unit, { drainedMs: nowMs })
  const intent = { kind: 'drain', pool: policy.name, instanceId, nodeId: node.id } as const
  act(draft, { ...intent, reason, isRenewal: true }, reason)
}
