/**
 * What another controller remembered, made one's own: its times are those of another clock. Pure.
 *
 * A wait before something that can not be taken back begins again: a few seconds more are nothing, and by
 * whatever the two clocks differ, no proof is had too early. All other times are at most now.
 */
import type { PoolMemory, UnitMemory } from './memory.ts'

/**
 * @param aheadMs how far the other clock is known to have been ahead of ours; 0 when nothing is known.
 * @returns a memory of its own.
 */
export function adoptMemory(memory: PoolMemory, aheadMs: number, nowMs: number): PoolMemory {
  const past = (atMs: number) => Math.min(atMs - aheadMs, nowMs)
  const units = [...memory.units].map(([id, unit]) => [id, adoptUnit(unit, past, nowMs)] as const)
  const backoff: PoolMemory['backoff'] = {}
  for (const [kind, { failures, untilMs }] of Object.entries(memory.backoff)) {
    backoff[kind as keyof PoolMemory['backoff']] = { failures, untilMs: untilMs - aheadMs }
  }
  return {
    ...memory,
    units: new Map(units),
    backoff,
    asked: memory.asked === null ? null : { ...memory.asked, atMs: past(memory.asked.atMs) },
    foreignMs: memory.foreignMs === null ? null : past(memory.foreignMs),
    // That something is gone is proven anew.
    gone: {},
  }
}

function adoptUnit(unit: UnitMemory, past: (atMs: number) => number, nowMs: number): UnitMemory {
  const orNull = (atMs: number | null) => (atMs === null ? null : past(atMs))
  const again = (atMs: number | null) => (atMs === null ? null : nowMs)
  const { cordon } = unit
  return {
    ...unit,
    // That a node never came is a proof as well.
    firstSeenMs: unit.readyMs === null ? nowMs : past(unit.firstSeenMs),
    stateSinceMs: past(unit.stateSinceMs),
    atRiskMs: orNull(unit.atRiskMs),
    endedMs: orNull(unit.endedMs),
    goneMs: orNull(unit.goneMs),
    readyMs: orNull(unit.readyMs),
    idleSinceMs: orNull(unit.idleSinceMs),
    waitingSinceMs: orNull(unit.waitingSinceMs),
    completedMs: orNull(unit.completedMs),
    emptySinceMs: again(unit.emptySinceMs),
    unfitSinceMs: again(unit.unfitSinceMs),
    committedMs: again(unit.committedMs),
    drainedMs: again(unit.drainedMs),
    cordon: cordon && {
      ...cordon,
      askedMs: past(cordon.askedMs),
      seenMs: again(cordon.seenMs),
    },
  }
}
