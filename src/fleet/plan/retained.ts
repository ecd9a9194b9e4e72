/**
 * Machines that their group retains: abandoned at the end of their hook with slices on them, billed, and no
 * part of the group's size. They are ended when nothing runs on them any more. Pure.
 */
import { act, type Draft } from './draft.ts'
import { note } from './unit.ts'
import { drainForGood, proveUnitEmpty } from './waiting.ts'

/** A list that lags still shows a machine whose end was asked for. */
const END_SHOWS_MS = 60_000

export function endRetained(draft: Draft): void {
  const { policy, nowMs, byState, notes } = draft
  for (const unit of byState.retained) {
    const { id: instanceId } = unit
    const { endedMs, waitingSinceMs } = unit.memory
    // Of a controller before us, whose store is lost.
    if (waitingSinceMs === null) note(unit, { waitingSinceMs: nowMs })
    if (endedMs !== null && nowMs - endedMs < END_SHOWS_MS) continue
    drainForGood(draft, unit)
    const { isEmpty, why } = proveUnitEmpty(draft, unit)
    notes.push(`${instanceId} is retained: ${why}`)
    // Kept for somebody who looks at it.
    if (unit.pinned !== null) notes.push(`${instanceId} is not ended: ${unit.pinned}`)
    if (!isEmpty || unit.pinned !== null) continue
    const { node } = unit.view
    const nodeId = node?.id ?? null
    const { name: pool, group } = policy
    act(draft, { kind: 'end_retained', pool, group, instanceId, nodeId }, why)
  }
}
