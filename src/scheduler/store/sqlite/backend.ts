/** The store in one SQLite file: the embedded default. */
import { SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely'
import { CaravanError, isCaravanError } from '../../../model/index.ts'
import type { Backend, BackendDeps } from '../backend.ts'
import type { Dialect } from '../connection.ts'
import type { SqliteLocation } from '../location.ts'
import type { SnapshotConnection } from '../snapshot.ts'
import { openInPlace } from './in-place.ts'
import { startSqliteThread, type SqliteThread } from './thread.ts'

/** A healthy disk answers within milliseconds. */
const SILENCE_MS = 15_000

/** @throws CaravanError STORE_FAILED when the file cannot be opened. */
export async function openSqlite(
  { file, synchronous, thread: where }: SqliteLocation,
  { clock }: Pick<BackendDeps, 'clock'>,
): Promise<Backend> {
  const options = { file, synchronous, readOnly: false }
  const thread = await orRefused(file, async () =>
    where === 'main' ? openInPlace(options) : startSqliteThread(options, clock),
  )
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

/** @throws CaravanError STORE_FAILED when there is no such file. */
export async function openSqliteSnapshot({ file }: SqliteLocation): Promise<SnapshotConnection> {
  const options = { file, synchronous: 'normal', readOnly: true } as const
  const database = await orRefused(file, async () => openInPlace(options))
  await database.reader.control('BEGIN')
  return { dialect: sqliteDialect, connection: database.reader, close: () => database.close() }
}

async function orRefused(file: string, open: () => Promise<SqliteThread>): Promise<SqliteThread> {
  try {
    return await open()
  } catch (failure) {
    const cause = isCaravanError(failure) ? (failure.cause ?? failure) : failure
    throw new CaravanError('STORE_FAILED', `the store can not be opened: ${file}`, { cause })
  }
}
