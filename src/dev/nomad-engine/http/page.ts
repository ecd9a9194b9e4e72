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

/** The order of a list, and the name of a row's place in it, at which a page can start. */
export interface Order<Row> {
  token(row: Row): string
  compare(left: string, right: string): number
}

/** Ids in the order of their characters. */
export function byKey<Row>(token: (row: Row) => string): Order<Row> {
  return { token, compare: (left, right) => (left < right ? -1 : left > right ? 1 : 0) }
}

/** A number, a dot, and an id for rows with the same number. */
export function byIndex<Row>(
  token: (row: Row) => string,
  direction: 'ascending' | 'descending' = 'ascending',
): Order<Row> {
  const sign = direction === 'ascending' ? 1 : -1
  const split = (text: string): [number, string] => {
    const dot = text.indexOf('.')
    return dot < 0 ? [Number(text), ''] : [Number(text.slice(0, dot)), text.slice(dot + 1)]
  }
  return {
    token,
    compare(left, right) {
      const [a, b] = [split(left), split(right)]
      return sign * (a[0] - b[0]) || (a[1] < b[1] ? -1 : a[1] > b[1] ? 1 : 0)
    },
  }
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
  const start = call.query.get('next_token') ?? ''
  const compare = (left: string, right: string) => sign * order.compare(left, right)
  const page: Row[] = []
  for (const { row, token } of inOrder(rows, order, compare)) {
    if (start !== '' && compare(token, start) < 0) continue
    if (filter !== null && !isMatch(filter, row)) continue
    // The token names the row a page begins with, and holds when that row is gone by then.
    if (page.length >= limit) return { rows: page, headers: { 'x-nomad-nexttoken': token } }
    page.push(row)
  }
  return { rows: page, headers: {} }
}

function inOrder<Row>(
  rows: Iterable<Row>,
  order: Order<Row>,
  compare: (left: string, right: string) => number,
): { row: Row; token: string }[] {
  return Array.from(rows, (row) => ({ row, token: order.token(row) })).sort((left, right) =>
    compare(left.token, right.token),
  )
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
