/** A store as it is at one moment, while its server goes on. */
import { existsSync } from 'node:fs'
import { CaravanError, isCaravanError } from '../../model/index.ts'
import { queriesOn, type Connection, type Dialect } from './connection.ts'
import type { Reader } from './index.ts'
import { parseStoreUrl, showLocation, type StoreLocation } from './location.ts'
import { findMissing } from './migrations.ts'

export interface Snapshot {
  read: Reader
  location: StoreLocation
  /** Whether a migration is missing in it, so that it cannot be read as it is. */
  isOlder: boolean
  close: () => Promise<void>
}

/** A connection in a transaction that sees one moment and writes nothing. */
export interface SnapshotConnection {
  dialect: Dialect
  connection: Pick<Connection, 'send'>
  close: () => Promise<void>
}

/**
 * Takes no lock: the server whose store it is may run.
 *
 * @param url as in the settings. @param folder paths count from it.
 * @throws CaravanError STORE_FAILED when there is no store, or a newer version wrote it.
 */
export async function openSnapshot(url: string, folder: string): Promise<Snapshot> {
  const location = parseStoreUrl(url, folder)
  const { dialect, connection, close } = await openConnection(location)
  try {
    const read = queriesOn(dialect, connection)
    const missing = await findMissing(read).catch((cause: unknown) => {
      // It could be read, and says so itself.
      if (isCaravanError(cause) && cause.detail['unknown'] !== undefined) throw cause
      const message = `there is no store of Caravan in ${showLocation(location)}`
      throw new CaravanError('STORE_FAILED', message, { cause })
    })
    return { read, location, isOlder: missing.length > 0, close }
  } catch (cause) {
    await close()
    throw cause
  }
}

/** One line about the store, for people. @throws CaravanError STORE_FAILED when it can not be used. */
export async function describeStore(url: string, folder: string): Promise<string> {
  const location = parseStoreUrl(url, folder)
  const place = showLocation(location)
  const isNew = `${place}, which the server makes when it starts`
  if (location.kind === 'sqlite' && !existsSync(location.file)) return isNew
  const { dialect, connection, close } = await openConnection(location)
  try {
    const [table] = await queriesOn(dialect, connection).introspection.getTables()
    if (table === undefined) return isNew
    const missing = await findMissing(queriesOn(dialect, connection))
    return missing.length === 0 ? place : `${place}, which the server brings forward when it starts`
  } finally {
    await close()
  }
}

async function openConnection(location: StoreLocation): Promise<SnapshotConnection> {
  if (location.kind === 'sqlite') {
    return (await import('./sqlite/backend.ts')).openSqliteSnapshot(location)
  }
  return (await import('./postgres/backend.ts')).openPostgresSnapshot(location)
}
