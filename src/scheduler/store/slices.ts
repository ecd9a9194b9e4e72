/** Slices in the store. */
import { sql, type Compilable } from 'kysely'
import {
  LIVE_SLICE_STATES,
  SLICE_STATES,
  type BuildId,
  type Reason,
  type Result,
  type SliceState,
} from '../../model/index.ts'
import { toStorableRow } from './connection.ts'
import type { Reader, Writer } from './index.ts'
import type { SliceRow } from './tables.ts'
import { sendAhead, sendComposed } from './transaction.ts'

/** Where a slice is found: the columns of its key. */
export interface SlicePlace {
  build: BuildId
  index: number
}

/** Rows in one statement: SQLite binds at most 32,766 values. */
const INSERT_ROWS_MAX = 500

export async function insertSlices(writer: Writer, slices: readonly SliceRow[]): Promise<void> {
  for (let start = 0; start < slices.length; start += INSERT_ROWS_MAX) {
    const rows = slices.slice(start, start + INSERT_ROWS_MAX)
    await sendAhead(writer, writer.insertInto('slices').values(rows))
  }
}

export async function readSlice(reader: Reader, place: SlicePlace): Promise<SliceRow | null> {
  const row = await reader
    .selectFrom('slices')
    .selectAll()
    .where('build_id', '=', place.build)
    .where('slice_index', '=', place.index)
    .executeTakeFirst()
  return row ?? null
}

/** In the order of their indexes. */
export async function readSlices(reader: Reader, build: BuildId): Promise<SliceRow[]> {
  return reader
    .selectFrom('slices')
    .selectAll()
    .where('build_id', '=', build)
    .orderBy('slice_index')
    .execute()
}

/** Every slice that has no result yet, or whose Nomad job may still run. */
export async function readOpenSlices(reader: Reader): Promise<SliceRow[]> {
  const live = await reader
    .selectFrom('slices')
    .selectAll()
    .where('state', 'in', LIVE_SLICE_STATES)
    .execute()
  const lingering = await reader
    .selectFrom('slices')
    .selectAll()
    // Literal, not bound: only then does SQLite see that the partial index will do.
    .where('job_open', '=', sql.lit(1))
    .where('state', 'not in', LIVE_SLICE_STATES)
    .execute()
  return [...live, ...lingering]
}

/** The states that slices of the build are in, each once. One look at an index for each state there is. */
export async function readSliceStates(reader: Reader, build: BuildId): Promise<SliceState[]> {
  const { rows } = await sql<{ state: SliceState }>`
    with known(state) as (values ${sql.join(SLICE_STATES.map((state) => sql`(${state})`))})
    select known.state as state from known where exists (
      select 1 from slices where build_id = ${build} and slices.state = known.state)`.execute(
    reader,
  )
  return rows.map((row) => row.state)
}

/** Why the first slice that ended so did. */
export async function readReason(
  reader: Reader,
  build: BuildId,
  result: Result,
): Promise<Reason | null> {
  const row = await reader
    .selectFrom('slices')
    .select('reason')
    .where('build_id', '=', build)
    .where('state', '=', result)
    .orderBy('slice_index')
    .limit(1)
    .executeTakeFirst()
  return row?.reason ?? null
}

/**
 * Compare-and-set on state and version.
 *
 * @returns the row as it is now, or null when it is no longer as it was `before`.
 */
export async function updateSlice(
  writer: Writer,
  before: SliceRow,
  change: Partial<SliceRow>,
): Promise<SliceRow | null> {
  const set = toStorableRow({ ...change, version: before.version + 1 })
  const guard = [before.build_id, before.slice_index, before.state, before.version]
  const statement = {
    name: `slice ${Object.keys(set).join()}`,
    parameters: [...Object.values(set), ...guard],
    compose: () => composeUpdate(writer, before, set),
  }
  const { numAffectedRows } = await sendComposed(writer, statement)
  // Not read back: every column of every change would cross from the database's thread.
  return numAffectedRows === 1n ? { ...before, ...set } : null
}

function composeUpdate(writer: Writer, before: SliceRow, set: Partial<SliceRow>): Compilable {
  return (
    writer
      .updateTable('slices')
      .set(set)
      .where('build_id', '=', before.build_id)
      .where('slice_index', '=', before.slice_index)
      // An expression, so that no planner takes the index of states: it holds thousands of one build.
      .where(sql`state || ''`, '=', before.state)
      .where('version', '=', before.version)
  )
}
