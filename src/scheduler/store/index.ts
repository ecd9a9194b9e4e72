/**
 * Where builds and slices are kept.
 *
 * Reads go through `store.read`; writes through `store.write`, one transaction each. The work of a
 * transaction awaits nothing but the store: whatever else it awaited would hold up every other write.
 */
import { Kysely, type Transaction } from 'kysely'
import type { RandomSource } from '../../platform/index.ts'
import { migrate } from './migrations.ts'
import { sqliteDialect } from './sqlite.ts'
import type { Tables } from './tables.ts'

export type * from './tables.ts'
export * from './builds.ts'
export * from './slices.ts'
export * from './reports.ts'

/** Answers queries; a transaction is one too. */
export type Reader = Kysely<Tables>
export type Writer = Transaction<Tables>

export interface Store {
  readonly read: Reader
  /** Names this installation in its Nomad jobs. */
  readonly installId: string
  /** Commits when the work is done, takes all of it back when it throws. */
  write<T>(work: (writer: Writer) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/**
 * Opens the store, makes it when there is none, and brings it to this version.
 *
 * @param file path of the SQLite file, or `:memory:`.
 * @param nowMs wall clock.
 * @throws CaravanError STORE_FAILED when it cannot be opened or was written by a newer version.
 */
export async function openStore(
  file: string,
  deps: { nowMs: number; random: RandomSource },
): Promise<Store> {
  const database = new Kysely<Tables>({ dialect: sqliteDialect(file) })
  try {
    await migrate(database)
    const installId = await readInstallId(database, deps)
    return {
      read: database,
      installId,
      write: (work) => database.transaction().execute(work),
      close: () => database.destroy(),
    }
  } catch (cause) {
    await database.destroy()
    throw cause
  }
}

async function readInstallId(
  database: Reader,
  deps: { nowMs: number; random: RandomSource },
): Promise<string> {
  await database
    .insertInto('installation')
    .values({
      id: 1,
      install_id: Buffer.from(deps.random.bytes(8)).toString('hex'),
      created_ms: deps.nowMs,
      last_build_number: 0,
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute()
  const row = await database
    .selectFrom('installation')
    .select('install_id')
    .executeTakeFirstOrThrow()
  return row.install_id
}
