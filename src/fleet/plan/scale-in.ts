/**
 * Fewer machines, and newer ones, in two steps: a cordon, which can be taken back, and the call that ends the
 * machine, which can not and comes only when the node is proven empty.
 *
 * Pure. A busy machine is never chosen to save money; for its age or image it is cordoned, and its slices end.
 */
import { Counts } from './counts.ts'
import { act, type Draft } from './draft.ts'
import type { VictimReason } from '../intents.ts'
import { noteFailure } from './launch-failures.ts'
import { abandonLaunch } from './launching.ts'
import { isDrainedFirst, renewDrainOf } from './drain-first.ts'
import { isBusy, note, type Unit } from './unit.ts'
import { doubtOf, SETTLE_MS } from '../proof.ts'
import type { Placement } from './scale-out.ts'
import { FOREIGN_HOLD_MS } from './sizes.ts'
import { chooseVictims, reasonText } from './victims.ts'

/** Older demand says nothing of what may go; twice the longest rest between two looks. */
export const DEMAND_FRESH_MS = 30_000

/** Machines that never came are ended this many at a time: the fault is mostly elsewhere. */
const MISSING_AT_ONCE = 3

export function scaleIn(draft: Draft, placement: Placement): void {
  const blocked = blockedBy(draft)
  if (blocked !== null) draft.notes.push(`nothing is taken away: ${blocked}`)
  const counts = new Counts(draft, placement)
  for (const unit of draft.byState.cordoned) settle(draft, placement, counts, unit, blocked)
  if (blocked !== null) return
  for (const unit of draft.byState.interrupted) replaceEarly(draft, counts, unit)
  replaceMissing(draft, counts)
  chooseVictims(draft, placement, counts)
}

/** What has to be so before anything may go; the first thing that is not. */
function blockedBy({ view, memory, nowMs }: Draft): string | null {
  const { group, hooks, demand } = view
  if (group === null) return 'the group is not there'
  if (group.status !== null) return `the group has the status ${group.status}`
  if (group.suspended.includes('Terminate')) return 'terminating is suspended in the group'
  if (view.isRefreshing === null) return 'whether the instances are being refreshed is not known'
  if (view.isRefreshing) return 'a refresh of the instances is under way'
  if (hooks === null) return 'the hooks of the group are not known yet'
  if (!hooks.some(({ transition }) => transition === 'terminating')) {
    return 'the group has no hook for terminating instances'
  }
  if (!view.isNomadKnown) return 'Nomad does not answer'
  if (demand === null) return 'the scheduler has not told what waits'
  if (nowMs - demand.atMs > DEMAND_FRESH_MS) return 'what the scheduler told is too old'
  if (memory.foreignMs !== null && nowMs - memory.foreignMs < FOREIGN_HOLD_MS) {
    return 'somebody else has just changed the size'
  }
  return null
}

/** Back, on, or still waiting: a cordon ends in one of the first two. */
function settle(
  draft: Draft,
  placement: Placement,
  counts: Counts,
  unit: Unit,
  blocked: string | null,
): void {
  const { cordon } = unit.memory
  const { node } = unit.view
  if (cordon === null || node === null) return
  const back = returnReason(draft, placement, counts, unit, blocked)
  if (back !== null) {
    counts.going -= 1
    const intent = { kind: 'uncordon', pool: draft.policy.name, instanceId: unit.id } as const
    act(draft, { ...intent, nodeId: node.id, reason: back }, back)
    return
  }
  const doubt = doubtOf(node, unit.view.live.length)
  if (doubt?.kind === 'not drained') {
    draft.notes.push(`${unit.id} is cordoned: ${doubt.text}`)
    renewDrainOf(draft, unit, cordon.reason)
  }
  const isProven =
    !isBusy(unit.view) &&
    doubt === null &&
    cordon.seenMs !== null &&
    draft.view.startedMs >= cordon.seenMs + SETTLE_MS
  if (isProven) commit(draft, counts, unit, cordon.reason)
}

function returnReason(
  draft: Draft,
  placement: Placement,
  counts: Counts,
  unit: Unit,
  blocked: string | null,
): string | null {
  const { cordon } = unit.memory
  if (unit.pinned !== null) return unit.pinned
  if (blocked !== null) return blocked
  // Its daemon did not ask whether it can be spared: that is looked at once, when it shows.
  if (cordon?.reason === 'at_risk' && cordon.seenMs === draft.nowMs) {
    if (placement.taken.has(unit.id)) return 'slices wait for it'
    if (counts.going > counts.budget) return `the budget is ${counts.budget} at once`
    return placement.spare > 0 ? null : 'no other machine stands in for it'
  }
  if (cordon?.reason !== 'idle') return counts.failing
  if (placement.taken.has(unit.id)) return 'slices wait for it'
  if (unit.view.live.length > 0) return 'a slice came before the cordon'
  return counts.size - 1 < counts.keep ? `the pool keeps ${counts.keep}` : null
}

