/**
 * Fewer machines, and newer ones, in two steps: a cordon, which can be taken back, and the call that ends the
 * machine, which can not and comes only when the node is proven empty.
 *
 * Pure. A busy machine is never chosen to save money; for its age or image it is cordoned, and its slices end.
 */
import { isDrainedFirst, renewDrainOf } from './drain-first.ts'
import { act, type Draft } from './draft.ts'
import type { VictimReason } from './intents.ts'
import { noteFailure } from './launch-failures.ts'
import { abandonLaunch } from './launching.ts'
import { isBusy, type Unit } from './ledger.ts'
import { budgetOf } from './policy.ts'
import { doubtOf, SETTLE_MS } from './proof.ts'
import type { Placement } from './scale-out.ts'
import { FOREIGN_HOLD_MS } from './sizes.ts'

/** Older demand says nothing of what may go; twice the longest rest between two looks. */
export const DEMAND_FRESH_MS = 30_000

/** Machines that never came are ended this many at a time: the fault is mostly elsewhere. */
const MISSING_AT_ONCE = 3

export function scaleIn(draft: Draft, placement: Placement): void {
  const blocked = blockedBy(draft)
  if (blocked !== null) draft.notes.push(`nothing is taken away: ${blocked}`)
  const counts = new Counts(draft, placement)
  for (const unit of draft.units) {
    if (unit.state === 'cordoned') settle(draft, placement, counts, unit, blocked)
  }
  if (blocked !== null) return
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

/** What this tick may still take, each step counted. */
class Counts {
  /** What the group will have when all that is decided has come to pass. */
  size: number
  /** By our own will under way. */
  going: number
  readonly budget: number
  /** At least the minimum: what may go beside it takes nothing below. */
  readonly keep: number

  constructor(draft: Draft, { floor }: Placement) {
    this.size = draft.sizes.sure
    this.budget = budgetOf(draft.policy, Math.max(draft.sizes.sure, 1))
    const ours = draft.units.filter(
      ({ state, memory }) =>
        memory.cordon !== null ||
        state === 'committing' ||
        (memory.committedMs !== null && (state === 'waiting' || state === 'terminating')),
    )
    this.going = ours.length
    this.keep = Math.max(floor.size, draft.sizes.min)
  }
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
  const isForMoney = cordon?.reason === 'idle'
  if (unit.pinned !== null) return unit.pinned
  if (blocked !== null) return blocked
  if (!isForMoney) return null
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
  unit.memory.committedMs = draft.nowMs
  unit.memory.isDecremented = decrement
  const { name: pool } = draft.policy
  const nodeId = unit.view.node?.id ?? null
  const { id: instanceId } = unit
  act(
    draft,
    { kind: 'terminate', pool, group: group.name, instanceId, nodeId, decrement, reason },
    `${REASONS[reason]}${decrement ? '' : '; another one comes in its place'}`,
  )
}

const REASONS: Readonly<Record<VictimReason, string>> = {
  idle: 'without a slice for longer than idle_off',
  outdated: 'made from an older template',
  max_age: 'older than max_age',
  never_registered: 'its node never came',
  unfit: 'its node is not ready any more',
}

/** A client that restarts is back within a minute or two. */
const UNFIT_MS = 10 * 60_000
/** More of the pool than this does not fail on the same day by itself: a person should look first. */
const UNFIT_SHARE = 0.25

/** Machines without a living node hold no slice: there is nothing to cordon. */
function replaceMissing(draft: Draft, counts: Counts): void {
  const { units, memory, nowMs, policy, view } = draft
  const free = units.filter(({ pinned }) => pinned === null)
  const missing = free.filter(({ state }) => state === 'missing')
  const unfit = free.filter(
    (unit) =>
      unit.state === 'unfit' &&
      !isBusy(unit.view) &&
      nowMs - (unit.memory.unfitSinceMs ?? nowMs) >= UNFIT_MS,
  )
  if (missing.length + unfit.length === 0) return
  const alarm = (key: string, text: string) => {
    draft.notes.push(text)
    draft.alarms.push({ key, text, about: policy.name })
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
    if (isDrainedFirst(draft, machine, REASONS.unfit)) commit(draft, counts, unit, 'unfit')
  }
  if (missing.length === 0 || (memory.backoff.never_registered?.untilMs ?? 0) > nowMs) return
  noteFailure(memory, 'never_registered', nowMs)
  alarm('never registered', `${missing.length} machines run, and their nodes have never come`)
  for (const unit of missing.slice(0, MISSING_AT_ONCE)) {
    // Abandoned, it is replaced at once: what need not be replaced is asked for again later, if at all.
    const isReplaced = counts.size <= counts.keep
    if (isReplaced && abandonLaunch(draft, unit, REASONS.never_registered)) continue
    commit(draft, counts, unit, 'never_registered')
  }
}

function chooseVictims(draft: Draft, placement: Placement, counts: Counts): void {
  const byZone = new Map<string, number>()
  for (const { view } of draft.units) {
    byZone.set(view.member.zone, (byZone.get(view.member.zone) ?? 0) + 1)
  }
  const zoneOf = (unit: Unit) => byZone.get(unit.view.member.zone) ?? 0
  const idleMs = (unit: Unit) => draft.nowMs - (unit.memory.idleSinceMs ?? draft.nowMs)
  const candidates = draft.units
    .flatMap((unit) => {
      const reason = victimReason(draft, placement, unit)
      return reason === null ? [] : [{ unit, reason }]
    })
    .sort(
      (a, b) =>
        Number(a.unit.state === 'busy') - Number(b.unit.state === 'busy') ||
        Number(b.unit.isOutdated) - Number(a.unit.isOutdated) ||
        zoneOf(b.unit) - zoneOf(a.unit) ||
        idleMs(b.unit) - idleMs(a.unit) ||
        a.unit.id.localeCompare(b.unit.id),
    )
  // Cordoned ones will go, too: of the idle ones only what is above the floor besides them.
  const leaving = draft.units.filter(
    ({ memory }) => memory.cordon !== null && memory.committedMs === null,
  ).length
  let spare = counts.size - counts.keep - leaving
  let past = 0
  for (const { unit, reason } of candidates) {
    if (reason === 'idle' && spare <= 0) continue
    if (counts.going >= counts.budget) {
      past += 1
      continue
    }
    if (reason === 'idle') spare -= 1
    counts.going += 1
    takeOut(draft, unit, reason)
  }
  if (past > 0) draft.notes.push(`${past} more may go; the budget is ${counts.budget} at once`)
}

function victimReason(
  draft: Draft,
  { taken, unplaced }: Placement,
  unit: Unit,
): VictimReason | null {
  if (unit.pinned !== null || (unit.state !== 'idle' && unit.state !== 'busy')) return null
  // A cordon that was asked for and does not show yet is not asked for again.
  if (unit.memory.cordon !== null) return null
  if (unplaced > 0 || taken.has(unit.id)) return null
  if (unit.isOutdated) return 'outdated'
  if (unit.isTooOld) return 'max_age'
  if (unit.state === 'busy' || unit.memory.idleSinceMs === null) return null
  return draft.nowMs - unit.memory.idleSinceMs >= draft.policy.idleOffMs ? 'idle' : null
}

function takeOut(draft: Draft, unit: Unit, reason: VictimReason): void {
  const nodeId = unit.view.node?.id
  if (nodeId === undefined) return
  unit.memory.cordon = { reason, askedMs: draft.nowMs, seenMs: null }
  const { name: pool } = draft.policy
  act(draft, { kind: 'cordon', pool, instanceId: unit.id, nodeId, reason }, REASONS[reason])
}
