/**
 * What is remembered of pools, and of each of their machines in a row of its own. Of a thousand machines a look
 * changes a few, and only those are written: what is the same object as it was is the same.
 */
import { emptyMemory, newUnit, type PoolMemory, type UnitMemory } from '../memory.ts'
import type { Lease } from '../ports.ts'
import type { Statements } from './statements.ts'

export interface MemoryRows {
  load(): Map<string, PoolMemory>
  /** What has to be written of a pool; null when all of it is as it was written last under this lease. */
  changeOf(lease: Lease, memory: PoolMemory): MemoryChange | null
  write(change: MemoryChange): void
  /** The transaction that it was written in is over. */
  noteWritten(lease: Lease, change: MemoryChange): void
}

interface MemoryChange {
  pool: string
  /** All but the machines, as JSON. */
  json: string
  units: PoolMemory['units']
  /** As they stand in the file; null when that is not known. */
  before: Written | null
}

interface Written {
  /** Under another one, somebody else may have written since. */
  fence: number
  json: string
  units: PoolMemory['units']
}

export function memoryCalls(sql: Statements): MemoryRows {
  const written = new Map<string, Written>()
  return {
    load: () => load(sql),
    changeOf({ fence }, { units, ...rest }) {
      const { pool } = rest
      const json = JSON.stringify(rest)
      const known = written.get(pool)
      const before = known?.fence === fence ? known : null
      const isSame = before !== null && before.json === json && before.units === units
      return isSame ? null : { pool, json, units, before }
    },
    write({ pool, json, units, before }) {
      if (before?.json !== json) writePool(sql, pool, json)
      if (before === null) sql.run('DELETE FROM units WHERE pool = ?', pool)
      else if (before.units !== units) forget(sql, pool, before.units, units)
      for (const [id, unit] of units) {
        if (before?.units.get(id) !== unit) writeUnit(sql, pool, id, unit)
      }
    },
    noteWritten({ fence }, { pool, json, units }) {
      written.set(pool, { fence, json, units })
    },
  }
}

function load(sql: Statements): Map<string, PoolMemory> {
  const pools = sql.all<{ pool: string; json: string }>('SELECT pool, json FROM memory')
  return new Map(
    pools.map(({ pool, json }) => {
      // What a newer version remembers besides is empty in what an older one wrote.
      const rest = JSON.parse(json) as Partial<PoolMemory>
      return [pool, { ...emptyMemory(pool), ...rest, units: loadUnits(sql, pool) }]
    }),
  )
}

function loadUnits(sql: Statements, pool: string): PoolMemory['units'] {
  const rows = sql.all<{ instance: string; json: string }>(
    'SELECT instance, json FROM units WHERE pool = ?',
    pool,
  )
  return new Map(
    rows.map(({ instance, json }) => {
      const unit = JSON.parse(json) as UnitMemory
      return [instance, { ...newUnit(unit.firstSeenMs), ...unit }]
    }),
  )
}

function writePool(sql: Statements, pool: string, json: string): void {
  sql.run(
    `INSERT INTO memory (pool, json) VALUES (?, ?)
     ON CONFLICT (pool) DO UPDATE SET json = excluded.json`,
    pool,
    json,
  )
}

function writeUnit(sql: Statements, pool: string, id: string, unit: UnitMemory): void {
  sql.run(
    `INSERT INTO units (pool, instance, json) VALUES (?, ?, ?)
     ON CONFLICT (pool, instance) DO UPDATE SET json = excluded.json`,
    pool,
    id,
    JSON.stringify(unit),
  )
}

/** Machines that left. */
function forget(
  sql: Statements,
  pool: string,
  before: PoolMemory['units'],
  units: PoolMemory['units'],
): void {
  for (const id of before.keys()) {
    if (!units.has(id)) sql.run('DELETE FROM units WHERE pool = ? AND instance = ?', pool, id)
  }
}
