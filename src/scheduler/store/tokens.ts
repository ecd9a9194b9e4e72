/** Tokens of the API in the store. */
import type { Reader, Writer } from './index.ts'
import type { TokenRow } from './tables.ts'
import { sendAhead } from './transaction.ts'

/** @param limit more rows than it are left out. */
export async function readTokens(reader: Reader, limit: number): Promise<TokenRow[]> {
  return reader
    .selectFrom('tokens')
    .selectAll()
    .orderBy('created_ms')
    .orderBy('id')
    .limit(limit)
    .execute()
}

export async function insertToken(writer: Writer, row: TokenRow): Promise<void> {
  await sendAhead(writer, writer.insertInto('tokens').values(row))
}

export async function deleteToken(writer: Writer, id: string): Promise<void> {
  await sendAhead(writer, writer.deleteFrom('tokens').where('id', '=', id))
}

export async function noteTokenUse(writer: Writer, id: string, usedMs: number): Promise<void> {
  const change = { used_ms: usedMs }
  await sendAhead(writer, writer.updateTable('tokens').set(change).where('id', '=', id))
}
