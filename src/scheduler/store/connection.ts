/** What the store needs of a database: a connection that keeps the order of what is sent to it. */
import {
  Kysely,
  type CompiledQuery,
  type DatabaseConnection,
  type DatabaseIntrospector,
  type DialectAdapter,
  type Driver,
  type QueryCompiler,
  type QueryResult,
} from 'kysely'
import { CaravanError } from '../../model/index.ts'
import type { Tables } from './tables.ts'

/** What Kysely compiles to, and no more of it. */
export type Statement = Pick<CompiledQuery, 'sql' | 'parameters'>

/**
 * Carries out statements in the order in which they were sent, so that several can be on their way at
 * once. Every failure is a CaravanError STORE_FAILED.
 */
export interface Connection {
  send(statement: Statement): Promise<QueryResult<unknown>>
  /** Statements without parameters and rows, such as those around transactions. */
  control(sql: string): Promise<void>
  /** Why nothing can be sent any more; null while something can. */
  lost(): Error | null
}

/** How Kysely, and whoever begins transactions, speak to a database. */
export interface Dialect {
  /** Begins a transaction that will write. */
  readonly begin: string
  /** Whether work that failed with this may go well when it is run once more. */
  isTransient(cause: unknown): boolean
  createAdapter(): DialectAdapter
  createQueryCompiler(): QueryCompiler
  createIntrospector(database: Kysely<unknown>): DatabaseIntrospector
}

/** Kysely on a connection that somebody else opens, closes, and puts into transactions. */
export function queriesOn(dialect: Dialect, connection: Pick<Connection, 'send'>): Kysely<Tables> {
  const shared = toKyselyConnection(connection)
  return new Kysely<Tables>({
    dialect: {
      createAdapter: () => dialect.createAdapter(),
      createQueryCompiler: () => dialect.createQueryCompiler(),
      createIntrospector: (database) => dialect.createIntrospector(database as Kysely<unknown>),
      createDriver: () => createDriver(shared),
    },
  })
}

/** A query as it is sent, with its texts as every backend can keep them. */
export function toStatement(query: CompiledQuery): Statement {
  return { sql: query.sql, parameters: query.parameters.map(toStorable) }
}

/** A row, or a part of one, as a backend gives it back. */
export function toStorableRow<Row extends object>(row: Row): Row {
  const columns = Object.entries(row).filter(([, value]) => value !== undefined)
  return Object.fromEntries(columns.map(([name, value]) => [name, toStorable(value)])) as Row
}

/**
 * PostgreSQL has no NUL in a text, and UTF-8 has no half of a surrogate pair. What cannot be kept
 * becomes the replacement character, on SQLite too: both backends give back the same.
 */
function toStorable(value: unknown): unknown {
  if (typeof value !== 'string') return value
  return value.toWellFormed().replaceAll('\0', '\uFFFD')
}

export function toStoreFailure(cause: unknown, sql: string): CaravanError {
  return new CaravanError('STORE_FAILED', 'the store could not run a statement', {
    cause,
    detail: { sql },
  })
}

function toKyselyConnection(connection: Pick<Connection, 'send'>): DatabaseConnection {
  return {
    executeQuery: async <Row>(query: CompiledQuery) =>
      (await connection.send(toStatement(query))) as QueryResult<Row>,
    streamQuery() {
      throw new CaravanError('INTERNAL', 'the store reads in pages, not in streams')
    },
  }
}

function createDriver(connection: DatabaseConnection): Driver {
  const refuse = async (): Promise<never> => {
    throw new CaravanError('INTERNAL', 'transactions of the store begin with `write`')
  }
  const nothing = async (): Promise<void> => undefined
  return {
    init: nothing,
    acquireConnection: async () => connection,
    releaseConnection: nothing,
    beginTransaction: refuse,
    commitTransaction: refuse,
    rollbackTransaction: refuse,
    destroy: nothing,
  }
}
