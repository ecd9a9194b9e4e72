/** What each machine of a pool counts as. Pure. */
import type { AwsGroup } from '../../platform/index.ts'
import { TOLD } from '../drain-mark.ts'
import type { VictimReason } from '../intents.ts'
import { forgetFailures } from './launch-failures.ts'
import type { PoolMemory, UnitMemory } from '../memory.ts'
import { copyUnit, newUnit } from '../memory.ts'
import type { PoolPolicy } from '../policy.ts'
import type { NodeView, PoolView, UnitView } from '../view.ts'

export const UNIT_STATES = [
  /** Asked for; not in any list yet. */
  'requested',
  'booting',
  /** Its node should have been here long ago. */
  'missing',
  /** Its node was here, and is not ready any more. */
  'unfit',
  'idle',
  'busy',
  /** Made ineligible by us; can be taken back. */
  'cordoned',
  /** EC2 takes it back within two minutes: what runs there begins again elsewhere. */
  'interrupted',
  /** Made ineligible by somebody else: neither a place for slices nor ours to end. */
  'held',
  /** We have called for its end, and it does not show yet. */
  'committing',
  /** Its termination waits for us. */
  'waiting',
  'terminating',
  /** Kept by its group after an abandoned hook: billed, and outside of the desired size. */
  'retained',
  'standby',
  /** Prepared ahead in the group's warm pool. */
  'warm',
] as const
export type UnitState = (typeof UNIT_STATES)[number]

export interface Unit {
  id: string
  state: UnitState
  view: UnitView
  /** Of the plan that is being made: may be changed. */
  memory: UnitMemory
  /** Why nobody may choose it as a victim; null when anybody may. */
  pinned: string | null
  isOutdated: boolean
  isTooOld: boolean
}

export type UnitsByState = Readonly<Record<UnitState, readonly Unit[]>>

/** How long a call that was accepted, or may have been, can take to show in the lists. */
export const COMMIT_SHOWS_MS = 2 * 60_000

/** Changes the memory: its units become copies, new machines are entered, those that left are forgotten. */
export function takeStock(
  view: PoolView,
  policy: PoolPolicy,
  memory: PoolMemory,
  nowMs: number,
): Unit[] {
  const before = memory.units
  memory.units = {}
  const launchMs = launchDeadline(memory)
  const maxAgeMs = maxAgeOf(policy, view.group)
  const units = view.units.map((unit) => {
    const id = unit.member.instanceId
    const known = before[id]
    const own = known === undefined ? newUnit(nowMs) : copyUnit(known)
    noteProtection(unit, own, view)
    memory.units[id] = own
    // Only now does it boot for us, however long it has been prepared.
    if (own.state === 'warm' && !isWarm(unit.member)) own.firstSeenMs = nowMs
    const state = stateOf(unit, own, nowMs, launchMs)
    remember(state, unit, own, memory, nowMs)
    const ageMs = nowMs - (unit.launchedMs ?? own.firstSeenMs)
    return {
      id,
      state,
      view: unit,
      memory: own,
      pinned: pinOf(unit, own, view, nowMs),
      isOutdated: isOutdated(unit, view),
      isTooOld: ageMs > maxAgeMs,
    }
  })
  for (const id in before) {
    const left = before[id]
    if (left === undefined || memory.units[id] !== undefined) continue
    // A list may lag: one that shows a machine again must not have it counted twice.
    if (left.committedMs === null || nowMs - left.committedMs >= COMMIT_SHOWS_MS) continue
    memory.units[id] = copyUnit(left)
  }
  return units
}

export function groupByState(units: readonly Unit[]): UnitsByState {
  const groups: Partial<Record<UnitState, Unit[]>> = {}
  for (const state of UNIT_STATES) groups[state] = []
  for (const unit of units) groups[unit.state]?.push(unit)
  return groups as Record<UnitState, Unit[]>
}

/** What a group protects as it enters service, from its launch or from standby, is ours to release. */
function noteProtection({ member }: UnitView, own: UnitMemory, { group }: PoolView): void {
  if (member.isProtected && !own.isInService && group?.protectsNew) own.isProtectedByUs = true
  own.isInService = member.lifecycle === 'InService'
}

/** Of the group's own limit: what is left of it is for going in our order, and not all at once. */
const LIFETIME_SHARE = 0.9

/** Infinite when there is none. */
export function maxAgeOf({ maxAgeMs }: PoolPolicy, group: AwsGroup | null): number {
  const lifetimeMs = group?.maxLifetimeMs ?? Infinity
  return Math.min(maxAgeMs ?? Infinity, lifetimeMs * LIFETIME_SHARE)
}

function stateOf(unit: UnitView, own: UnitMemory, nowMs: number, launchMs: number): UnitState {
  const { member, node } = unit
  if (member.lifecycle !== 'InService') {
    if (member.lifecycle === 'Terminating:Wait') return 'waiting'
    if (member.lifecycle === 'Terminating:Retained') return 'retained'
    if (isWarm(member)) return 'warm'
    if (/^(?:Terminat|Detach)/.test(member.lifecycle)) return 'terminating'
    if (/standby/i.test(member.lifecycle)) return 'standby'
  }
  if (own.committedMs !== null && nowMs - own.committedMs < COMMIT_SHOWS_MS) return 'committing'
  if (node === null || node.status !== 'ready') {
    if (own.readyMs !== null) return 'unfit'
    return nowMs - own.firstSeenMs < launchMs ? 'booting' : 'missing'
  }
  if (!node.isEligible || node.isDraining) {
    // A person who has given a node back, and takes it out again, leaves the old mark on it.
    const mark = node.mark?.sinceMs === own.voidMarkMs ? null : node.mark
    if (isTold(mark, TOLD.interrupted)) return 'interrupted'
    return mark?.by === 'controller' || isTold(mark, TOLD.atRisk) ? 'cordoned' : 'held'
  }
  return isBusy(unit) ? 'busy' : 'idle'
}

