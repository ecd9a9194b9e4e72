/** SQLite inside its thread: two connections to one file, and the statements that they have prepared. */
import { closeSync, openSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import type { Order, Reply, Role, ThreadOptions } from './protocol.ts'

/** How long to wait for a writer in another process, such as a person with the `sqlite3` shell. */
const BUSY_TIMEOUT_MS = 5000

/** More than the store has different statements; beyond it the ones used longest ago are prepared anew. */
const STATEMENTS_MAX = 200

/** Pages kept in memory: what is open of a large cluster. In KiB, which SQLite writes as a negative number. */
const CACHE = -32_768

export interface Database {
  /** Null when the order has to wait for the transaction that is open. */
  carryOut(order: Order): Reply | null
  close(): void
}

/** @throws what SQLite throws: no such folder, no database, a disk that is full. */
export function openDatabase({ file, synchronous, readOnly }: ThreadOptions): Database {
  const open = (more: { readOnly: boolean }): OneConnection =>
    new OneConnection(new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS, ...more }))
  if (readOnly) {
    const only = open({ readOnly: true })
    return { carryOut: (order) => only.carryOut(order), close: () => only.close() }
  }
  // SQLite's own way leaves it readable to all: sources, environment and hashes of tokens are in it.
  if (file !== ':memory:') closeSync(openSync(file, 'a', 0o600))
  const writer = open({ readOnly: false })
  writer.configure(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous};
    PRAGMA foreign_keys = ON; PRAGMA cache_size = ${CACHE}`)
  // A database in memory is seen by its own connection alone.
  const reader = file === ':memory:' ? writer : open({ readOnly: true })
  const connections: Record<Role, OneConnection> = { writer, reader }
  return {
    carryOut(order) {
      const connection = connections[order.role]
      const isForeign = order.role === 'reader' && connection === writer
      return isForeign && writer.isInTransaction ? null : connection.carryOut(order)
    },
    close() {
      if (reader !== writer) reader.close()
      writer.close()
    },
  }
}

class OneConnection {
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, Statement>()
  /** Why the transaction is lost. Until it is rolled back, nothing may be written outside of it. */
  #lost: unknown = null

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  get isInTransaction(): boolean {
    return this.#database.isTransaction
  }

  configure(sql: string): void {
    this.#database.exec(sql)
  }

  carryOut(order: Order): Reply {
    if (order.sql === 'ROLLBACK') return this.#rollBack(order)
    const wasInTransaction = this.#database.isTransaction
    try {
      if (this.#lost !== null) throw this.#lost
      return order.parameters === null ? this.#control(order) : this.#run(order, order.parameters)
    } catch (cause) {
      // A full disk ends the whole transaction, and a failed BEGIN leaves none: what follows would
      // otherwise be committed statement by statement.
      const isGone = wasInTransaction && !this.#database.isTransaction
      if (isGone || order.parameters === null) this.#lost ??= cause
      return { id: order.id, failure: toFailure(cause) }
    }
  }

  close(): void {
    this.#database.close()
  }

  #rollBack(order: Order): Reply {
    this.#lost = null
    if (this.#database.isTransaction) this.#database.exec(order.sql)
    return { id: order.id, changes: 0 }
  }

  #control(order: Order): Reply {
    this.#database.exec(order.sql)
    return { id: order.id, changes: 0 }
  }

  #run({ id, sql }: Order, parameters: readonly unknown[]): Reply {
    const { prepared, columns } = this.#prepare(sql)
    const values = parameters as SQLInputValue[]
    if (columns.length === 0) return { id, changes: Number(prepared.run(...values).changes) }
    // Lists instead of objects: the names of the columns cross the threads once, not with every row.
    return { id, columns, rows: prepared.all(...values) as unknown as unknown[][] }
  }

  #prepare(sql: string): Statement {
    const known = this.#statements.get(sql)
    this.#statements.delete(sql)
    const statement = known ?? compile(this.#database, sql)
    this.#statements.set(sql, statement)
    const oldest =
      this.#statements.size > STATEMENTS_MAX ? this.#statements.keys().next().value : undefined
    if (oldest !== undefined) this.#statements.delete(oldest)
    return statement
  }
}

interface Statement {
  prepared: StatementSync
  /** Empty when it answers with no rows: neither a select nor anything with `returning`. */
  columns: readonly string[]
}

function compile(database: DatabaseSync, sql: string): Statement {
  const prepared = database.prepare(sql)
  prepared.setReturnArrays(true)
  return { prepared, columns: prepared.columns().map((column) => column.name) }
}

export function toFailure(cause: unknown): { message: string; code: number | null } {
  const message = cause instanceof Error ? cause.message : String(cause)
  const code = cause instanceof Error && 'errcode' in cause ? Number(cause.errcode) : null
  return { message, code }
}
