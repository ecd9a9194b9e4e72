/**
 * What changed of what pools remember since it was stored last: of a thousand machines a few in each look, so
 * that neither all of it is turned into text nor all of it is written.
 */
import { copyUnit, newUnit, type PoolMemory, type UnitMemory } from './memory.ts'

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

const FIELDS = Object.keys(newUnit(0)) as (keyof UnitMemory)[]

function isSame(a: UnitMemory, b: UnitMemory): boolean {
  for (const field of FIELDS) {
    if (a[field] !== b[field] && field !== 'cordon') return false
  }
  if (a.cordon === null || b.cordon === null) return a.cordon === b.cordon
  const { reason, askedMs, seenMs } = a.cordon
  return reason === b.cordon.reason && askedMs === b.cordon.askedMs && seenMs === b.cordon.seenMs
}
