/** All rows of one store, taken over into another one. */
import { sql } from 'kysely'
import type { Reader, Writer } from './index.ts'
import type { Tables } from './tables.ts'
import { sendAhead } from './transaction.ts'

/** Every table with its key, parents first. */
const TABLE_KEYS = {
  installation: ['id'],
  builds: ['id'],
  slices: ['build_id', 'slice_index'],
  attempts: ['build_id', 'slice_index', 'epoch'],
  earlier_attempts: ['build_id', 'slice_index', 'epoch'],
  steps: ['build_id', 'slice_index', 'epoch', 'step_index', 'attempt'],
  notices: ['build_id', 'slice_index', 'epoch', 'number'],
  tokens: ['id'],
} as const satisfies Record<keyof Tables, readonly string[]>

const TABLES = Object.keys(TABLE_KEYS) as (keyof Tables)[]

/** Rows in one statement: far below what SQLite binds, also for the widest table. */
const PAGE = 500

type RowCounts = Record<keyof Tables, number>

/**
 * Makes what the writer's store holds the same as what the reader's does. The reader has to stand still
 * meanwhile.
 */
export async function replaceRows(reader: Reader, writer: Writer): Promise<RowCounts> {
  for (const table of TABLES.toReversed()) await sendAhead(writer, writer.deleteFrom(table))
  const counts: RowCounts = {
    installation: 0,
    builds: 0,
    slices: 0,
    attempts: 0,
    earlier_attempts: 0,
    steps: 0,
    notices: 0,
    tokens: 0,
  }
  for (const table of TABLES) {
    for await (const rows of readPages(reader, table)) {
      // The row type does not matter here: it is the same on both sides.
      await sendAhead(writer, writer.insertInto(table as 'notices').values(rows as never))
      counts[table] += rows.length
    }
  }
  return counts
}

type Row = Readonly<Record<string, unknown>>

async function* readPages(reader: Reader, table: keyof Tables): AsyncGenerator<readonly Row[]> {
  const keys: readonly string[] = TABLE_KEYS[table]
  const columns = sql.join(keys.map((key) => sql.ref(key)))
  let last: Row | undefined
  for (;;) {
    const values = keys.map((key) => last?.[key])
    const after = last === undefined ? sql`` : sql`where (${columns}) > (${sql.join(values)})`
    const { rows } = await sql<Row>`
      select * from ${sql.table(table)} ${after} order by ${columns} limit ${sql.lit(PAGE)}
    `.execute(reader)
    if (rows.length > 0) yield rows
    if (rows.length < PAGE) return
    last = rows.at(-1)
  }
}
