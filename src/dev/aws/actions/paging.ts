/** Lists in pages: never more than the API allows, whatever the caller asks for. */
import { Refusal } from './refusal.ts'

export interface PageRequest {
  size: number
  token: string | undefined
  /** The code for a token that is none. */
  fault: string
}

/**
 * The items after the one that the token names. They come sorted by their key, so that a page is right even
 * when others come and go in between.
 *
 * @throws Refusal for a token that this list has not given.
 */
export function page<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
  request: PageRequest,
): { items: Item[]; next: string | undefined } {
  const after = request.token === undefined ? null : readToken(request.token, request.fault)
  const rest = after === null ? items : items.filter((item) => keyOf(item) > after)
  const taken = rest.slice(0, request.size)
  const last = taken.at(-1)
  const isMore = last !== undefined && rest.length > taken.length
  return { items: taken, next: isMore ? toToken(keyOf(last)) : undefined }
}

const MARK = 'after:'

function toToken(key: string): string {
  return Buffer.from(MARK + key).toString('base64url')
}

function readToken(token: string, fault: string): string {
  const decoded = Buffer.from(token, 'base64url').toString()
  if (decoded.startsWith(MARK)) return decoded.slice(MARK.length)
  throw new Refusal(fault, `The token '${token}' is invalid.`)
}

export function byKey<Item>(items: Iterable<Item>, keyOf: (item: Item) => string): Item[] {
  return [...items].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : 0))
}
