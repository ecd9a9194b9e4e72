/** What a pool has for slices, now and soon: looked at only where slices wait. Pure. */
import type { Draft } from './draft.ts'
import { bootQuantile } from './ledger.ts'
import type { Unit } from './unit.ts'
import type { Bin } from './packing.ts'
import type { Room } from '../ports.ts'

/** Before any boot was seen. */
export const BOOT_MS = 3 * 60_000

/** Free on nodes that take slices. */
export function* readyBins({ byState }: Draft): Generator<Bin> {
  for (const unit of byState.idle) yield freeOf(unit)
  for (const unit of byState.busy) yield freeOf(unit)
}

/** On nodes that a slice brings back. */
export function* cordonedBins({ byState, nowMs }: Draft): Generator<Bin> {
  for (const unit of byState.cordoned) {
    if (isReturnable(unit, nowMs)) yield freeOf(unit)
  }
}

export function* bootingBins({ byState, policy: { shape } }: Draft): Generator<Bin> {
  for (const { id } of byState.booting) yield { id, ...shape }
}

/** Asked for, and in no list yet. */
export function* requestedBins(draft: Draft): Generator<Bin> {
  const { shape } = draft.policy
  const requested = requestedOf(draft)
  for (let at = 0; at < requested; at++) {
    yield { id: `requested ${at}`, ...shape }
  }
}

/** The room of slices that will probably end before a new machine could take one: release credit. */
export function* freedBins({ byState, memory }: Draft): Generator<Bin> {
  const bootMs = bootQuantile(memory, 0.5) ?? BOOT_MS
  for (const unit of byState.busy) {
    let cpuMhz = 0
    let memoryMiB = 0
    for (const { need, remainingMs } of unit.view.placed) {
      if (remainingMs === null || remainingMs > bootMs) continue
      cpuMhz += need.cpuMhz
      memoryMiB += need.memoryMiB
    }
    if (cpuMhz > 0) yield { id: unit.id, cpuMhz, memoryMiB }
  }
}

export function requestedOf(draft: Draft): number {
  const { view, sizes } = draft
  return view.group === null ? 0 : Math.max(0, sizes.asked - membersOf(draft))
}

/** What the desired size counts. */
export function membersOf({ units, byState }: Draft): number {
  const beside = BESIDE.reduce((sum, state) => sum + byState[state].length, 0)
  const going = byState.committing.filter(({ memory }) => memory.isDecremented).length
  return units.length - beside - going
}

const BESIDE = ['waiting', 'terminating', 'retained', 'standby', 'warm'] as const

/**
 * One that goes for its age or image comes back with a new machine instead. What its own daemon has taken
 * out on a hint comes back for slices, as long as we have not looked for another one in its place.
 */
function isReturnable({ memory: { cordon }, pinned }: Unit, nowMs: number): boolean {
  if (pinned !== null) return false
  if (cordon === null || cordon.reason === 'idle') return true
  return cordon.reason === 'at_risk' && cordon.seenMs === nowMs
}

function freeOf({ id, view: { node, placed } }: Unit): Bin {
  let { cpuMhz, memoryMiB } = node?.room ?? NO_ROOM
  for (const { need } of placed) {
    cpuMhz -= need.cpuMhz
    memoryMiB -= need.memoryMiB
  }
  return { id, cpuMhz, memoryMiB }
}

const NO_ROOM: Room = { cpuMhz: 0, memoryMiB: 0 }
