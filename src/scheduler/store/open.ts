/** The store as its users have it, and how it is opened. */
import type { Kysely, Transaction } from 'kysely'
import { CaravanError } from '../../model/index.ts'
import {
  silentLog,
  systemClock,
  type Clock,
  type Log,
  type RandomSource,
} from '../../platform/index.ts'
import { openBackend, type Backend } from './backend.ts'
import { queriesOn, type Connection } from './connection.ts'
import { takeInstallation } from './installation.ts'
import { parseStoreUrl } from './location.ts'
import { migrate } from './migrations.ts'
import type { InstallationRow, Tables } from './tables.ts'
import { createWriteLane, type WriteLane } from './write-lane.ts'

/** Answers queries; a transaction is one too. */
export type Reader = Kysely<Tables>
export type Writer = Transaction<Tables>

export interface Store {
  readonly read: Reader
  /** Names this installation in its Nomad jobs. */
  readonly installId: string
  /** When a backup took the place of everything; null when Nomad's newer jobs are settled since. */
  readonly restoredMs: number | null
  /**
   * Commits when the work is done, takes all of it back when it throws. Durable when it returns.
   *
   * @throws what the work throws, or CaravanError STORE_FAILED; with `detail.outcome` `unknown` when the
   * connection went away during the commit.
   */
  write<T>(work: (writer: Writer) => Promise<T>): Promise<T>
  /** What is wrong with it right now; null when nothing is. */
  fault(): string | null
  /** Finishes what was begun. */
  close(): Promise<void>
}

export interface StoreDeps {
  /** Wall clock. */
  nowMs: number
  random: RandomSource
  /** Paths count from it; from the working directory when absent. */
  dataDir?: string
  clock?: Clock
  log?: Log
}

/**
 * Opens the store, makes it when there is none, and brings it to this version.
 *
 * @param url `sqlite:FILE`, `postgres://...`, a path, or `:memory:`.
 * @throws CaravanError STORE_FAILED when it cannot be opened, was written by a newer version, or is in
 * use by another server; SETTINGS_INVALID when the URL makes no sense.
 */
export async function openStore(url: string, deps: StoreDeps): Promise<Store> {
  const { clock = systemClock, log = silentLog, random } = deps
  const location = parseStoreUrl(url, deps.dataDir ?? '')
  const backend = await openBackend(location, { clock, log, random })
  const owner = new Owner(backend)
  const lane = createWriteLane({ connect: () => owner.connect(), dialect: backend.dialect, clock })
  try {
    await lane.write((writer) => migrate(writer, new Date(deps.nowMs).toISOString()))
    const installation = await lane.write((writer) => takeInstallation(writer, deps))
    owner.generation = installation.generation
    return toStore(backend, lane, installation)
  } catch (cause) {
    await lane.close()
    await backend.close()
    throw cause
  }
}

function toStore(backend: Backend, lane: WriteLane, installation: InstallationRow): Store {
  let closing: Promise<void> | null = null
  return {
    read: queriesOn(backend.dialect, backend.reader),
    installId: installation.install_id,
    restoredMs: installation.restored_ms,
    write: (work) => lane.write(work),
    fault: () => backend.fault(),
    close: () => (closing ??= lane.close().then(() => backend.close())),
  }
}

/** Makes sure, after the connection was lost, that nobody else has written in between. */
class Owner {
  generation: number | null = null
  readonly #backend: Backend
  #checked: Connection | null = null

  constructor(backend: Backend) {
    this.#backend = backend
  }

  async connect(): Promise<Connection> {
    const connection = await this.#backend.connect()
    if (connection === this.#checked) return connection
    if (this.generation !== null) {
      const sql = 'select generation from installation'
      const { rows } = await connection.send({ sql, parameters: [] })
      const [row] = rows as { generation: number }[]
      if (row?.generation !== this.generation) {
        const message = 'another Caravan server has used the store meanwhile: restart this one'
        throw new CaravanError('STORE_FAILED', message)
      }
    }
    this.#checked = connection
    return connection
  }
}
