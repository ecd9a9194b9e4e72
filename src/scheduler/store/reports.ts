/** What agents reported, in the store: attempts, steps and notices, all by epoch. */
import type { BuildId } from '../../model/index.ts'
import type { Reader, Writer } from './index.ts'
import type { SlicePlace } from './slices.ts'
import type { AttemptRow, NoticeRow, StepRow } from './tables.ts'
import { sendAhead } from './transaction.ts'

export interface AttemptPlace extends SlicePlace {
  epoch: number
}

export async function readAttempt(reader: Reader, place: AttemptPlace): Promise<AttemptRow | null> {
  const row = await reader
    .selectFrom('attempts')
    .selectAll()
    .where('build_id', '=', place.build)
    .where('slice_index', '=', place.index)
    .where('epoch', '=', place.epoch)
    .executeTakeFirst()
  return row ?? null
}

/** Of all slices of these builds, of every epoch. */
export async function readAttempts(
  reader: Reader,
  builds: readonly BuildId[],
): Promise<AttemptRow[]> {
  if (builds.length === 0) return []
  return reader.selectFrom('attempts').selectAll().where('build_id', 'in', builds).execute()
}

/** @returns false when another claim of the epoch came first. */
export async function insertAttempt(writer: Writer, attempt: AttemptRow): Promise<boolean> {
  const row = await writer
    .insertInto('attempts')
    .values(attempt)
    .onConflict((conflict) => conflict.columns(['build_id', 'slice_index', 'epoch']).doNothing())
    .returning('claim_id')
    .executeTakeFirst()
  return row !== undefined
}

export async function updateAttempt(
  writer: Writer,
  place: AttemptPlace,
  change: Partial<AttemptRow>,
): Promise<void> {
  const query = writer
    .updateTable('attempts')
    .set(change)
    .where('build_id', '=', place.build)
    .where('slice_index', '=', place.index)
    .where('epoch', '=', place.epoch)
  await sendAhead(writer, query)
}

/** Steps of one epoch of one slice that were started or skipped, in order. */
export async function readSteps(reader: Reader, place: AttemptPlace): Promise<StepRow[]> {
  return reader
    .selectFrom('steps')
    .selectAll()
    .where('build_id', '=', place.build)
    .where('slice_index', '=', place.index)
    .where('epoch', '=', place.epoch)
    .orderBy('step_index')
    .orderBy('attempt')
    .execute()
}

/** Those of all slices and epochs of a build. */
export async function readBuildSteps(reader: Reader, build: BuildId): Promise<StepRow[]> {
  return reader
    .selectFrom('steps')
    .selectAll()
    .where('build_id', '=', build)
    .orderBy('slice_index')
    .orderBy('epoch')
    .orderBy('step_index')
    .orderBy('attempt')
    .execute()
}

/** Adds the step or overwrites what was known of it. */
export async function saveStep(writer: Writer, step: StepRow): Promise<void> {
  const query = writer
    .insertInto('steps')
    .values(step)
    .onConflict((conflict) =>
      conflict
        .columns(['build_id', 'slice_index', 'epoch', 'step_index', 'attempt'])
        .doUpdateSet(step),
    )
  await sendAhead(writer, query)
}

export async function insertNotice(
  writer: Writer,
  notice: Omit<NoticeRow, 'number'>,
  limit: number,
): Promise<boolean> {
  const { last } = await writer
    .selectFrom('notices')
    .select((column) => column.fn.max('number').as('last'))
    .where('build_id', '=', notice.build_id)
    .where('slice_index', '=', notice.slice_index)
    .where('epoch', '=', notice.epoch)
    .executeTakeFirstOrThrow()
  const number = (last ?? 0) + 1
  if (number > limit) return false
  await sendAhead(writer, writer.insertInto('notices').values({ ...notice, number }))
  return true
}

/** The newest of a build, of every slice and epoch, in the order in which they were written. */
export async function readNotices(
  reader: Reader,
  build: BuildId,
  limit: number,
): Promise<NoticeRow[]> {
  const rows = await reader
    .selectFrom('notices')
    .selectAll()
    .where('build_id', '=', build)
    .orderBy('at_ms', 'desc')
    .orderBy('epoch', 'desc')
    .orderBy('number', 'desc')
    .limit(limit)
    .execute()
  return rows.toReversed()
}
