/**
 * Machines that cost money and serve nobody: kept by their group after an abandoned hook, or on their end, for
 * longer than that should take. They are told. Pure.
 */
import type { Draft } from './draft.ts'
import { isBusy, type Unit } from './unit.ts'
import { atTime, counted, lasting } from './words.ts'

/** It is ended when it is proven empty: a pin, or a proof that can not be had, is forgotten after an hour. */
const RETAINED_EMPTY_MS = 3_600_000
/** What runs there may take as long as a hook holds at most. */
const RETAINED_BUSY_MS = 48 * 3_600_000
/** EC2 ends machines within minutes; some take a quarter of an hour. */
const ENDING_MS = 30 * 60_000

export function watchAside(draft: Draft): void {
  const { policy, view } = draft
  if (policy.isSpot && view.group?.hasWarmPool) {
    const text = `pool ${policy.name} is said to be spot, and its group has a warm pool, which AWS gives to no spot instances`
    draft.alarms.push({ key: 'spot warm pool', text, about: policy.group })
  }
  const { retained, terminating, interrupted } = draft.byState
  for (const unit of retained) watchRetained(draft, unit)
  for (const unit of terminating) watchEnding(draft, unit)
  if (interrupted.length > 0) {
    draft.notes.push(`EC2 takes back ${interrupted.map(({ id }) => id).join(', ')}`)
  }
  const [first] = draft.hooks.toSorted((a, b) => a.capAtMs - b.capAtMs)
  if (first !== undefined) {
    const open = counted(draft.hooks.length, 'open hook')
    draft.notes.push(`${open}; ${first.instanceId} can be held until ${atTime(first.capAtMs)}`)
  }
}

function watchRetained({ alarms, nowMs }: Draft, { id, view, memory }: Unit): void {
  const sinceMs = nowMs - memory.stateSinceMs
  const isEmpty = !isBusy(view)
  if (sinceMs < (isEmpty ? RETAINED_EMPTY_MS : RETAINED_BUSY_MS)) return
  const runs = isEmpty ? 'nothing runs on it' : `${view.live.length} allocations run on it`
  const end = `aws autoscaling terminate-instance-in-auto-scaling-group --instance-id ${id}`
  const text = `its group has retained ${id} for ${lasting(sinceMs)}, and ${runs}; it costs money until it is ended: ${end}`
  alarms.push({ key: `retained ${id}`, text, about: id })
}

function watchEnding({ alarms, nowMs }: Draft, { id, view, memory }: Unit): void {
  const sinceMs = nowMs - memory.stateSinceMs
  if (sinceMs < ENDING_MS) return
  const text = `${id} has been ${view.member.lifecycle} for ${lasting(sinceMs)}: EC2 does not let it go, look at its termination protection`
  alarms.push({ key: `ending ${id}`, text, about: id })
}
