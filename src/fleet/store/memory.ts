/** What pools remember, in rows: one for each machine, since a few of a thousand change at a time. */
import type { MemoryChange } from '../changes.ts'
import { emptyMemory, newUnit, type PoolMemory, type UnitMemory } from '../memory.ts'
import type { Statements } from './statements.ts'

interface Row {
  pool: string
  /** Of a unit; null for what the pool remembers besides. */
  id: string | null
  json: string
}

/** What a newer version remembers besides is empty in what an older one wrote. */
export function loadMemory(sql: Statements): Map<string, PoolMemory> {
  // In one statement: whoever only looks must not see the half of a newer write.
  const rows = sql.all<Row>(
    'SELECT pool, NULL AS id, json FROM memory UNION ALL SELECT pool, id, json FROM units',
  )
  const memories = new Map<string, PoolMemory>()
  for (const [pool, own] of Map.groupBy(rows, (row) => row.pool)) {
    const facts = own.find(({ id }) => id === null)?.json ?? '{}'
    const memory = { ...emptyMemory(pool), ...(JSON.parse(facts) as Partial<PoolMemory>) }
    const units = [
      // An older version had them here.
      ...Object.entries(memory.units),
      ...own.flatMap(({ id, json }) =>
        id === null ? [] : [[id, JSON.parse(json) as UnitMemory] as const],
      ),
    ].map(([id, unit]) => [id, { ...newUnit(unit.firstSeenMs), ...unit }] as const)
    memories.set(pool, { ...memory, units: Object.fromEntries(units) })
  }
  return memories
}

/** Within a transaction. */
export function writeMemory(sql: Statements, change: MemoryChange): void {
  const { pool, facts, units, isWhole } = change
  if (facts !== null) {
    sql.run(
      `INSERT INTO memory (pool, json) VALUES (?, ?)
       ON CONFLICT (pool) DO UPDATE SET json = excluded.json`,
      pool,
      JSON.stringify(facts),
    )
  }
  if (isWhole) sql.run('DELETE FROM units WHERE pool = ?', pool)
  for (const [id, unit] of units) {
    if (unit === null) sql.run('DELETE FROM units WHERE pool = ? AND id = ?', pool, id)
    else {
      sql.run(
        `INSERT INTO units (pool, id, json) VALUES (?, ?, ?)
         ON CONFLICT (pool, id) DO UPDATE SET json = excluded.json`,
        pool,
        id,
        JSON.stringify(unit),
      )
    }
  }
}
