/** What each machine of a pool counts as. Pure. */
import type { PoolMemory, UnitMemory } from './memory.ts'
import { newUnit } from './memory.ts'
import type { PoolPolicy } from './policy.ts'
import type { NodeView, PoolView, UnitView } from './view.ts'

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
  /** Made ineligible by somebody else: neither a place for slices nor ours to end. */
  'held',
  /** We have called for its end, and it does not show yet. */
  'committing',
  /** Its termination waits for us. */
  'waiting',
  'terminating',
  'standby',
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

/** How long a call that was accepted, or may have been, can take to show in the lists. */
export const COMMIT_SHOWS_MS = 2 * 60_000

/** Changes the memory: new machines are entered, those that left are forgotten. */
export function takeStock(
  view: PoolView,
  policy: PoolPolicy,
  memory: PoolMemory,
  nowMs: number,
): Unit[] {
  const listed = new Set(view.units.map(({ member }) => member.instanceId))
  for (const [id, { committedMs }] of Object.entries(memory.units)) {
    // A list may lag: one that shows a machine again must not have it counted twice.
    if (listed.has(id) || (committedMs !== null && nowMs - committedMs < COMMIT_SHOWS_MS)) continue
    delete memory.units[id]
  }
  const launchMs = launchDeadline(memory)
  return view.units.map((unit) => {
    const id = unit.member.instanceId
    const own = (memory.units[id] ??= {
      ...newUnit(nowMs),
      isProtectedByUs: isProtectedByGroup(unit, view),
    })
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
      isTooOld: policy.maxAgeMs !== null && ageMs > policy.maxAgeMs,
    }
  })
}

/** Whether the group itself protects a machine that is new here: that may show only when it serves. */
function isProtectedByGroup({ member }: UnitView, { group }: PoolView): boolean {
  if (!(group?.protectsNew ?? false)) return false
  return member.isProtected || member.lifecycle !== 'InService'
}

function stateOf(unit: UnitView, own: UnitMemory, nowMs: number, launchMs: number): UnitState {
  const { member, node } = unit
  if (member.lifecycle === 'Terminating:Wait') return 'waiting'
  if (/^(?:Terminat|Detach)/.test(member.lifecycle)) return 'terminating'
  if (/standby/i.test(member.lifecycle)) return 'standby'
  if (own.committedMs !== null && nowMs - own.committedMs < COMMIT_SHOWS_MS) return 'committing'
  if (node === null || node.status !== 'ready') {
    if (own.readyMs !== null) return 'unfit'
    return nowMs - own.firstSeenMs < launchMs ? 'booting' : 'missing'
  }
  if (!node.isEligible || node.isDraining) {
    return isOurs(node, own) ? 'cordoned' : 'held'
  }
  return isBusy(unit) ? 'busy' : 'idle'
}

/** A person who has given a node back, and takes it out again, leaves our old mark on it. */
function isOurs({ mark }: NodeView, { voidMarkMs }: UnitMemory): boolean {
  return mark?.by === 'controller' && mark.sinceMs !== voidMarkMs
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
  if (unit.node?.status === 'ready' && own.readyMs === null) {
    own.readyMs = nowMs
    delete memory.backoff.never_registered
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
    const mark = unit.node?.mark
    // Of a controller before us, whose store is lost.
    const reason = mark?.reason === 'outdated' || mark?.reason === 'max_age' ? mark.reason : 'idle'
    own.cordon ??= { reason, askedMs: mark?.sinceMs ?? nowMs, seenMs: null }
    own.cordon.seenMs ??= nowMs
  } else if (unit.node?.isEligible && own.cordon !== null) {
    const { askedMs, seenMs } = own.cordon
    // Made eligible by somebody, or never made ineligible.
    if (seenMs !== null || nowMs - askedMs > CORDON_SHOWS_MS) own.cordon = null
  }
  if (unit.node?.isEligible && unit.node.mark !== null) own.voidMarkMs = unit.node.mark.sinceMs
}

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

function launchDeadline(memory: PoolMemory): number {
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