function commit(draft: Draft, counts: Counts, unit: Unit, reason: VictimReason): void {
  const { group } = draft.view
  if (group === null) return
  // What is wanted in its place is launched by the group itself.
  const decrement = counts.size > counts.keep
  if (decrement) counts.size -= 1
  note(unit, { committedMs: draft.nowMs, isDecremented: decrement })
  const { name: pool } = draft.policy
  const nodeId = unit.view.node?.id ?? null
  const about = { pool, group: group.name, instanceId: unit.id, nodeId }
  act(
    draft,
    { kind: 'terminate', ...about, decrement, sizeAfter: counts.size, reason },
    `${reasonText(draft, unit, reason)}${decrement ? '' : '; another one comes in its place'}`,
  )
}

/**
 * EC2 ends it in any case. Once nothing runs on it any more, another one begins to boot now, and not when it
 * is gone. A group that rebalances itself has done so.
 */
function replaceEarly(draft: Draft, counts: Counts, unit: Unit): void {
  const { node, live } = unit.view
  const isSure = draft.view.startedMs >= unit.memory.stateSinceMs + SETTLE_MS
  if (unit.pinned !== null || isBusy(unit.view) || !isSure) return
  if (node === null || doubtOf(node, live.length) !== null) return
  if (draft.view.group?.rebalances === false) commit(draft, counts, unit, 'interrupted')
}

/** A client that restarts is back within a minute or two. */
const UNFIT_MS = 10 * 60_000
/** More of the pool than this does not fail on the same day by itself: a person should look first. */
const UNFIT_SHARE = 0.25

/**
 * Nodes of machines that died stay in the list for a day. One without any node of the pool is rather that of
 * servers that have lost what they knew; the machines, and what runs on them, are as they were.
 */
function hasNodes({ units }: Draft): boolean {
  return units.some(({ view: { node } }) => node !== null)
}

/** Machines without a living node hold no slice: there is nothing to cordon. */
function replaceMissing(draft: Draft, counts: Counts): void {
  const { units, byState, memory, nowMs, policy, view } = draft
  const missing = byState.missing.filter(({ pinned }) => pinned === null)
  const silent = byState.unfit.filter(
    (unit) =>
      unit.pinned === null &&
      !isBusy(unit.view) &&
      nowMs - (unit.memory.unfitSinceMs ?? nowMs) >= UNFIT_MS,
  )
  if (missing.length + silent.length === 0) return
  const alarm = (key: string, text: string) => {
    draft.notes.push(text)
    draft.alarms.push({ key, text, about: policy.name })
  }
  const unfit = silent.filter((unit) => unit.view.node !== null || hasNodes(draft))
  if (unfit.length < silent.length) {
    const text = `Nomad lists no node of ${silent.length} machines, nor of any other`
    alarm('no nodes', `${text}: that is no proof that nothing runs on them`)
  }
  if (view.unmatched > 0) {
    const text = `${missing.length + unfit.length} machines have no living node, and ${view.unmatched} nodes no machine`
    return alarm('unmatched', `${text}: none is ended before it is known whose they are`)
  }
  if (unfit.length > Math.max(2, units.length * UNFIT_SHARE)) {
    return alarm(
      'many unfit',
      `${unfit.length} of ${units.length} nodes are not ready: none is ended`,
    )
  }
  for (const unit of unfit.slice(0, counts.budget)) {
    const machine = { instanceId: unit.id, node: unit.view.node }
    if (isDrainedFirst(draft, machine, 'its node is not ready'))
      commit(draft, counts, unit, 'unfit')
  }
  if (missing.length === 0 || (memory.backoff.never_registered?.untilMs ?? 0) > nowMs) return
  noteFailure(memory, 'never_registered', nowMs)
  alarm('never registered', `${missing.length} machines run, and their nodes have never come`)
  for (const unit of missing.slice(0, MISSING_AT_ONCE)) {
    // Abandoned, it is replaced at once: what need not be replaced is asked for again later, if at all.
    const isReplaced = counts.size <= counts.keep
    if (isReplaced && abandonLaunch(draft, unit, reasonText(draft, unit, 'never_registered')))
      continue
    commit(draft, counts, unit, 'never_registered')
  }
}
