/**
 * More machines: what waits and finds no place, and the floor.
 *
 * Pure. Neither drains nor earlier changes hold it back; only the maximum does, and launches that failed.
 */
import type { Draft } from './draft.ts'
import { act } from './draft.ts'
import { findFloor, noteNeeded, type Floor } from './floors.ts'
import { backoffReason, noteFailure } from './launch-failures.ts'
import { bootQuantile } from './ledger.ts'
import { isAtRisk, type Unit } from './unit.ts'
import { countNew, fill, toWaiting, type Bin, type Waiting } from './packing.ts'
import { budgetOf } from '../policy.ts'
import {
  BOOT_MS,
  bootingBins,
  cordonedBins,
  freedBins,
  readyBins,
  requestedBins,
  requestedOf,
} from './supply.ts'
import { counted, inUnits } from './words.ts'

export interface Placement {
  /** Idle machines and cordoned ones that waiting slices will go to. */
  taken: Set<string>
  /** Slices that have no place on anything there is. */
  unplaced: number
  /** New machines that would hold them all. */
  needed: number
  /** As many of those as may be asked for. */
  extra: number
  /** Machines without a slice that no waiting slice takes: they can stand in for others. */
  spare: number
  /** The same of those that have yet to come. */
  spareComing: number
  floor: Floor
}

/** By forecast alone, so much of the maximum in one go. */
const FORECAST_STEP = 0.1

export function placeDemand(draft: Draft): Placement {
  const { view, policy, memory, units, byState, sizes, nowMs } = draft
  const { waiting: own, impossible } = toWaiting(view.demand?.classes ?? [], policy.shape)
  if (impossible.length > 0) tellImpossible(draft, impossible)
  const waiting = [...own, ...comingBack(draft)]
  const onReady = fill(waiting, readyBins(draft))
  const onCordoned = fill(onReady.left, cordonedBins(draft))
  const onComing = fill(onCordoned.left, comingBins(draft))
  const onFreed = fill(onComing.left, freedBins(draft))
  const needed = countNew(onFreed.left, policy.shape, MACHINES_MOST)
  const extra = Math.min(needed, roomOf(sizes))
  const aheadMs = bootQuantile(memory, 0.95) ?? BOOT_MS
  const floor = findFloor(policy, memory, view.orderedSize, aheadMs, nowMs)
  const taken = new Set([...onReady.used.keys(), ...onCordoned.used.keys()])
  const inUse = units.filter(({ id, view: { live } }) => live.length > 0 || taken.has(id)).length
  noteNeeded(memory, inUse + extra, nowMs)
  const spare = byState.idle.filter((unit) => !isAtRisk(unit) && !taken.has(unit.id)).length
  const spareComing = byState.booting.length + requestedOf(draft) - onComing.used.size
  const steps = [onReady, onCordoned, onComing, onFreed].map(({ left }) => count(left))
  tellPlaces(draft, own, waiting, steps, needed)
  return { taken, unplaced: count(onFreed.left), needed, extra, spare, spareComing, floor }
}

function* comingBins(draft: Draft): Generator<Bin> {
  yield* bootingBins(draft)
  yield* requestedBins(draft)
}

/** What the settings allow at most; more than that are not worth counting. */
const MACHINES_MOST = 10_000

const roomOf = ({ max, asked }: Draft['sizes']) => Math.max(0, max - asked)

const count = (waiting: readonly { count: number }[]) =>
  waiting.reduce((sum, each) => sum + each.count, 0)

/** From the notice to the end of what still runs, see the daemon on the instance. */
const NOTICE_MS = 100_000

/** Slices of machines that EC2 takes back, and that will not end before: another machine boots meanwhile. */
function comingBack({ byState, nowMs }: Draft): Waiting[] {
  return byState.interrupted.flatMap(({ view, memory }) => {
    const leftMs = NOTICE_MS - (nowMs - memory.stateSinceMs)
    return view.placed
      .filter(({ remainingMs }) => remainingMs === null || remainingMs > leftMs)
      .map(({ need }) => ({ name: 'interrupted', need, count: 1 }))
  })
}

