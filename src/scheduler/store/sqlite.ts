/**
 * Kysely on `node:sqlite`: one file, one connection.
 *
 * The driver's calls are asynchronous although SQLite's are not, so that a worker thread can take its
 * place unnoticed.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import {
  CompiledQuery,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
} from 'kysely'
import { CaravanError } from '../../model/index.ts'

/** How long to wait for a reader in another process, such as a backup. */
const BUSY_TIMEOUT_MS = 5000

/** More than the store has different statements; beyond it the ones used longest ago are prepared anew. */
const STATEMENTS_MAX = 200

/** @param file a path, or `:memory:`. */
export function sqliteDialect(file: string): Dialect {
  return {
    createAdapter: () => new OneConnectionAdapter(),
    createDriver: () => createDriver(file),
    createIntrospector: (database) => new SqliteIntrospector(database),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
}

/**
 * Says that several callers may ask for the connection, because our driver makes them wait itself. The
 * lock that Kysely would put around it wakes all who wait each time it is free, which a thousand agents
 * at once turn into a million wakings.
 */
class OneConnectionAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true
  }
}

function createDriver(file: string): Driver {
  let connection: (DatabaseConnection & { close(): void }) | null = null
  let isTaken = false
  /** Those who wait for the connection, first come, first served: a whole transaction is one turn. */
  const waiting: (() => void)[] = []
  const release = (): void => {
    const next = waiting.shift()
    // Handed over without a gap in which somebody else could take it.
    if (next === undefined) isTaken = false
    else next()
  }
  const run = async (statement: string): Promise<void> => {
    await connection?.executeQuery(CompiledQuery.raw(statement))
  }
  return {
    async init() {
      connection = openConnection(file)
    },
    async acquireConnection() {
      if (isTaken) await new Promise<void>((resolve) => waiting.push(resolve))
      isTaken = true
      if (connection !== null) return connection
      release()
      throw new CaravanError('STORE_FAILED', 'the store is not open')
    },
    // Takes the write lock at once: a transaction that reads first can then not fail on its first write.
    beginTransaction: () => run('BEGIN IMMEDIATE'),
    commitTransaction: () => run('COMMIT'),
    rollbackTransaction: () => run('ROLLBACK'),
    async releaseConnection() {
      release()
    },
    async destroy() {
      connection?.close()
      connection = null
    },
  }
}

function openConnection(file: string): DatabaseConnection & { close(): void } {
  const database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS })
  // NORMAL can lose the last commits in a power cut, never in a crash of ours. Replaying a registration
  // by its fixed job id makes that harmless, and it saves a disk sync for each commit.
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON')
  const statements = new Map<string, Statement>()

  const prepare = (query: CompiledQuery): Statement => {
    const known = statements.get(query.sql)
    statements.delete(query.sql)
    const statement = known ?? compile(database, query.sql)
    statements.set(query.sql, statement)
    const oldest = statements.size > STATEMENTS_MAX ? statements.keys().next().value : undefined
    if (oldest !== undefined) statements.delete(oldest)
    return statement
  }

  return {
    async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
      return guard(query, () => {
        const { prepared, hasRows } = prepare(query)
        const parameters = query.parameters as SQLInputValue[]
        if (hasRows) return { rows: prepared.all(...parameters) as Row[] }
        const { changes } = prepared.run(...parameters)
        return { rows: [], numAffectedRows: BigInt(changes) }
      })
    },
    streamQuery() {
      throw new CaravanError('INTERNAL', 'the store reads in pages, not in streams')
    },
    close: () => database.close(),
  }
}

interface Statement {
  prepared: StatementSync
  /** Whether it answers with rows: a select, or anything with `returning`. */
  hasRows: boolean
}

function compile(database: DatabaseSync, sql: string): Statement {
  const prepared = database.prepare(sql)
  return { prepared, hasRows: prepared.columns().length > 0 }
}

function guard<T>(query: CompiledQuery, run: () => T): T {
  try {
    return run()
  } catch (cause) {
    throw new CaravanError('STORE_FAILED', 'the store could not run a statement', {
      cause,
      detail: { sql: query.sql },
    })
  }
}
