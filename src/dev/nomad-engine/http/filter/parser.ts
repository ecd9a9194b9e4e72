/**
 * Reads a filter expression, the part of go-bexpr's language that Nomad's lists take.
 *
 * `Status == "pending" and not (Meta.org != "acme" or ID matches "^f-")`
 */
import { FilterFault, tokenize } from './lexer.ts'
import type { Token } from './lexer.ts'

export type Expression =
  | { kind: 'and' | 'or'; left: Expression; right: Expression }
  | { kind: 'not'; inner: Expression }
  | { kind: 'match'; selector: string[]; operator: Operator; value: string; negated: boolean }

export type Operator = 'equal' | 'in' | 'contains' | 'matches' | 'empty' | 'nil'

/** Deeper ones are not written by people. */
const DEPTH_MAX = 64

/** @throws FilterFault */
export function parseFilter(text: string): Expression {
  const reader = new Reader(tokenize(text), text.length)
  const expression = readOr(reader, 0)
  reader.end()
  return expression
}

class Reader {
  readonly #tokens: readonly Token[]
  readonly #length: number
  #position = 0

  constructor(tokens: readonly Token[], length: number) {
    this.#tokens = tokens
    this.#length = length
  }

  peek(ahead = 0): Token | undefined {
    return this.#tokens[this.#position + ahead]
  }

  next(expected: string): Token {
    const token = this.#tokens[this.#position++]
    if (token === undefined) throw this.fault(expected)
    return token
  }

  /** Takes these words when they come next. */
  takeWords(...words: string[]): boolean {
    const matches = words.every((word, ahead) => {
      const token = this.peek(ahead)
      return token?.kind === 'word' && token.text === word
    })
    if (matches) this.#position += words.length
    return matches
  }

  takeSign(sign: string): boolean {
    const token = this.peek()
    const matches = token?.kind === 'sign' && token.text === sign
    if (matches) this.#position++
    return matches
  }

  fault(expected: string): FilterFault {
    const at = this.#tokens[Math.max(this.#position - 1, 0)]?.at ?? this.#length
    return new FilterFault(at, `no match found, expected: ${expected}`)
  }

  end(): void {
    if (this.peek() !== undefined) {
      this.#position++
      throw this.fault('"and", "or" or the end')
    }
  }
}

function readOr(reader: Reader, depth: number): Expression {
  let left = readAnd(reader, depth)
  while (reader.takeWords('or')) left = { kind: 'or', left, right: readAnd(reader, depth) }
  return left
}

function readAnd(reader: Reader, depth: number): Expression {
  let left = readNot(reader, depth)
  while (reader.takeWords('and')) left = { kind: 'and', left, right: readNot(reader, depth) }
  return left
}

function readNot(reader: Reader, depth: number): Expression {
  if (depth > DEPTH_MAX) throw reader.fault('fewer nested parentheses')
  if (reader.takeWords('not')) return { kind: 'not', inner: readNot(reader, depth + 1) }
  if (reader.takeSign('(')) {
    const inner = readOr(reader, depth + 1)
    if (!reader.takeSign(')')) throw reader.fault('")"')
    return inner
  }
  return readMatch(reader)
}

/** `selector operator value`, or `value [not] in selector`. */
function readMatch(reader: Reader): Expression {
  const first = reader.next('a selector or a value')
  if (first.kind === 'text' && !first.text.startsWith('/')) {
    const negated = reader.takeWords('not', 'in')
    if (!negated && !reader.takeWords('in')) throw reader.fault('"in" or "not in"')
    const selector = readSelector(reader, reader.next('a selector'))
    return { kind: 'match', selector, operator: 'in', value: first.text, negated }
  }
  const selector = readSelector(reader, first)
  const found = readOperator(reader)
  if (found === null) {
    throw reader.fault('"!=", "==", "contains", "in", "is", "matches" or "not"')
  }
  if (found.operator === 'in') {
    const container = readSelector(reader, reader.next('a selector'))
    return { kind: 'match', selector: container, value: selector.join('.'), ...found }
  }
  if (found.operator === 'empty' || found.operator === 'nil') {
    return { kind: 'match', selector, value: '', ...found }
  }
  const value = reader.next('a value')
  if (value.kind === 'sign') throw reader.fault('a value')
  return { kind: 'match', selector, value: value.text, ...found }
}

function readOperator(reader: Reader): { operator: Operator; negated: boolean } | null {
  if (reader.takeSign('==')) return { operator: 'equal', negated: false }
  if (reader.takeSign('!=')) return { operator: 'equal', negated: true }
  if (reader.takeWords('is', 'not', 'empty')) return { operator: 'empty', negated: true }
  if (reader.takeWords('is', 'not', 'nil')) return { operator: 'nil', negated: true }
  if (reader.takeWords('is', 'empty')) return { operator: 'empty', negated: false }
  if (reader.takeWords('is', 'nil')) return { operator: 'nil', negated: false }
  for (const operator of ['contains', 'matches', 'in'] as const) {
    if (reader.takeWords(operator)) return { operator, negated: false }
    if (reader.takeWords('not', operator)) return { operator, negated: true }
  }
  return null
}

/** `Meta.org`, `Meta["org"]`, or the pointer `"/Meta/org"`. */
function readSelector(reader: Reader, first: Token): string[] {
  if (first.kind === 'sign') throw reader.fault('a selector')
  if (first.text.startsWith('/')) return first.text.slice(1).split('/')
  const path = [first.text]
  for (;;) {
    if (reader.takeSign('.')) path.push(reader.next('a field').text)
    else if (reader.takeSign('[')) {
      path.push(reader.next('a key').text)
      if (!reader.takeSign(']')) throw reader.fault('"]"')
    } else return path
  }
}