function isTold(mark: NodeView['mark'], reason: string): boolean {
  return mark?.by === 'lifecycle' && mark.reason === reason
}

function isWarm({ lifecycle }: UnitView['member']): boolean {
  return lifecycle.startsWith('Warmed:')
}

/** A hint of EC2: it may run on for hours. */
export function isAtRisk({ memory }: Pick<Unit, 'memory'>): boolean {
  return memory.atRiskMs !== null
}

export function isBusy({ live, placed }: Pick<UnitView, 'live' | 'placed'>): boolean {
  return live.length > 0 || placed.length > 0
}

function remember(
  state: UnitState,
  unit: UnitView,
  own: UnitMemory,
  memory: PoolMemory,
  nowMs: number,
): void {
  if (own.state !== state) {
    own.state = state
    own.stateSinceMs = nowMs
  }
  if (unit.node?.status === 'ready' && own.readyMs === null && state !== 'warm') {
    own.readyMs = nowMs
    forgetFailures(memory, nowMs)
    noteBoot(memory, nowMs - own.firstSeenMs)
  }
  own.emptySinceMs = unit.live.length > 0 ? null : (own.emptySinceMs ?? nowMs)
  if (isBusy(unit)) own.idleSinceMs = null
  else if (own.readyMs !== null) own.idleSinceMs ??= nowMs
  const isSilent = own.readyMs !== null && unit.node?.status !== 'ready'
  own.unfitSinceMs = isSilent ? (own.unfitSinceMs ?? nowMs) : null
  if (state === 'waiting') own.waitingSinceMs ??= nowMs
  if (state !== 'committing' && state !== 'waiting' && state !== 'terminating') {
    own.committedMs = null
    own.isDecremented = false
  }
  if (state === 'cordoned') {
    const mark = unit.node?.mark ?? null
    if (isTold(mark, TOLD.atRisk)) own.atRiskMs ??= nowMs
    // Of the instance's daemon, or of a controller before us, whose store is lost.
    own.cordon ??= { reason: reasonOf(mark), askedMs: mark?.sinceMs ?? nowMs, seenMs: null }
    own.cordon.seenMs ??= nowMs
  } else if (unit.node?.isEligible && own.cordon !== null) {
    const { askedMs, seenMs } = own.cordon
    // Made eligible by somebody, or never made ineligible.
    if (seenMs !== null || nowMs - askedMs > CORDON_SHOWS_MS) own.cordon = null
  }
  if (unit.node?.isEligible && unit.node.mark !== null) own.voidMarkMs = unit.node.mark.sinceMs
}

function reasonOf(mark: NodeView['mark']): VictimReason {
  if (isTold(mark, TOLD.atRisk)) return 'at_risk'
  return ROTATIONS.find((reason) => reason === mark?.reason) ?? 'idle'
}

const ROTATIONS = ['outdated', 'max_age', 'at_risk'] as const

/** A call to Nomad shows with the next reading; one that failed is told, or found out by this. */
const CORDON_SHOWS_MS = 15_000

/** Enough for a quantile; machines change. */
const BOOTS_KEPT = 40

function noteBoot(memory: PoolMemory, bootMs: number): void {
  // One that was ready at first sight tells nothing.
  if (bootMs > 0) memory.bootsMs = [...memory.bootsMs, bootMs].slice(-BOOTS_KEPT)
}

/** @param share of 1. @returns null without any boot yet. */
export function bootQuantile({ bootsMs }: PoolMemory, share: number): number | null {
  const sorted = bootsMs.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? null
}

/** Twice the slowest boot, and never so short that a slow mirror costs a machine. */
const LAUNCH_MS = { least: 5 * 60_000, most: 20 * 60_000, unknown: 10 * 60_000 }

/** From first seen on: a machine without a node by then will not have one. */
export function launchDeadline(memory: PoolMemory): number {
  const slowest = bootQuantile(memory, 0.99)
  if (slowest === null) return LAUNCH_MS.unknown
  return Math.min(LAUNCH_MS.most, Math.max(LAUNCH_MS.least, 2 * slowest))
}

function pinOf(unit: UnitView, own: UnitMemory, view: PoolView, nowMs: number): string | null {
  const { instanceId, isProtected } = unit.member
  const untilMs = view.pins.get(instanceId) ?? view.pins.get(unit.node?.id ?? '') ?? 0
  if (untilMs > nowMs) return `pinned until ${new Date(untilMs).toISOString()}`
  if (isProtected && !own.isProtectedByUs) return 'protected from scale-in by somebody else'
  return null
}

function isOutdated({ member }: UnitView, { newest }: PoolView): boolean {
  if (newest === null || member.template === null) return false
  return member.template.id !== newest.id || member.template.version !== newest.version
}
