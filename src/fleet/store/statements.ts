/** SQLite, as little of it as the fleet's store needs. */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { CaravanError, isCaravanError } from '../../model/index.ts'
import { migrate } from './schema.ts'

export interface Statements {
  all<Row>(sql: string, ...values: SQLInputValue[]): Row[]
  /** @returns how many rows it changed. */
  run(sql: string, ...values: SQLInputValue[]): number
  /** All of it or nothing; takes the lock for writing at once. */
  inTransaction<T>(work: () => T): T
  close(): void
}

/** Another process holds the file for the length of one small transaction. */
const BUSY_MS = 5000

/** @throws CaravanError STORE_FAILED when the file can not be used. */
export async function openFile(file: string): Promise<Statements> {
  const { DatabaseSync: Database } = await import('node:sqlite')
  const database = orStoreFailed(file, () => {
    const opened = new Database(file, { timeout: BUSY_MS })
    try {
      opened.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
      migrate(opened)
      return opened
    } catch (error) {
      opened.close()
      throw error
    }
  })
  return createStatements(file, database)
}

function createStatements(file: string, database: DatabaseSync): Statements {
  const prepared = new Map<string, StatementSync>()
  const prepare = (sql: string) => {
    const known = prepared.get(sql)
    if (known !== undefined) return known
    const made = database.prepare(sql)
    prepared.set(sql, made)
    return made
  }
  const begin = database.prepare('BEGIN IMMEDIATE')
  const commit = database.prepare('COMMIT')
  return {
    all: <Row>(sql: string, ...values: SQLInputValue[]) =>
      orStoreFailed(file, () => prepare(sql).all(...values) as Row[]),
    run: (sql, ...values) => orStoreFailed(file, () => Number(prepare(sql).run(...values).changes)),
    inTransaction: (work) =>
      orStoreFailed(file, () => {
        begin.run()
        try {
          const result = work()
          commit.run()
          return result
        } catch (error) {
          database.exec('ROLLBACK')
          throw error
        }
      }),
    close: () => database.close(),
  }
}

function orStoreFailed<T>(file: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    if (isCaravanError(cause)) throw cause
    throw new CaravanError('STORE_FAILED', `the store of the fleet, ${file}, can not be used`, {
      cause,
    })
  }
}
