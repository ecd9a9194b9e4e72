/** The store in one SQLite file: the embedded default. */
import { SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely'
import type { Backend, BackendDeps } from '../backend.ts'
import type { Dialect } from '../connection.ts'
import type { SqliteLocation } from '../location.ts'
import { startSqliteThread } from './thread.ts'

/** A healthy disk answers within milliseconds. */
const SILENCE_MS = 15_000

/** @throws CaravanError STORE_FAILED when the file cannot be opened. */
export async function openSqlite(
  { file, synchronous }: SqliteLocation,
  { clock }: Pick<BackendDeps, 'clock'>,
): Promise<Backend> {
  const thread = await startSqliteThread({ file, synchronous, readOnly: false }, clock)
  return {
    dialect: sqliteDialect,
    reader: thread.reader,
    connect: () => Promise.resolve(thread.writer),
    fault() {
      const lost = thread.writer.lost()
      if (lost !== null) return lost.message
      const silentMs = thread.silentMs()
      if (silentMs < SILENCE_MS) return null
      return `the store has not answered for ${Math.round(silentMs / 1000)} s`
    },
    close: () => thread.close(),
  }
}

/** Kysely takes turns on its only connection; ours takes statements at any time, in their order. */
class OrderedAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true
  }
}

export const sqliteDialect: Dialect = {
  // Takes the write lock at once: a transaction that reads first can then not fail on its first write.
  begin: 'BEGIN IMMEDIATE',
  // Who waited for the lock in vain has waited long enough.
  isTransient: () => false,
  createAdapter: () => new OrderedAdapter(),
  createQueryCompiler: () => new SqliteQueryCompiler(),
  createIntrospector: (database) => new SqliteIntrospector(database),
}
