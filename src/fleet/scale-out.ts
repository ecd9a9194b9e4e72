/**
 * More machines: what waits and finds no place, and the floor.
 *
 * Pure. Neither drains nor earlier changes hold it back; only the maximum does, and launches that failed.
 */
import type { Draft } from './draft.ts'
import { act } from './draft.ts'
import { findFloor, noteNeeded, type Floor } from './floors.ts'
import { backoffReason, noteFailure } from './launch-failures.ts'
import { bootQuantile, type Unit } from './ledger.ts'
import { countNew, fill, toWaiting, type Bin } from './packing.ts'
import type { Room } from './ports.ts'

export interface Placement {
  /** Idle machines and cordoned ones that waiting slices will go to. */
  taken: Set<string>
  /** Slices that have no place on anything there is. */
  unplaced: number
  /** New machines for them. */
  extra: number
  floor: Floor
}

/** Before any boot was seen. */
const BOOT_MS = 3 * 60_000

/** By forecast alone, so much of the maximum in one go. */
const FORECAST_STEP = 0.1

export function placeDemand(draft: Draft): Placement {
  const { view, policy, memory, units, byState, sizes, nowMs, notes } = draft
  const bootMs = bootQuantile(memory, 0.5) ?? BOOT_MS
  const { waiting, impossible } = toWaiting(view.demand?.classes ?? [], policy.shape)
  if (impossible.length > 0) {
    const text = `no machine of the pool can ever hold a slice of ${impossible.join(', ')}`
    notes.push(text)
    draft.alarms.push({ key: 'impossible', text, about: policy.name })
  }
  const ready = [...byState.idle, ...byState.busy]
  const onReady = fill(waiting, binsOf(ready))
  const onCordoned = fill(onReady.left, binsOf(byState.cordoned.filter(isReturnable)))
  const onBooting = fill(onCordoned.left, bootingBins(draft))
  const onFreed = fill(onBooting.left, freedBins(ready, bootMs))
  const room = Math.max(0, sizes.max - sizes.asked)
  const extra = countNew(onFreed.left, policy.shape, room)
  const aheadMs = bootQuantile(memory, 0.95) ?? BOOT_MS
  const floor = findFloor(policy, memory, view.orderedSize, aheadMs, nowMs)
  const taken = new Set([...onReady.used.keys(), ...onCordoned.used.keys()])
  const inUse = units.filter(({ id, view: { live } }) => live.length > 0 || taken.has(id)).length
  noteNeeded(memory, inUse + extra, nowMs)
  const asked = count(waiting)
  if (asked > 0) {
    const placed = (name: string, more: number, left: number) =>
      more === left ? [] : [`${more - left} ${name}`]
    const [a, b, c, d] = [onReady, onCordoned, onBooting, onFreed].map(({ left }) => count(left))
    const places = [
      ...placed('on ready nodes', asked, a ?? 0),
      ...placed('on cordoned ones', a ?? 0, b ?? 0),
      ...placed('on booting ones', b ?? 0, c ?? 0),
      ...placed('on nodes that are free before a new one could be', c ?? 0, d ?? 0),
      ...((d ?? 0) > 0 ? [`${d} on ${extra} new ones`] : []),
    ]
    notes.push(`${asked} slices wait: ${places.join(', ')}`)
  }
  return { taken, unplaced: count(onFreed.left), extra, floor }
}

const count = (waiting: readonly { count: number }[]) =>
  waiting.reduce((sum, each) => sum + each.count, 0)

/** One that goes for its age or image comes back with a new machine instead. */
function isReturnable({ memory: { cordon }, pinned }: Unit): boolean {
  return pinned === null && (cordon === null || cordon.reason === 'idle')
}

function* binsOf(units: readonly Unit[]): Generator<Bin> {
  for (const unit of units) yield { id: unit.id, free: freeOf(unit) }
}

function freeOf({ view: { node, placed } }: Unit): Room {
  const free = { ...(node?.room ?? { cpuMhz: 0, memoryMiB: 0 }) }
  for (const { need } of placed) {
    free.cpuMhz -= need.cpuMhz
    free.memoryMiB -= need.memoryMiB
  }
  return free
}

/** The room of slices that will probably end before a new machine could take one: release credit. */
function* freedBins(units: readonly Unit[], bootMs: number): Generator<Bin> {
  for (const unit of units) {
    const free = { cpuMhz: 0, memoryMiB: 0 }
    for (const { need, remainingMs } of unit.view.placed) {
      if (remainingMs === null || remainingMs > bootMs) continue
      free.cpuMhz += need.cpuMhz
      free.memoryMiB += need.memoryMiB
    }
    if (free.cpuMhz > 0) yield { id: unit.id, free }
  }
}

/** What boots, and what was asked for and is in no list yet. */
function* bootingBins({ units, byState, sizes, policy: { shape } }: Draft): Generator<Bin> {
  for (const { id } of byState.booting) yield { id, free: { ...shape } }
  const requested = sizes.asked - membersOf(units)
  for (let at = 0; at < requested; at++) yield { id: `requested ${at}`, free: { ...shape } }
}

/** What the desired size counts. */
export function membersOf(units: readonly Unit[]): number {
  return units.filter(
    ({ state, memory }) =>
      state !== 'waiting' &&
      state !== 'terminating' &&
      state !== 'standby' &&
      !(state === 'committing' && memory.isDecremented),
  ).length
}

/** @returns the size that the pool is led to. */
export function scaleOut(draft: Draft, { extra, floor }: Placement): number {
  const { policy, memory, view, sizes, nowMs, notes } = draft
  const { group } = view
  const step = Math.max(1, Math.floor(policy.max * FORECAST_STEP))
  const floorSize = floor.isForecast ? Math.min(floor.size, sizes.asked + step) : floor.size
  const wanted = Math.max(sizes.asked + extra, floorSize)
  const target = Math.min(Math.max(wanted, sizes.min), sizes.max)
  if (wanted > sizes.max) notes.push(`the maximum is ${sizes.max}; ${wanted} would be needed`)
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
  const reason =
    extra > 0 ? `${extra} more for waiting slices` : `${floorSize} at least, by ${floor.by}`
  const { name: pool } = policy
  act(draft, { kind: 'set_desired', pool, group: group.name, desired: target, reason }, reason)
  return target
}
