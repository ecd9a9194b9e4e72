/** The values of an HCL file as they are written, each with its place. */
import { HclFault, type Cursor, type HclTextParts } from './cursor.ts'

interface Placed {
  line: number
  /** Offsets into the file. */
  start: number
  end: number
}

/** A number, a truth value, null, a text, or any expression, which stays text: `${upper("a")}`. */
export interface HclLeaf extends Placed, HclTextParts {
  kind: 'leaf'
  form: 'number' | 'boolean' | 'null' | 'text' | 'expression'
  /** As written. */
  source: string
  /** What hcl2-parser says it is worth; null until then. */
  value: string | number | boolean | null
}

export interface HclList extends Placed {
  kind: 'list'
  items: HclValue[]
}

export interface HclMap extends Placed {
  kind: 'map'
  entries: HclMapEntry[]
}

export interface HclMapEntry extends HclTextParts {
  key: string
  line: number
  value: HclValue
}

export type HclValue = HclLeaf | HclList | HclMap

const LITERAL = /(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\p{ID_Continue}.-])/uy
const FOR = /[[{]\s*for\s/y

/**
 * Reads one value; what is neither literal, text, list nor map becomes an expression leaf.
 *
 * @param lineEnds whether the value may go on over line ends, as it may inside a list.
 * @param faults gets what is wrong but does not stop the reading.
 */
export function readValue(cursor: Cursor, faults: HclFault[], lineEnds: boolean): HclValue {
  cursor.skipBlanks(lineEnds)
  const { offset: start, line } = cursor
  const simple = readSimple(cursor, faults)
  if (simple !== null && isAtDelimiter(cursor, lineEnds)) return simple
  cursor.offset = start
  const source = cursor.readRaw({ lineEnds })
  if (source === '') throw new HclFault(line, 'expected a value')
  const parts = { interpolations: [{ text: source, line }], specials: [] }
  return toLeaf('expression', { line, start, end: start + source.length }, source, parts)
}

function isAtDelimiter(cursor: Cursor, lineEnds: boolean): boolean {
  const end = cursor.offset
  cursor.skipBlanks(lineEnds)
  const found = cursor.ended || ',]})\n'.includes(cursor.next)
  cursor.offset = end
  return found
}

function readSimple(cursor: Cursor, faults: HclFault[]): HclValue | null {
  const { offset: start, line } = cursor
  if (cursor.match(FOR)) return null
  if (cursor.next === '[') return cursor.nested(() => readList(cursor, faults))
  if (cursor.next === '{') return cursor.nested(() => readMap(cursor, faults))
  const leaf = (form: HclLeaf['form'], parts: HclTextParts) => {
    const place = { line, start, end: cursor.offset }
    return toLeaf(form, place, cursor.text.slice(start, cursor.offset), parts)
  }
  if (cursor.next === '"') return leaf('text', cursor.readQuoted())
  if (cursor.startsWith('<<')) return leaf('text', cursor.readHeredoc())
  const literal = cursor.match(LITERAL)?.[1]
  if (literal === undefined) return null
  const word = literal === 'null' ? 'null' : 'boolean'
  return leaf(/^[tfn]/.test(literal) ? word : 'number', noParts())
}

function toLeaf(
  form: HclLeaf['form'],
  place: Placed,
  source: string,
  parts: HclTextParts,
): HclLeaf {
  return { kind: 'leaf', form, ...place, source, value: null, ...parts }
}

function noParts(): HclTextParts {
  return { interpolations: [], specials: [] }
}

function readList(cursor: Cursor, faults: HclFault[]): HclList {
  const { offset: start, line } = cursor
  const items: HclValue[] = []
  cursor.offset += 1
  for (;;) {
    cursor.skipBlanks(true)
    if (cursor.take(']')) return { kind: 'list', line, start, end: cursor.offset, items }
    if (cursor.ended) throw new HclFault(line, 'the list that starts here has no closing ]')
    items.push(readValue(cursor, faults, true))
    cursor.skipBlanks(true)
    if (!cursor.take(',') && cursor.next !== ']' && !cursor.ended) {
      throw new HclFault(cursor.line, 'expected a comma or ] in the list')
    }
  }
}

function readMap(cursor: Cursor, faults: HclFault[]): HclMap {
  const { offset: start, line } = cursor
  const entries: HclMapEntry[] = []
  cursor.offset += 1
  for (;;) {
    cursor.skipBlanks(true)
    if (cursor.take('}')) return { kind: 'map', line, start, end: cursor.offset, entries }
    if (cursor.ended) throw new HclFault(line, 'the map that starts here has no closing }')
    const entry = readMapEntry(cursor, faults)
    const first = entries.find(({ key }) => key === entry.key)
    if (first !== undefined) {
      const message = `the key "${entry.key}" is already set on line ${first.line}`
      faults.push(new HclFault(entry.line, message))
    }
    entries.push(entry)
    cursor.skipBlanks(false)
    if (!cursor.take(',') && !cursor.take('\n') && cursor.next !== '}' && !cursor.ended) {
      throw new HclFault(cursor.line, 'expected a comma, a new line or } in the map')
    }
  }
}

function readMapEntry(cursor: Cursor, faults: HclFault[]): HclMapEntry {
  const { offset, line } = cursor
  const parts = readMapKey(cursor)
  const written = cursor.text.slice(offset, cursor.offset)
  // Of keys HCL composes characters, so `e` and an accent become one; of labels it does not.
  const key = written.startsWith('"') ? unquote(written).normalize('NFC') : written
  cursor.skipBlanks(false)
  if (written === '' || (!cursor.take('=') && !cursor.take(':'))) {
    throw new HclFault(line, 'expected "key = value" in the map')
  }
  return { key, line, ...parts, value: readValue(cursor, faults, false) }
}

/** A key in parentheses is an expression, hence all interpolation. */
function readMapKey(cursor: Cursor): HclTextParts {
  const { line } = cursor
  if (cursor.next === '"') return cursor.readQuoted()
  const parts = noParts()
  if (cursor.take('(')) {
    parts.interpolations.push({ text: cursor.readRaw({ lineEnds: true }), line })
    cursor.take(')')
  } else if (cursor.takeName() === null) cursor.match(/\d+(?:\.\d+)?/y)
  return parts
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }

/** What a quoted label or key means. */
export function unquote(quoted: string): string {
  return quoted
    .slice(1, -1)
    .replaceAll(/\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/g, (whole, short, long, letter) => {
      const code: unknown = short ?? long
      if (typeof code === 'string') return toCharacter(Number.parseInt(code, 16)) ?? whole
      return ESCAPES[String(letter)] ?? String(letter)
    })
    .replaceAll(/([$%])\1\{/g, '$1{')
}

function toCharacter(code: number): string | null {
  return code <= 0x10_ff_ff ? String.fromCodePoint(code) : null
}
