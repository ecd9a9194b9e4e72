/** What there is one of in a store: its name, its numbers, who used it last. */
import type { RandomSource } from '../../platform/index.ts'
import type { Reader, Writer } from './index.ts'
import type { InstallationRow } from './tables.ts'
import { sendAhead } from './transaction.ts'

/** Makes it when there is none, and counts that it was opened. */
export async function takeInstallation(
  writer: Writer,
  deps: { nowMs: number; random: RandomSource },
): Promise<InstallationRow> {
  await writer
    .insertInto('installation')
    .values({
      id: 1,
      install_id: Buffer.from(deps.random.bytes(8)).toString('hex'),
      created_ms: deps.nowMs,
      last_build_number: 0,
      generation: 0,
      restored_ms: null,
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute()
  return writer
    .updateTable('installation')
    .set((value) => ({ generation: value('generation', '+', 1) }))
    .returningAll()
    .executeTakeFirstOrThrow()
}

/** @returns the number of the next build, taken with the transaction. */
export async function takeBuildNumber(writer: Writer): Promise<number> {
  const row = await writer
    .updateTable('installation')
    .set((value) => ({ last_build_number: value('last_build_number', '+', 1) }))
    .returning('last_build_number')
    .executeTakeFirstOrThrow()
  return row.last_build_number
}

export async function readLastBuildNumber(reader: Reader): Promise<number> {
  const row = await reader
    .selectFrom('installation')
    .select('last_build_number')
    .executeTakeFirstOrThrow()
  return row.last_build_number
}

/** @param generation above the one before: whoever had the store until now is to notice. */
export async function markRestored(
  writer: Writer,
  { generation, nowMs }: { generation: number; nowMs: number },
): Promise<void> {
  const change = { generation, restored_ms: nowMs }
  await sendAhead(writer, writer.updateTable('installation').set(change))
}

/** @param lastNumber of the builds that Nomad still knows: it is not given again. */
export async function endRestore(writer: Writer, lastNumber: number): Promise<void> {
  const known = await readLastBuildNumber(writer)
  const change = { restored_ms: null, last_build_number: Math.max(known, lastNumber) }
  await sendAhead(writer, writer.updateTable('installation').set(change))
}
