/** A database that keeps the store: which one the settings name, and what the store needs of it. */
import type { Clock, Log, RandomSource } from '../../platform/index.ts'
import type { Connection, Dialect } from './connection.ts'
import type { StoreLocation } from './location.ts'

export interface Backend {
  readonly dialect: Dialect
  /** Sees what is committed, and waits for no transaction. */
  readonly reader: Pick<Connection, 'send'>
  /** The one connection that writes, opened again when it was lost. @throws CaravanError STORE_FAILED. */
  connect(): Promise<Connection>
  /** What is wrong with it right now; null when nothing is. */
  fault(): string | null
  close(): Promise<void>
}

export interface BackendDeps {
  clock: Clock
  random: RandomSource
  log: Log
}

/**
 * Loads what the backend needs, and opens it.
 *
 * @throws CaravanError STORE_FAILED when there is no such database, or another server uses it.
 */
export async function openBackend(location: StoreLocation, deps: BackendDeps): Promise<Backend> {
  if (location.kind === 'sqlite') {
    return (await import('./sqlite/backend.ts')).openSqlite(location, deps)
  }
  return (await import('./postgres/backend.ts')).openPostgres(location, deps)
}
