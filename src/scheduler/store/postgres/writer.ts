/** The one connection that writes: opened with the ownership of the store, and again when it is lost. */
import type { Client } from 'pg'
import { CaravanError } from '../../../model/index.ts'
import { backoffMs, sleep } from '../../../platform/index.ts'
import type { BackendDeps } from '../backend.ts'
import type { Connection } from '../connection.ts'
import { showLocation, type PostgresLocation } from '../location.ts'
import { configure, connectionOn, sqlState, toConfig, type Pg } from './client.ts'
import { takeOwnership } from './ownership.ts'

/** A server that was killed: PostgreSQL sees that at once, unless it is busy for it. */
const FIRST_WAIT_MS = 10_000

/** Somebody waits for each try while the store is away. */
const LATER_WAIT_MS = 2000

const BACKOFF = { baseMs: 250, maxMs: 10_000 }

/** How long a close may take before the socket is simply dropped. */
const GOODBYE_MS = 2000

export class PostgresWriter {
  readonly #pg: Pg
  readonly #location: PostgresLocation
  readonly #deps: BackendDeps
  readonly #name: string
  readonly #closing = new AbortController()
  #current: { connection: Connection; end: () => Promise<void> } | null = null
  #attempt: Promise<Connection> | null = null
  #failure: string | null = null
  #recovery: Promise<void> | null = null
  #wasOpen = false

  constructor(pg: Pg, location: PostgresLocation, deps: BackendDeps) {
    this.#pg = pg
    this.#location = location
    this.#deps = deps
    this.#name = `caravan ${Buffer.from(deps.random.bytes(8)).toString('hex')}`
  }

  /** Why nothing can be written right now. */
  fault(): string | null {
    return this.#current?.connection.lost() === null ? null : this.#failure
  }

  connect(): Promise<Connection> {
    const known = this.#current?.connection
    if (known !== undefined && known.lost() === null) return Promise.resolve(known)
    this.#attempt ??= this.#open().finally(() => {
      this.#attempt = null
    })
    return this.#attempt
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#attempt?.catch(() => undefined)
    await this.#recovery
    await this.#current?.end()
  }

  async #open(): Promise<Connection> {
    const { clock } = this.#deps
    const client = new this.#pg.Client({ ...toConfig(this.#pg, this.#location), pipeline: true })
    const connection = connectionOn(client)
    const end = async (): Promise<void> => {
      const limit = clock.after(GOODBYE_MS, () => void client.connection.stream.destroy())
      await client.end().catch(() => undefined)
      limit.cancel()
    }
    try {
      if (this.#closing.signal.aborted) throw new Error('the store is closed')
      await client.connect()
      const { schema } = this.#location
      await configure(client, schema, this.#name)
      await takeOwnership(client, {
        schema,
        name: this.#name,
        clock,
        waitMs: this.#wasOpen ? LATER_WAIT_MS : FIRST_WAIT_MS,
        signal: this.#closing.signal,
      })
      await makeSchema(client, schema)
    } catch (cause) {
      await end()
      const failure = this.#toFailure(cause)
      this.#failure = failure.message
      throw failure
    }
    connection.onLost(() => this.#startRecovery())
    this.#wasOpen = true
    this.#current = { connection, end }
    return connection
  }

  #toFailure(cause: unknown): CaravanError {
    if (cause instanceof CaravanError) return cause
    const place = showLocation(this.#location)
    const said = sqlState(cause) === null ? 'can not be reached' : 'refused us'
    return new CaravanError('STORE_FAILED', `PostgreSQL at ${place} ${said}`, { cause })
  }

  /** Also when nobody writes: the lock has to be ours again before another server is started. */
  #startRecovery(): void {
    if (this.#closing.signal.aborted) return
    this.#failure = 'the connection to PostgreSQL is lost'
    this.#recovery ??= this.#recover().finally(() => {
      this.#recovery = null
    })
  }

  async #recover(): Promise<void> {
    const { clock, random, log } = this.#deps
    const { signal } = this.#closing
    log.warn('the store lost its connection', { cause: this.#current?.connection.lost() })
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        await this.connect()
        log.info('the store has its connection back', { failures: failures - 1 })
        return
      } catch (cause) {
        log.warn('the store is still away', { failures, cause })
        const restMs = backoffMs(failures, { ...BACKOFF, random: () => random.number() })
        await sleep(clock, restMs, signal)
      }
    }
  }
}

/** Asked first: whoever may not make schemas may still use one that was made for them. */
async function makeSchema(client: Client, schema: string): Promise<void> {
  const { rowCount } = await client.query('select 1 from pg_namespace where nspname = $1', [schema])
  if (rowCount === 0) await client.query(`create schema "${schema}"`)
}