function tellImpossible(
  draft: Draft,
  impossible: readonly { name: string; need: Waiting['need'] | null; count: number }[],
): void {
  const { policy, notes, alarms } = draft
  const all = impossible.map(({ name, need, count: slices }) => {
    const asks = need === null ? 'the settings do not have the class any more' : inUnits(need)
    return `${counted(slices, 'slice')} of ${name} (${asks})`
  })
  const has = `${inUnits(policy.shape)} for slices`
  const text = `no machine of the pool can ever hold ${all.join(', ')}: one has ${has}`
  notes.push(text)
  alarms.push({ key: 'impossible', text, about: policy.name })
}

/** @param left how many are left after each kind of place. */
function tellPlaces(
  { notes }: Draft,
  own: readonly Waiting[],
  all: readonly Waiting[],
  left: readonly number[],
  needed: number,
): void {
  const asked = count(all)
  if (asked === 0) return
  const names = ['on ready nodes', 'on cordoned ones', 'on booting ones', FREED]
  const places = names.flatMap((name, at) => {
    const placed = (left[at - 1] ?? asked) - (left[at] ?? 0)
    return placed === 0 ? [] : [`${placed} ${name}`]
  })
  const rest = left.at(-1) ?? 0
  if (rest > 0) places.push(`${rest} on ${counted(needed, 'new one')}`)
  const back = asked - count(own)
  const besides = back > 0 ? `, ${back} of them on machines that EC2 takes back` : ''
  const wait = asked === 1 ? 'waits' : 'wait'
  notes.push(`${counted(asked, 'slice')} ${wait}${besides}: ${places.join(', ')}`)
}

const FREED = 'on nodes that are free before a new one could be'

/** @returns the size that the pool is led to. */
export function scaleOut(draft: Draft, placement: Placement): number {
  const { policy, memory, sizes, nowMs, notes } = draft
  const { extra, floor } = placement
  const { group } = draft.view
  const step = Math.max(1, Math.floor(policy.max * FORECAST_STEP))
  const floorSize = floor.isForecast ? Math.min(floor.size, sizes.asked + step) : floor.size
  const ahead = Math.min(replacementsAhead(draft, placement), roomOf(sizes))
  const wanted = Math.max(sizes.asked + Math.max(extra, ahead), floorSize)
  const target = Math.min(Math.max(wanted, sizes.min), sizes.max)
  const most = Math.max(sizes.asked + placement.needed, floorSize)
  if (most > sizes.max) notes.push(tellMaximum(draft, most))
  if (group === null || target <= sizes.asked) return Math.max(target, sizes.asked)
  if (group.suspended.includes('Launch')) {
    const text = 'launching is suspended in the group'
    draft.alarms.push({ key: 'launch suspended', text, about: group.name })
    if ((memory.backoff.suspended?.untilMs ?? 0) <= nowMs) noteFailure(memory, 'suspended', nowMs)
  }
  const waits = backoffReason(memory, nowMs)
  if (waits !== null) {
    notes.push(waits)
    return sizes.asked
  }
  const floorText = `${floorSize} at least, by ${floor.by}`
  const aheadText = `${ahead} more in place of machines that EC2 recommends to replace`
  const reason =
    extra > 0 ? `${extra} more for waiting slices` : target > floorSize ? aheadText : floorText
  const { name: pool } = policy
  act(draft, { kind: 'set_desired', pool, group: group.name, desired: target, reason }, reason)
  return target
}

function tellMaximum({ sizes, policy }: Draft, needed: number): string {
  const whose = sizes.max < policy.max ? 'of the group' : 'of the pool'
  return `the maximum ${whose} is ${sizes.max}; ${needed} would be needed`
}

/**
 * Machines at risk go when others can take their place: so many are missing for that. Idle ones count as far
 * as the floor needs them. A group that rebalances itself launches them itself, and both would be too many.
 */
function replacementsAhead(draft: Draft, { spare, spareComing, floor }: Placement): number {
  const { view, byState, policy, sizes } = draft
  if (view.group?.rebalances) return 0
  const mayGo = (unit: Unit) => unit.pinned === null && isAtRisk(unit)
  const busy = byState.busy.filter(mayGo).length
  const idle = byState.idle.filter(mayGo).length
  const beyond = sizes.sure - Math.max(floor.size, sizes.min)
  const needed = busy + Math.max(0, idle - Math.max(0, beyond))
  const atOnce = Math.min(needed, budgetOf(policy, Math.max(sizes.sure, 1)))
  return Math.max(0, atOnce - spare - spareComing)
}
