/** Epochs of slices that another epoch has followed, in the store. */
import { sql } from 'kysely'
import type { BuildId, Reason } from '../../model/index.ts'
import type { Reader, Writer } from './index.ts'
import type { AttemptPlace } from './reports.ts'
import type { SlicePlace } from './slices.ts'
import type { EarlierAttemptRow, SliceRow } from './tables.ts'
import { sendAhead } from './transaction.ts'

/** Keeps how this epoch of the slice ended, before the next one takes its place in the row. */
export async function insertEarlierAttempt(
  writer: Writer,
  slice: SliceRow,
  end: { reason: Reason; detail: string; finished_ms: number },
): Promise<void> {
  const row: EarlierAttemptRow = {
    build_id: slice.build_id,
    slice_index: slice.slice_index,
    epoch: slice.epoch,
    nomad_job_id: slice.nomad_job_id,
    job_open: slice.job_open,
    job_modify_index: slice.job_modify_index,
    allocation_id: slice.allocation_id,
    node_id: slice.node_id,
    node_name: slice.node_name,
    queued_ms: slice.queued_ms,
    submitted_ms: slice.submitted_ms,
    placed_ms: slice.placed_ms,
    claimed_ms: slice.claimed_ms,
    started_ms: slice.started_ms,
    ...end,
  }
  await sendAhead(writer, writer.insertInto('earlier_attempts').values(row))
}

/** Of one slice, or of all slices of a build; oldest first. */
export async function readEarlierAttempts(
  reader: Reader,
  place: { build: BuildId } | SlicePlace,
): Promise<EarlierAttemptRow[]> {
  const query = reader
    .selectFrom('earlier_attempts')
    .selectAll()
    .where('build_id', '=', place.build)
    .orderBy('slice_index')
    .orderBy('epoch')
  return ('index' in place ? query.where('slice_index', '=', place.index) : query).execute()
}

/** Those whose Nomad job may still run, no more than `limit`. */
export async function readOpenEarlierAttempts(
  reader: Reader,
  limit: number,
): Promise<EarlierAttemptRow[]> {
  return (
    reader
      .selectFrom('earlier_attempts')
      .selectAll()
      // Literal, not bound: only then does SQLite see that the partial index will do.
      .where('job_open', '=', sql.lit(1))
      .orderBy('finished_ms')
      .limit(limit)
      .execute()
  )
}

/** Nomad runs nothing of its job any more. */
export async function closeEarlierAttempt(writer: Writer, place: AttemptPlace): Promise<void> {
  const query = writer
    .updateTable('earlier_attempts')
    .set({ job_open: 0 })
    .where('build_id', '=', place.build)
    .where('slice_index', '=', place.index)
    .where('epoch', '=', place.epoch)
  await sendAhead(writer, query)
}
