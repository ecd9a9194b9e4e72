/** The drain without which nothing can be proven of a node. Pure. */
import { act, type Draft } from './draft.ts'
import { lacksDrain } from './proof.ts'
import type { NodeView } from './view.ts'

/**
 * Asks for it, of a machine that is to go.
 *
 * @returns whether it is over, or there is nothing that could be drained: no node, or one that is down.
 */
export function isDrainedFirst(
  draft: Draft,
  { instanceId, node }: { instanceId: string; node: NodeView | null },
  reason: string,
): boolean {
  if (node === null || node.status === 'down' || node.isDrained) return true
  if (node.isEligible || lacksDrain(node)) {
    const { name: pool } = draft.policy
    act(draft, { kind: 'drain', pool, instanceId, nodeId: node.id, reason }, reason)
  }
  return false
}
