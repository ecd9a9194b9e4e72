/** What each machine of a pool counts as. Pure. */
import type { AwsGroup } from '../../platform/index.ts'
import { TOLD } from '../drain-mark.ts'
import { forgetFailures } from './launch-failures.ts'
import { newUnit, type PoolMemory, type UnitMemory } from '../memory.ts'
import type { PoolPolicy } from '../policy.ts'
import { COMMIT_SHOWS_MS, noteService, remember } from './remember.ts'
import { isBusy, isTold, isWarm, type Unit, type UnitState } from './unit.ts'
import type { PoolView, UnitView } from '../view.ts'

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
    const ageMs = nowMs - bornMs(unit, own, maxAgeMs)
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

/** Of the group's own limit: what is left of it is for going in our order, and not all at once. */
const LIFETIME_SHARE = 0.9

/** Infinite when there is none. */
export function maxAgeOf({ maxAgeMs }: PoolPolicy, group: AwsGroup | null): number {
  const lifetimeMs = group?.maxLifetimeMs ?? Infinity
  return Math.min(maxAgeMs ?? Infinity, lifetimeMs * LIFETIME_SHARE)
}

/**
 * Its launch, by the clock of AWS. One that was too old already when we saw it boot is counted from then on: our
 * clock is off, or it has been kept warm, and what would come in its place would be no younger.
 */
function bornMs({ launchedMs }: UnitView, own: UnitMemory, maxAgeMs: number): number {
  const { firstSeenMs, readyMs } = own
  if (launchedMs === null) return firstSeenMs
  const wasSeenToBoot = readyMs === null || readyMs > firstSeenMs
  return wasSeenToBoot && firstSeenMs - launchedMs > maxAgeMs ? firstSeenMs : launchedMs
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
