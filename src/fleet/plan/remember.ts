/** What is remembered of machines from look to look: as little as possible is made anew. Pure. */
import { TOLD } from '../drain-mark.ts'
import type { VictimReason } from '../intents.ts'
import type { Cordon, PoolMemory, UnitMemory } from '../memory.ts'
import type { NodeView, PoolView, UnitView } from '../view.ts'
import { isBusy, isTold, isWarm, type Unit, type UnitState } from './unit.ts'

/** How long a call that was accepted, or may have been, can take to show in the lists. */
export const COMMIT_SHOWS_MS = 2 * 60_000

/** A machine that a list lacks for longer has left. */
const GONE_SHOWS_MS = 2 * 60_000

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
    if (!kept.has(id) && isNeeded(left, nowMs))
      kept.set(id, left.goneMs === null ? toGone(left, nowMs) : left)
  }
  return kept
}

/** A list may lag, and show a machine again: it must not be counted twice, nor be taken for protected by others. */
function isNeeded(left: UnitMemory, nowMs: number): boolean {
  const isGoing = left.committedMs !== null && nowMs - left.committedMs < COMMIT_SHOWS_MS
  const isOurs = left.isProtectedByUs && nowMs - (left.goneMs ?? nowMs) < GONE_SHOWS_MS
  return isGoing || isOurs
}

/** What it does meanwhile is not seen: its times begin again when it comes back. */
function toGone(left: UnitMemory, nowMs: number): UnitMemory {
  const unseen = { isInService: false, idleSinceMs: null, emptySinceMs: null, unfitSinceMs: null }
  return { ...left, ...unseen, goneMs: nowMs }
}

/** Whose protection it has, and since when it is there. */
export function noteService(
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
  if (isSame && !isFirstSeen && known.goneMs === null) return known
  const firstSeenMs = isFirstSeen ? nowMs : known.firstSeenMs
  return { ...known, isInService, isProtectedByUs, firstSeenMs, goneMs: null }
}

/** @returns the same object when nothing changed: most machines are as they were. */
export function remember(
  state: UnitState,
  unit: UnitView,
  known: UnitMemory,
  nowMs: number,
): UnitMemory {
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
