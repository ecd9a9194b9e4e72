/**
 * SQLite in the thread that asks: whoever sends an order waits until it is carried out.
 *
 * For tests and simulation on a clock that is driven by hand: nothing happens behind its back.
 */
import { CaravanError } from '../../../model/index.ts'
import type { Connection } from '../connection.ts'
import { toFailure, toResult, type Success } from './answers.ts'
import { openDatabase, type Database } from './database.ts'
import type { Reply, Role, ThreadOptions } from './protocol.ts'
import type { SqliteThread } from './thread.ts'

/** @throws what SQLite throws when the file cannot be opened. */
export function openInPlace(options: ThreadOptions): SqliteThread {
  const orders = new Orders(openDatabase(options))
  const connectionOf = (role: Role): Connection => ({
    send: async ({ sql, parameters }) => toResult(await orders.carryOut(role, sql, parameters)),
    control: async (sql) => void (await orders.carryOut(role, sql, null)),
    lost: () => null,
  })
  return {
    writer: connectionOf('writer'),
    reader: connectionOf('reader'),
    silentMs: () => 0,
    close: async () => orders.close(),
  }
}

class Orders {
  readonly #database: Database
  /** Those that wait for the end of a transaction. */
  #held: (() => void)[] = []
  #isClosed = false

  constructor(database: Database) {
    this.#database = database
  }

  async carryOut(role: Role, sql: string, parameters: readonly unknown[] | null): Promise<Success> {
    let reply: Reply | null = null
    for (;;) {
      if (this.#isClosed) throw new CaravanError('STORE_FAILED', 'the store is closed')
      reply = this.#database.carryOut({ id: 0, role, sql, parameters })
      if (reply !== null) break
      await new Promise<void>((resolve) => this.#held.push(resolve))
    }
    this.#wake()
    if ('failure' in reply) throw toFailure(reply, sql)
    return reply
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#wake()
    this.#database.close()
  }

  #wake(): void {
    for (const wake of this.#held.splice(0)) wake()
  }
}
