/** The store on PostgreSQL. The only room that knows `pg`, which is loaded when it is used. */
import { PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely'
import { CaravanError } from '../../../model/index.ts'
import type { Backend, BackendDeps } from '../backend.ts'
import { toStoreFailure, type Dialect } from '../connection.ts'
import { showLocation, type PostgresLocation } from '../location.ts'
import type { SnapshotConnection } from '../snapshot.ts'
import { configure, connectionOn, query, sqlState, toConfig } from './client.ts'
import { PostgresWriter } from './writer.ts'

/** Views and agents' calls; each is short. PostgreSQL pays for every connection with a process. */
const READERS_MAX = 4

/** Long enough that a quiet minute does not cost a new connection. */
const READER_IDLE_MS = 60_000

/** @throws CaravanError STORE_FAILED when it cannot be reached, or another server uses it. */
export async function openPostgres(
  location: PostgresLocation,
  deps: BackendDeps,
): Promise<Backend> {
  const { default: pg } = await import('pg')
  const writer = new PostgresWriter(pg, location, deps)
  await writer.connect()
  const pool = new pg.Pool({
    ...toConfig(pg, location),
    max: READERS_MAX,
    idleTimeoutMillis: READER_IDLE_MS,
    onConnect: (client) => configure(client, location.schema, 'caravan reader') as unknown as void,
  })
  // A connection that breaks while it idles; the next read takes another one.
  pool.on('error', (cause) => deps.log.debug('an idle connection of the store broke', { cause }))
  return {
    dialect: postgresDialect,
    reader: {
      async send(statement) {
        try {
          return await query(pool, statement)
        } catch (cause) {
          if (sqlState(cause) !== null) throw toStoreFailure(cause, statement.sql)
          throw new CaravanError('STORE_FAILED', 'PostgreSQL can not be reached', { cause })
        }
      },
    },
    connect: () => writer.connect(),
    fault: () => writer.fault(),
    async close() {
      await writer.close()
      await pool.end()
    },
  }
}

/** @throws CaravanError STORE_FAILED when it cannot be reached. */
export async function openPostgresSnapshot(
  location: PostgresLocation,
): Promise<SnapshotConnection> {
  const { default: pg } = await import('pg')
  const client = new pg.Client(toConfig(pg, location))
  const connection = connectionOn(client)
  try {
    await client.connect()
    await configure(client, location.schema, 'caravan snapshot')
    await connection.control('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  } catch (cause) {
    await client.end().catch(() => undefined)
    const message = `PostgreSQL at ${showLocation(location)} can not be reached`
    throw new CaravanError('STORE_FAILED', message, { cause })
  }
  return { dialect: postgresDialect, connection, close: () => client.end() }
}

/** serialization_failure and deadlock_detected. */
const TRANSIENT = new Set(['40001', '40P01'])

export const postgresDialect: Dialect = {
  begin: 'BEGIN',
  isTransient: (cause) => TRANSIENT.has(sqlState(cause) ?? ''),
  createAdapter: () => new PostgresAdapter(),
  createQueryCompiler: () => new PostgresQueryCompiler(),
  createIntrospector: (database) => new PostgresIntrospector(database),
}
