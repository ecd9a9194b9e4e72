/** Lists: filtered, in order, and in pages. */
import { Refusal } from '../operations/refusal.ts'
import { matchesFilter, UnknownField } from './filter/evaluate.ts'
import { FilterFault } from './filter/lexer.ts'
import { parseFilter } from './filter/parser.ts'
import type { Expression } from './filter/parser.ts'
import { readFlag, readInteger } from './call.ts'
import type { Call } from './call.ts'

export interface Page<Row> {
  rows: Row[]
  /** Header of a page that is not the last. */
  headers: Record<string, string>
}

/** Nomad hands out at most what was asked for, and everything when nothing was. */
const PER_PAGE_MAX = 2 ** 31 - 1

/** A row's place in its list: a number first, then a text. */
type Place = readonly [number, string]

/** The order of a list, and the token that names the place at which a page starts. */
export interface Order<Row> {
  placeOf(row: Row): Place
  toToken(place: Place): string
  parseToken(token: string): Place
  compare(left: Place, right: Place): number
}

/** Ids in the order of their characters. */
export function byKey<Row>(keyOf: (row: Row) => string): Order<Row> {
  return {
    placeOf: (row) => [0, keyOf(row)],
    toToken: ([, key]) => key,
    parseToken: (token) => [0, token],
    compare: comparePlaces,
  }
}

/** A number, a dot in the token, and an id for rows with the same number. */
export function byIndex<Row>(
  placeOf: (row: Row) => Place,
  direction: 'ascending' | 'descending' = 'ascending',
): Order<Row> {
  const sign = direction === 'ascending' ? 1 : -1
  return {
    placeOf,
    toToken: ([index, id]) => `${index}.${id}`,
    parseToken(token) {
      const dot = token.indexOf('.')
      return dot < 0 ? [Number(token), ''] : [Number(token.slice(0, dot)), token.slice(dot + 1)]
    },
    compare: (left, right) => sign * comparePlaces(left, right),
  }
}

function comparePlaces([a, left]: Place, [b, right]: Place): number {
  return a - b || (left < right ? -1 : left > right ? 1 : 0)
}

/** @throws Refusal 400 for a filter or page size that makes no sense. */
export function toPage<Row extends object>(
  call: Call,
  rows: Iterable<Row>,
  order: Order<Row>,
): Page<Row> {
  const fault = 'Expect a number for `per_page` query string parameter'
  const perPage = readInteger(call, 'per_page', 0, fault)
  const limit = perPage > 0 ? Math.min(perPage, PER_PAGE_MAX) : PER_PAGE_MAX
  const filter = readFilter(call)
  const sign = readFlag(call, 'reverse') ? -1 : 1
  const token = call.query.get('next_token')
  const start = token ? order.parseToken(token) : null
  const compare = (left: Place, right: Place) => sign * order.compare(left, right)
  // Rows come nearly in order, or nearly in reverse: either costs a sort no more than a look.
  const places = Array.from(rows, (row) => ({ row, place: order.placeOf(row) }))
  places.sort((left, right) => compare(left.place, right.place))
  const page: Row[] = []
  for (const { row, place } of places) {
    if (start !== null && compare(place, start) < 0) continue
    if (filter !== null && !isMatch(filter, row)) continue
    if (page.length < limit) page.push(row)
    // The token names the row a page begins with, and holds when that row is gone by then.
    else return { rows: page, headers: { 'x-nomad-nexttoken': order.toToken(place) } }
  }
  return { rows: page, headers: {} }
}

function readFilter(call: Call): Expression | null {
  const text = call.query.get('filter')
  if (text === null || text === '') return null
  try {
    return parseFilter(text)
  } catch (cause) {
    if (!(cause instanceof FilterFault)) throw cause
    const why = `failed to read filter expression: ${cause.message}`
    throw new Refusal(400, `failed to create result paginator: ${why}`)
  }
}

function isMatch(filter: Expression, row: object): boolean {
  try {
    return matchesFilter(filter, row)
  } catch (cause) {
    const isExpected = cause instanceof UnknownField || cause instanceof SyntaxError
    if (!isExpected) throw cause
    throw new Refusal(400, `failed to read result page: ${cause.message}`)
  }
}
