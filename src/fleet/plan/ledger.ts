/** What each machine of a pool counts as. Pure. */
import type { AwsGroup } from '../../platform/index.ts'
import { TOLD } from '../drain-mark.ts'
import type { VictimReason } from '../intents.ts'
import { forgetFailures } from './launch-failures.ts'
import type { Cordon, PoolMemory, UnitMemory } from '../memory.ts'
import { newUnit } from '../memory.ts'
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
  /** Changed by `note`. */
  memory: UnitMemory
  /** Why nobody may choose it as a victim; null when anybody may. */
  pinned: string | null
  isOutdated: boolean
  isTooOld: boolean
}

export type UnitsByState = Readonly<Record<UnitState, readonly Unit[]>>

/** How long a call that was accepted, or may have been, can take to show in the lists. */
export const COMMIT_SHOWS_MS = 2 * 60_000

/** What each counts as, and what is to be remembered of it, see `keepUnits`. */
export function takeStock(
  view: PoolView,
  policy: PoolPolicy,
  memory: PoolMemory,
  nowMs: number,
): Unit[] {
  const launchMs = launchDeadline(memory)
  const maxAgeMs = maxAgeOf(policy, view.group)
  return view.units.map((unit) => {
    const id = unit.member.instanceId
    const known = noteService(unit, memory.units.get(id) ?? newUnit(nowMs), view, nowMs)
    const state = stateOf(unit, known, nowMs, launchMs)
    const own = remember(state, unit, known, nowMs)
    if (known.readyMs === null && own.readyMs !== null) noteBoot(memory, own, nowMs)
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
}

/** Remembers something of a machine. */
export function note(unit: Unit, change: Partial<UnitMemory>): void {
  unit.memory = { ...unit.memory, ...change }
}

/** @returns what to remember of all, without the machines that left; the same object when nothing changed. */
export function keepUnits(
  before: PoolMemory['units'],
  units: readonly Unit[],
  nowMs: number,
): PoolMemory['units'] {
  const isSame = ({ id, memory }: Unit) => before.get(id) === memory
  if (before.size === units.length && units.every(isSame)) return before
  const kept = new Map<string, UnitMemory>()
  for (const { id, memory } of units) kept.set(id, memory)
  for (const [id, left] of before) {
    // A list may lag: one that shows a machine again must not have it counted twice.
    const isGoing = left.committedMs !== null && nowMs - left.committedMs < COMMIT_SHOWS_MS
    if (isGoing && !kept.has(id)) kept.set(id, left)
  }
  return kept
}

export function groupByState(units: readonly Unit[]): UnitsByState {
  const groups: Partial<Record<UnitState, Unit[]>> = {}
  for (const state of UNIT_STATES) groups[state] = []
  for (const unit of units) groups[unit.state]?.push(unit)
  return groups as Record<UnitState, Unit[]>
}

/** Whose protection it has, and since when it is there. */
function noteService(
  { member }: UnitView,
  known: UnitMemory,
  { group }: PoolView,
  nowMs: number,
): UnitMemory {
  const isInService = member.lifecycle === 'InService'
  // What a group protects as it enters service, from its launch or from standby, is ours to release.
  const isNewlyProtected = member.isProtected && !known.isInService && group?.protectsNew === true
  const isProtectedByUs = known.isProtectedByUs || isNewlyProtected
  // Only now does it boot for us, however long it has been prepared.
  const isFirstSeen = known.state === 'warm' && !isWarm(member)
  const isSame = known.isInService === isInService && known.isProtectedByUs === isProtectedByUs
  if (isSame && !isFirstSeen) return known
  const firstSeenMs = isFirstSeen ? nowMs : known.firstSeenMs
  return { ...known, isInService, isProtectedByUs, firstSeenMs }
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

/** @returns the same object when nothing changed: most machines are as they were. */
function remember(state: UnitState, unit: UnitView, known: UnitMemory, nowMs: number): UnitMemory {
  const { node, live } = unit
  const isReady = node?.status === 'ready'
  const isNews = known.state !== state
  const isNewlyReady = isReady && known.readyMs === null && state !== 'warm'
  const readyMs = isNewlyReady ? nowMs : known.readyMs
  const emptySinceMs = live.length > 0 ? null : (known.emptySinceMs ?? nowMs)
  const idleSinceMs = isBusy(unit) ? null : (known.idleSinceMs ?? (readyMs === null ? null : nowMs))
  const isSilent = readyMs !== null && !isReady
  const unfitSinceMs = isSilent ? (known.unfitSinceMs ?? nowMs) : null
  const waitingSinceMs = known.waitingSinceMs ?? (state === 'waiting' ? nowMs : null)
  const isGoing = state === 'committing' || state === 'waiting' || state === 'terminating'
  const committedMs = isGoing ? known.committedMs : null
  const isDecremented = isGoing && known.isDecremented
  const isHinted = state === 'cordoned' && isTold(node?.mark ?? null, TOLD.atRisk)
  const atRiskMs = known.atRiskMs ?? (isHinted ? nowMs : null)
  const cordon = cordonOf(state, node, known.cordon, nowMs)
  const voidMarkMs = node?.isEligible && node.mark !== null ? node.mark.sinceMs : known.voidMarkMs
  if (
    !isNews &&
    known.readyMs === readyMs &&
    known.emptySinceMs === emptySinceMs &&
    known.idleSinceMs === idleSinceMs &&
    known.unfitSinceMs === unfitSinceMs &&
    known.waitingSinceMs === waitingSinceMs &&
    known.committedMs === committedMs &&
    known.isDecremented === isDecremented &&
    known.atRiskMs === atRiskMs &&
    known.cordon === cordon &&
    known.voidMarkMs === voidMarkMs
  ) {
    return known
  }
  return {
    ...known,
    state,
    stateSinceMs: isNews ? nowMs : known.stateSinceMs,
    readyMs,
    emptySinceMs,
    idleSinceMs,
    unfitSinceMs,
    waitingSinceMs,
    committedMs,
    isDecremented,
    atRiskMs,
    cordon,
    voidMarkMs,
  }
}

function cordonOf(
  state: UnitState,
  node: NodeView | null,
  known: Cordon | null,
  nowMs: number,
): Cordon | null {
  if (state === 'cordoned') {
    if (known !== null) return known.seenMs === null ? { ...known, seenMs: nowMs } : known
    // Of the instance's daemon, or of a controller before us, whose store is lost.
    const mark = node?.mark ?? null
    return { reason: reasonOf(mark), askedMs: mark?.sinceMs ?? nowMs, seenMs: nowMs }
  }
  if (known === null || !node?.isEligible) return known
  // Made eligible by somebody, or never made ineligible.
  return known.seenMs !== null || nowMs - known.askedMs > CORDON_SHOWS_MS ? null : known
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

/** Of a machine whose node has just come. */
function noteBoot(memory: PoolMemory, { firstSeenMs }: UnitMemory, nowMs: number): void {
  forgetFailures(memory, nowMs)
  const bootMs = nowMs - firstSeenMs
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
