/** Applies a filter to an object as it is stored. */
import type { Expression } from './parser.ts'

/** A filter that names a field which such objects do not have. */
export class UnknownField extends Error {
  override readonly name = 'UnknownField'

  constructor(path: readonly string[]) {
    const [field] = path
    const where = `/${path.join('/')} at part 0`
    super(
      `error finding value in datum: ${where}: couldn't find key: struct field with name "${field}"`,
    )
  }
}

type Match = Extract<Expression, { kind: 'match' }>

/** @throws UnknownField */
export function matchesFilter(expression: Expression, row: object): boolean {
  switch (expression.kind) {
    case 'and':
      return matchesFilter(expression.left, row) && matchesFilter(expression.right, row)
    case 'or':
      return matchesFilter(expression.left, row) || matchesFilter(expression.right, row)
    case 'not':
      return !matchesFilter(expression.inner, row)
    default:
      return matchesOne(expression, row) !== expression.negated
  }
}

/** A key that a map does not have is equal to nothing, and in nothing. */
function matchesOne(match: Match, row: object): boolean {
  const value = find(row, match.selector)
  switch (match.operator) {
    case 'equal':
      return value !== undefined && value !== null && toText(value) === match.value
    case 'nil':
      return value === null || value === undefined
    case 'empty':
      return isEmpty(value)
    case 'matches':
      return typeof value === 'string' && new RegExp(match.value).test(value)
    default:
      return contains(value, match.value)
  }
}

function find(row: object, path: readonly string[]): unknown {
  let value: unknown = row
  for (const [depth, name] of path.entries()) {
    if (typeof value !== 'object' || value === null) return undefined
    if (depth === 0 && !(name in value)) throw new UnknownField(path)
    value = (value as Record<string, unknown>)[name]
  }
  return value
}

/** Texts contain texts, lists members, maps keys. */
function contains(value: unknown, wanted: string): boolean {
  if (typeof value === 'string') return value.includes(wanted)
  if (Array.isArray(value)) return value.some((each) => toText(each) === wanted)
  return typeof value === 'object' && value !== null && wanted in value
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === '') return true
  return typeof value === 'object' && Object.keys(value).length === 0
}

function toText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}
