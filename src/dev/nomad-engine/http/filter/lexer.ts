/** Splits a filter expression into words, texts and signs. */

export type Token =
  | { kind: 'word'; text: string; at: number }
  | { kind: 'text'; text: string; at: number }
  | { kind: 'sign'; text: string; at: number }

/** A filter that can not be read. The place counts characters from 1. */
export class FilterFault extends Error {
  override readonly name = 'FilterFault'

  constructor(at: number, why: string) {
    super(`1:${at + 1} (${at}): ${why}`)
  }
}

const SIGNS = ['==', '!=', '(', ')', '[', ']', '.', ',']

/** @throws FilterFault */
export function tokenize(expression: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  while (at < expression.length) {
    const rest = expression.slice(at)
    const space = /^\s+/.exec(rest)?.[0]
    if (space !== undefined) {
      at += space.length
      continue
    }
    const token = readToken(rest, at)
    if (token === null) throw new FilterFault(at, `no match found at ${JSON.stringify(rest[0])}`)
    tokens.push(token.token)
    at += token.length
  }
  return tokens
}

function readToken(rest: string, at: number): { token: Token; length: number } | null {
  const quoted = /^"((?:[^"\\]|\\.)*)"|^`([^`]*)`/.exec(rest)
  if (quoted) {
    const text = quoted[1] === undefined ? (quoted[2] ?? '') : unescape(quoted[1], at)
    return { token: { kind: 'text', text, at }, length: quoted[0].length }
  }
  const sign = SIGNS.find((each) => rest.startsWith(each))
  if (sign !== undefined) return { token: { kind: 'sign', text: sign, at }, length: sign.length }
  const word = /^[A-Za-z0-9_/-]+/.exec(rest)?.[0]
  return word === undefined
    ? null
    : { token: { kind: 'word', text: word, at }, length: word.length }
}

function unescape(text: string, at: number): string {
  try {
    return JSON.parse(`"${text}"`) as string
  } catch {
    throw new FilterFault(at, 'a text with an escape that is not known')
  }
}
