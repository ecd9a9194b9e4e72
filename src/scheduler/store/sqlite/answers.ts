/** From what SQLite's side of the store replies to what Kysely wants to have. */
import type { QueryResult } from 'kysely'
import type { CaravanError } from '../../../model/index.ts'
import { toStoreFailure } from '../connection.ts'
import type { Reply } from './protocol.ts'

export type Failure = Extract<Reply, { failure: unknown }>
export type Success = Exclude<Reply, Failure>

export function toResult(reply: Success): QueryResult<unknown> {
  if ('changes' in reply) return { rows: [], numAffectedRows: BigInt(reply.changes) }
  const { columns } = reply
  const rows = reply.rows.map((values) => {
    const row: Record<string, unknown> = {}
    for (let at = 0; at < columns.length; at++) row[columns[at] ?? ''] = values[at]
    return row
  })
  return { rows }
}

export function toFailure({ failure: { message, code } }: Failure, sql: string): CaravanError {
  const name = code === null ? 'SQLITE' : `SQLITE_${code}`
  return toStoreFailure(Object.assign(new Error(message), { code: name }), sql)
}
