/** One transaction of the store, as its work sees it. */
import { isDeepStrictEqual } from 'node:util'
import type { Compilable, QueryResult } from 'kysely'
import { CaravanError } from '../../model/index.ts'
import {
  queriesOn,
  toStatement,
  type Connection,
  type Dialect,
  type Statement,
} from './connection.ts'
import type { Writer } from './index.ts'

/** So many statements of one transaction may be on their way unanswered; then its work has to wait. */
const AHEAD_MAX = 64

const transactions = new WeakMap<Writer, OpenTransaction>()

/**
 * Sends a statement whose answer nobody needs, and goes on before it is carried out. When it fails,
 * the transaction does.
 */
export async function sendAhead(writer: Writer, query: Compilable): Promise<void> {
  await transactionOf(writer).ahead(toStatement(query.compile()))
}

export interface Composed {
  /** What its text depends on. */
  name: string
  /** In the order in which the text has them. */
  parameters: readonly unknown[]
  compose: () => Compilable
}

const texts = new WeakMap<Dialect, Map<string, string>>()

/**
 * Sends a statement that is put into words once, however often it is sent: Kysely takes longer for
 * that than SQLite for carrying it out.
 */
export async function sendComposed(
  writer: Writer,
  { name, parameters, compose }: Composed,
): Promise<QueryResult<unknown>> {
  const transaction = transactionOf(writer)
  const known = texts.get(transaction.dialect) ?? new Map<string, string>()
  texts.set(transaction.dialect, known)
  let sql = known.get(name)
  if (sql === undefined) {
    const statement = toStatement(compose().compile())
    if (!isDeepStrictEqual(statement.parameters, parameters)) {
      throw new CaravanError('INTERNAL', `the statement ${name} has other parameters`)
    }
    ;({ sql } = statement)
    known.set(name, sql)
  }
  return transaction.send({ sql, parameters })
}

function transactionOf(writer: Writer): OpenTransaction {
  const transaction = transactions.get(writer)
  if (transaction !== undefined) return transaction
  throw new CaravanError('INTERNAL', 'this is no writer of the store')
}

/** Statements of one transaction on a connection that other transactions use before and after it. */
export class OpenTransaction {
  readonly writer: Writer
  readonly dialect: Dialect
  readonly #connection: Pick<Connection, 'send'>
  readonly #ahead = new Set<Promise<void>>()
  #failure: { cause: unknown } | null = null
  #isOver = false

  constructor(dialect: Dialect, connection: Pick<Connection, 'send'>) {
    this.dialect = dialect
    this.#connection = connection
    // A transaction to whoever writes; which statements begin and end it is not Kysely's to know.
    this.writer = queriesOn(dialect, this) as Writer
    transactions.set(this.writer, this)
  }

  async send(statement: Statement): Promise<QueryResult<unknown>> {
    this.#check()
    const answer = await this.#connection.send(statement)
    this.#check()
    return answer
  }

  async ahead(statement: Statement): Promise<void> {
    this.#check()
    while (this.#ahead.size >= AHEAD_MAX) await Promise.race(this.#ahead)
    const carriedOut = this.#connection.send(statement).then(
      () => void this.#ahead.delete(carriedOut),
      (cause: unknown) => {
        this.#ahead.delete(carriedOut)
        this.#failure ??= { cause }
      },
    )
    this.#ahead.add(carriedOut)
  }

  /** Waits for what was sent ahead. @throws what the first of it failed with. */
  async settle(): Promise<void> {
    await Promise.all(this.#ahead)
    if (this.#failure !== null) throw this.#failure.cause
  }

  /** Nothing can be sent with its writer any more: it would end up in somebody else's transaction. */
  end(): void {
    this.#isOver = true
  }

  #check(): void {
    if (this.#failure !== null) throw this.#failure.cause
    if (this.#isOver) throw new CaravanError('INTERNAL', 'a transaction was used after its end')
  }
}
