/**
 * What changed of what pools remember since it was stored last: of a thousand machines a few in each look, so
 * that neither all of it is turned into text nor all of it is written.
 */
import { copyUnit, type Cordon, type PoolMemory, type UnitMemory } from './memory.ts'

export interface MemoryChange {
  pool: string
  /** All but the units; null when that is as it was. */
  facts: Omit<PoolMemory, 'units'> | null
  /** By instance id, those that are new or changed, and null for those that were forgotten. */
  units: ReadonlyMap<string, UnitMemory | null>
  /** There are no units but these: what is stored of others goes. */
  isWhole: boolean
}

/** As it was stored: what is remembered is changed in place, so that these are copies. */
interface Stored {
  facts: string
  units: Map<string, UnitMemory>
}

export class Changes {
  readonly #stored = new Map<string, Stored>()

  /** @returns null when nothing changed. */
  of({ units, ...facts }: PoolMemory): MemoryChange | null {
    const { pool } = facts
    const known = this.#stored.get(pool)
    const changed = new Map<string, UnitMemory | null>()
    let count = 0
    for (const id in units) {
      const unit = units[id]
      if (unit === undefined) continue
      count += 1
      const before = known?.units.get(id)
      if (before === undefined || !isSame(before, unit)) changed.set(id, unit)
    }
    if (known !== undefined && count < known.units.size + added(changed, known.units)) {
      for (const id of known.units.keys()) if (units[id] === undefined) changed.set(id, null)
    }
    const isSameElse = known?.facts === JSON.stringify(facts)
    if (isSameElse && changed.size === 0) return null
    return { pool, facts: isSameElse ? null : facts, units: changed, isWhole: known === undefined }
  }

  /** It has been stored. */
  keep({ pool, facts, units }: MemoryChange): void {
    const known = this.#stored.get(pool) ?? { facts: '', units: new Map<string, UnitMemory>() }
    this.#stored.set(pool, known)
    if (facts !== null) known.facts = JSON.stringify(facts)
    for (const [id, unit] of units) {
      if (unit === null) known.units.delete(id)
      else known.units.set(id, copyUnit(unit))
    }
  }

  /** Somebody else has written since. */
  clear(): void {
    this.#stored.clear()
  }
}

function added(
  changed: ReadonlyMap<string, UnitMemory | null>,
  known: ReadonlyMap<string, UnitMemory>,
): number {
  let count = 0
  for (const id of changed.keys()) if (!known.has(id)) count += 1
  return count
}

/** Field by field: by name in a loop it takes three times as long, and it is asked of each machine in each look. */
function isSame(a: UnitMemory, b: UnitMemory): boolean {
  return (
    a.state === b.state &&
    a.stateSinceMs === b.stateSinceMs &&
    a.idleSinceMs === b.idleSinceMs &&
    a.emptySinceMs === b.emptySinceMs &&
    a.isProtectedByUs === b.isProtectedByUs &&
    a.isInService === b.isInService &&
    a.firstSeenMs === b.firstSeenMs &&
    a.readyMs === b.readyMs &&
    a.voidMarkMs === b.voidMarkMs &&
    a.atRiskMs === b.atRiskMs &&
    a.unfitSinceMs === b.unfitSinceMs &&
    a.committedMs === b.committedMs &&
    a.isDecremented === b.isDecremented &&
    a.waitingSinceMs === b.waitingSinceMs &&
    a.drainedMs === b.drainedMs &&
    a.completedMs === b.completedMs &&
    a.completedHook === b.completedHook &&
    a.isReported === b.isReported &&
    a.hasDeparted === b.hasDeparted &&
    a.endedMs === b.endedMs &&
    isSameCordon(a.cordon, b.cordon)
  )
}

function isSameCordon(a: Cordon | null, b: Cordon | null): boolean {
  if (a === null || b === null) return a === b
  return a.reason === b.reason && a.askedMs === b.askedMs && a.seenMs === b.seenMs
}
