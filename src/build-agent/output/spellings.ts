/**
 * The other ways in which a secret comes out of programs: encoded, quoted, with its lines put differently.
 * Pure.
 *
 * What encodes a secret twice, or in a way of its own, is not found: no list of spellings ends.
 */

/** Shorter ones stand in innocent text too. */
const SPELLING_MIN = 8
/** Of a secret that is a JSON document; shorter values are words such as a version. */
const LEAF_MIN = 8
/** A secret is no database: what holds more is not looked into any further. */
const LEAVES_MAX = 200
/** Such a line of a larger secret is the secret, whatever stands around it. */
const KEY_LINE = /^[A-Za-z0-9+/=_-]{20,}$/
/** `base64` and `openssl` end their lines here. */
const WRAP_AT = [76, 64]
/** Deeper indentation is rare, and every depth costs memory. */
const INDENT_MAX = 8
/** What may stand where the secret ends a line: a terminal's ends, a shell's splitting, an escape, nothing. */
const GAPS = [
  '\r\n',
  '\r\r\n',
  ' ',
  String.raw`\n`,
  '',
  '\n\t',
  ...Array.from({ length: INDENT_MAX }, (_, n) => `\n${' '.repeat(n + 1)}`),
]

/** @returns each once, without the secret as it is; none of them short. */
export function toSpellings(secret: string): string[] {
  const values = [secret, secret.trim(), ...readLeaves(secret)]
  const found = new Set(values)
  for (const value of values) {
    for (const spelling of [...respace(value), ...encode(value), ...escape(value)]) {
      found.add(spelling)
    }
  }
  found.delete(secret)
  return [...found].filter((spelling) => spelling.length >= SPELLING_MIN)
}

/** Every text of a secret that is a JSON document, such as the key of a service account. */
function readLeaves(secret: string): string[] {
  const leaves: string[] = []
  const visit = (value: unknown): void => {
    if (leaves.length >= LEAVES_MAX) return
    if (typeof value === 'string' && value.length >= LEAF_MIN) leaves.push(value)
    if (typeof value === 'object' && value !== null) Object.values(value).forEach(visit)
  }
  if (/^\s*[{[]/.test(secret)) visit(parseJson(secret))
  return leaves
}

/** The lines of a value, put together as terminals, shells and editors do it, and those that tell all. */
function respace(value: string): string[] {
  const lines = value.trimEnd().split(/\r?\n/)
  if (lines.length === 1) return []
  const keyLines = lines.map((line) => line.trim()).filter((line) => KEY_LINE.test(line))
  const words = value.trim().split(/\s+/).join(' ')
  return [lines.join('\n'), words, ...GAPS.map((gap) => lines.join(gap)), ...keyLines]
}

/** Base64, alone and inside a longer text: there the bytes before it decide which letters it gets. */
function encode(value: string): string[] {
  const bytes = Buffer.from(value)
  const alone = [bytes, Buffer.from(`${value}\n`)].map((whole) => whole.toString('base64'))
  const wrapped = WRAP_AT.flatMap((width) =>
    alone.filter((text) => text.length > width).map((text) => wrap(text, width)),
  )
  const inside = FIRST_OWN_LETTER.map((from, before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64')
    // The last letter may depend on what follows.
    return text.slice(from, Math.floor(((before + bytes.length) * 8) / 6))
  })
  return [...alone, ...wrapped, ...inside].flatMap((text) => [
    text,
    // The other alphabet usually goes without the signs at the end.
    text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', ''),
  ])
}

/** By how many bytes stand before the secret in its group of three. */
const FIRST_OWN_LETTER = [0, 2, 3]

function wrap(text: string, width: number): string {
  return Array.from({ length: Math.ceil(text.length / width) }, (_, n) =>
    text.slice(n * width, (n + 1) * width),
  ).join('\n')
}

/** As JSON, addresses and shells write it. */
function escape(value: string): string[] {
  const whole = value.toWellFormed()
  return [
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(whole),
    value.replaceAll("'", String.raw`'\''`),
  ]
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // It only looks like a document.
    return null
  }
}
