/**
 * Which machines are to go, in which order: made ineligible here, ended when they are proven empty. Pure.
 *
 * A busy machine is never chosen to save money. For its age or image, or on a hint of EC2, it takes nothing
 * new from here on, and its slices end.
 */
import type { Counts } from './counts.ts'
import { act, type Draft } from './draft.ts'
import { idleOff } from './idle.ts'
import type { VictimReason } from '../intents.ts'
import { isAtRisk, note, type Unit } from './unit.ts'
import type { Placement } from './scale-out.ts'
import { counted, lasting } from './words.ts'

export function chooseVictims(draft: Draft, placement: Placement, counts: Counts): void {
  const candidates = inOrder(draft, findCandidates(draft, placement))
  // Cordoned ones will go, too: of the idle ones only what is above the floor besides them.
  const leaving = draft.units.filter(
    ({ memory }) => memory.cordon !== null && memory.committedMs === null,
  ).length
  const left = { idle: counts.size - counts.keep - leaving, atRisk: placement.spare }
  const not = { budget: 0, floor: 0, spare: 0, failing: 0 }
  for (const { unit, reason } of candidates) {
    if (reason === 'idle' && left.idle <= 0) not.floor += 1
    else if (reason === 'at_risk' && left.atRisk <= 0) not.spare += 1
    else if (reason !== 'idle' && counts.failing !== null) not.failing += 1
    else if (counts.goingFor(reason) >= counts.budget) not.budget += 1
    else {
      if (reason === 'idle') left.idle -= 1
      if (reason === 'at_risk') left.atRisk -= 1
      counts.going += 1
      takeOut(draft, unit, reason)
    }
  }
  const { notes } = draft
  if (not.budget > 0)
    notes.push(`${not.budget} more may go; the budget is ${counts.budget} at once`)
  if (not.floor > 0) {
    const kept = `kept although idle for longer: ${counted(not.floor, 'machine')}`
    notes.push(`${kept}, since the pool keeps ${counts.keep} by ${counts.keptBy}`)
  }
  if (not.failing > 0) {
    notes.push(`kept although due: ${counted(not.failing, 'machine')}, since ${counts.failing}`)
  }
  if (not.spare > 0) {
    const risk = `kept although EC2 recommends to replace: ${counted(not.spare, 'machine')}`
    notes.push(`${risk}, until others stand in`)
  }
}

interface Candidate {
  unit: Unit
  reason: VictimReason
}

function findCandidates(draft: Draft, placement: Placement): Candidate[] {
  const { ms, by } = idleOff(draft.policy, draft.memory)
  const { idle, busy } = draft.byState
  if (idle.length > 0) {
    draft.notes.push(
      `${counted(idle.length, 'idle machine')}; each goes after ${lasting(ms)} without a slice (${by})`,
    )
  }
  if (placement.unplaced > 0) {
    if (idle.length > 0) draft.notes.push('nothing more is taken out while slices have no place')
    return []
  }
  const candidates: Candidate[] = []
  for (const unit of [...idle, ...busy]) {
    const reason = placement.taken.has(unit.id) ? null : victimReason(draft, unit, ms)
    if (reason !== null) candidates.push({ unit, reason })
  }
  return candidates
}

function victimReason({ view, nowMs }: Draft, unit: Unit, idleOffMs: number): VictimReason | null {
  if (unit.pinned !== null) return null
  // A cordon that was asked for and does not show yet is not asked for again.
  if (unit.memory.cordon !== null) return null
  if (unit.isOutdated) return 'outdated'
  if (unit.isTooOld) return 'max_age'
  const { idleSinceMs } = unit.memory
  const isIdle = unit.state === 'idle' && idleSinceMs !== null && nowMs - idleSinceMs >= idleOffMs
  if (isIdle) return 'idle'
  // A group that rebalances itself ends it itself, through its hook.
  return isAtRisk(unit) && !(view.group?.rebalances ?? false) ? 'at_risk' : null
}

/** The group evens out its zones by moving machines: each that goes is taken from what is then the fullest one. */
function inOrder({ units, nowMs }: Draft, candidates: Candidate[]): Candidate[] {
  if (candidates.length === 0) return []
  const idleMs = (unit: Unit) => nowMs - (unit.memory.idleSinceMs ?? nowMs)
  const byNeed = (a: Unit, b: Unit) =>
    Number(a.state === 'busy') - Number(b.state === 'busy') ||
    Number(isAtRisk(b)) - Number(isAtRisk(a)) ||
    Number(b.isOutdated) - Number(a.isOutdated)
  candidates.sort(
    ({ unit: a }, { unit: b }) => byNeed(a, b) || idleMs(b) - idleMs(a) || (a.id < b.id ? -1 : 1),
  )
  const left = new Map<string, number>()
  for (const { view, memory } of units) {
    const { zone, lifecycle } = view.member
    const stays = lifecycle === 'InService' && memory.cordon === null
    if (stays) left.set(zone, (left.get(zone) ?? 0) + 1)
  }
  const fullness = new Map<Unit, number>()
  for (const { unit } of candidates) {
    const { zone } = unit.view.member
    const count = left.get(zone) ?? 0
    fullness.set(unit, count)
    left.set(zone, count - 1)
  }
  const fullnessOf = (unit: Unit) => fullness.get(unit) ?? 0
  return candidates.sort(
    ({ unit: a }, { unit: b }) => byNeed(a, b) || fullnessOf(b) - fullnessOf(a),
  )
}

function takeOut(draft: Draft, unit: Unit, reason: VictimReason): void {
  const nodeId = unit.view.node?.id
  if (nodeId === undefined) return
  note(unit, { cordon: { reason, askedMs: draft.nowMs, seenMs: null } })
  const { name: pool } = draft.policy
  act(
    draft,
    { kind: 'cordon', pool, instanceId: unit.id, nodeId, reason },
    reasonText(draft, unit, reason),
  )
}

/** For people, with what it was measured by. */
export function reasonText(draft: Draft, unit: Unit, reason: VictimReason): string {
  const { policy, view, nowMs, memory } = draft
  switch (reason) {
    case 'idle': {
      const idleMs = nowMs - (unit.memory.idleSinceMs ?? nowMs)
      const { ms, by } = idleOff(policy, memory)
      return `without a slice for ${lasting(idleMs)}; ${lasting(ms)} are enough (${by})`
    }
    case 'outdated':
      return 'made from an older template'
    case 'max_age': {
      const lifetimeMs = view.group?.maxLifetimeMs ?? null
      const isGroups = lifetimeMs !== null && lifetimeMs < (policy.maxAgeMs ?? Infinity)
      return isGroups ? 'near the maximum instance lifetime of its group' : 'older than max_age'
    }
    case 'at_risk':
      return 'EC2 recommends to replace it'
    case 'interrupted':
      return 'EC2 takes it back, and nothing runs on it'
    case 'never_registered':
      return 'its node never came'
    case 'unfit':
      return 'its node is not ready any more'
  }
}
