/** Clients of `pg` as the store uses them. */
import type pg from 'pg'
import type { Client, ClientConfig, CustomTypesConfig, QueryResult as PgResult } from 'pg'
import type { QueryResult } from 'kysely'
import { CaravanError } from '../../../model/index.ts'
import { toStoreFailure, type Connection, type Statement } from '../connection.ts'
import type { PostgresLocation } from '../location.ts'

export type Pg = typeof pg

/** A server that takes no connection in this time is away. */
const CONNECT_MAX_MS = 5000

/** No statement of ours takes seconds: by then the network has swallowed it. */
const ANSWER_MAX_MS = 30_000

/** So soon is a silent peer asked whether it is still there. */
const KEEP_ALIVE_MS = 10_000

/** What all connections have in common. */
export function toConfig(library: Pg, { connectionString }: PostgresLocation): ClientConfig {
  const { getTypeParser }: CustomTypesConfig = library.types
  const types: CustomTypesConfig = {
    // Our times and counters are far below what a number holds exactly.
    getTypeParser: ((oid: Parameters<typeof getTypeParser>[0], format?: 'text') =>
      oid === library.types.builtins.INT8
        ? Number
        : getTypeParser(oid, format)) as typeof getTypeParser,
  }
  return {
    connectionString,
    types,
    connectionTimeoutMillis: CONNECT_MAX_MS,
    query_timeout: ANSWER_MAX_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
  }
}

/** The first statement on every connection. */
export async function configure(
  client: Pick<Client, 'query'>,
  schema: string,
  name: string,
): Promise<void> {
  // Only here, not as start parameters: those of the URL would win.
  const sql = `select set_config('search_path', $1, false), set_config('application_name', $2, false)`
  await client.query(sql, [`"${schema}"`, name])
}

/** More than the store has different statements; a new one beyond it is planned each time. */
const PREPARED_MAX = 200

/** A client that sends without waiting for the answers before. */
export function connectionOn(client: Client): Connection & { onLost(listener: () => void): void } {
  const names = new Map<string, string>()
  const listeners: (() => void)[] = []
  let lost: CaravanError | null = null

  const lose = (cause: unknown): void => {
    if (lost !== null) return
    lost = new CaravanError('STORE_FAILED', 'the connection to PostgreSQL is lost', { cause })
    for (const listener of listeners) listener()
  }
  client.on('error', lose)
  client.on('end', () => lose(undefined))

  const nameOf = (sql: string): { name?: string } => {
    const known = names.get(sql)
    if (known !== undefined) return { name: known }
    if (names.size >= PREPARED_MAX) return {}
    const name = `caravan_${names.size}`
    names.set(sql, name)
    return { name }
  }

  const run = async <T>(sql: string, ask: () => Promise<T>): Promise<T> => {
    if (lost !== null) throw lost
    try {
      return await ask()
    } catch (cause) {
      if (isOfConnection(cause)) lose(cause)
      throw lost ?? toStoreFailure(cause, sql)
    }
  }

  return {
    send: (statement) => run(statement.sql, () => query(client, statement, nameOf(statement.sql))),
    control: (sql) =>
      run(sql, async () => {
        const answer: PgResult | PgResult[] = await client.query(sql)
        const last = Array.isArray(answer) ? answer.at(-1) : answer
        // What PostgreSQL answers when the transaction had failed before.
        if (sql.endsWith('COMMIT') && last?.command !== 'COMMIT') {
          throw new Error(`the transaction ended with ${last?.command}`)
        }
      }),
    lost: () => lost,
    onLost: (listener) => listeners.push(listener),
  }
}

/** @param more the name of the prepared statement. */
export async function query(
  client: Pick<Client, 'query'>,
  { sql, parameters }: Statement,
  more: { name?: string } = {},
): Promise<QueryResult<unknown>> {
  const { rows, rowCount, command } = await client.query({
    ...more,
    text: sql,
    values: [...parameters],
  })
  if (command === 'SELECT') return { rows }
  return { rows, numAffectedRows: BigInt(rowCount ?? 0) }
}

/** Whatever is no answer to the statement, and answers after which the server hangs up. */
function isOfConnection(cause: unknown): boolean {
  const severity = cause instanceof Error && 'severity' in cause ? cause.severity : null
  return severity === null || severity === 'FATAL' || severity === 'PANIC'
}

/** The SQLSTATE of what PostgreSQL answered; null for everything else. */
export function sqlState(cause: unknown): string | null {
  const inner = cause instanceof CaravanError ? cause.cause : cause
  const code = inner instanceof Error && 'code' in inner ? inner.code : null
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : null
}
