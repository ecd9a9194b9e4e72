/**
 * Where everything stands in an HCL file: blocks, attributes and the values in them, in source order.
 *
 * Stricter than the language in one thing: what is written twice is refused, even where HCL lets the
 * last one win.
 */
import { Cursor, HclFault } from './cursor.ts'
import { readValue, unquote, type HclValue } from './values.ts'

interface Placed {
  name: string
  line: number
  /** Offsets into the file. */
  start: number
  end: number
}

export interface HclAttribute extends Placed {
  kind: 'attribute'
  value: HclValue
}

export interface HclBlock extends Placed {
  kind: 'block'
  labels: string[]
  entries: HclEntry[]
}

export type HclEntry = HclBlock | HclAttribute

/** @returns what could be read, and every place where the text is not HCL, a top-level block each. */
export function scanHcl(text: string): { entries: HclEntry[]; faults: HclFault[] } {
  const scanner = new Scanner(text)
  return { entries: scanner.readFile(), faults: scanner.faults }
}

class Scanner {
  readonly faults: HclFault[] = []
  readonly #cursor: Cursor
  /** Line of the first block whose } stands further left than the block itself: not its own, then. */
  #suspectLine: number | null = null

  constructor(text: string) {
    this.#cursor = new Cursor(text)
    this.#cursor.take('\uFEFF')
  }

  readFile(): HclEntry[] {
    const entries: HclEntry[] = []
    for (;;) {
      try {
        this.#suspectLine = null
        this.#readEntries(entries, null)
        if (this.#cursor.ended) return entries
        this.#refuseClosingBrace()
      } catch (fault) {
        if (!(fault instanceof HclFault)) throw fault
        this.faults.push(fault)
        this.#skipToNextTopLevelName()
      }
    }
  }

  /** After a fault it may well close what was skipped, so only the first fault is told. */
  #refuseClosingBrace(): void {
    const { line } = this.#cursor
    this.#cursor.offset += 1
    if (this.faults.length === 0) throw new HclFault(line, 'this } closes nothing')
  }

  /** After a fault: goes on at the next line that starts at its left edge, as top-level blocks do. */
  #skipToNextTopLevelName(): void {
    const edge = /\n(?=[\p{ID_Start}_])/gu
    edge.lastIndex = this.#cursor.offset
    this.#cursor.offset = edge.exec(this.#cursor.text)?.index ?? this.#cursor.text.length
  }

  /** Reads up to a closing brace or the end of the file. */
  #readEntries(entries: HclEntry[], parent: HclBlock | null): void {
    const cursor = this.#cursor
    for (;;) {
      cursor.skipBlanks(true)
      if (cursor.ended || cursor.next === '}') break
      const entry = this.#readEntry()
      this.#checkRepeats(entries, entry)
      entries.push(entry)
      cursor.skipBlanks(false)
      if (cursor.ended || cursor.take('\n')) continue
      throw new HclFault(cursor.line, describeLeftover(cursor.next, entry))
    }
    if (parent === null || cursor.next === '}') return
    throw new HclFault(
      this.#suspectLine ?? parent.line,
      'the block that opens here has no closing }',
    )
  }

  #readEntry(): HclEntry {
    const cursor = this.#cursor
    const { offset: start, line } = cursor
    const name = cursor.takeName()
    if (name === null) throw new HclFault(line, 'expected the name of a block or of an attribute')
    cursor.skipBlanks(false)
    if (cursor.next === '=' && !cursor.startsWith('==')) {
      cursor.offset += 1
      const value = readValue(cursor, this.faults, false)
      return { kind: 'attribute', name, line, start, end: cursor.offset, value }
    }
    const labels = this.#readLabels()
    if (!cursor.take('{')) throw new HclFault(line, `expected "${name} = value" or "${name} {"`)
    const block: HclBlock = { kind: 'block', name, labels, line, start, end: 0, entries: [] }
    cursor.nested(() => this.#readBlockBody(block))
    block.end = cursor.offset
    return block
  }

  #readLabels(): string[] {
    const cursor = this.#cursor
    const labels: string[] = []
    for (;;) {
      cursor.skipBlanks(false)
      const { offset } = cursor
      if (cursor.next === '"') {
        cursor.readQuoted()
        labels.push(unquote(cursor.text.slice(offset, cursor.offset)))
      } else {
        const label = cursor.takeName()
        if (label === null) return labels
        labels.push(label)
      }
    }
  }

  #readBlockBody(block: HclBlock): void {
    const cursor = this.#cursor
    cursor.skipBlanks(false)
    if (cursor.next === '\n') {
      this.#readEntries(block.entries, block)
      const closing = cursor.indentAt(cursor.offset)
      if (closing.alone && closing.columns < cursor.indentAt(block.start).columns) {
        this.#suspectLine ??= block.line
      }
    } else if (cursor.next !== '}') {
      const entry = this.#readEntry()
      block.entries.push(entry)
      cursor.skipBlanks(false)
      if (cursor.next !== '}' || entry.kind === 'block') {
        throw new HclFault(block.line, 'a block on one line holds one attribute; use several lines')
      }
    }
    cursor.offset += 1
  }

  #checkRepeats(before: readonly HclEntry[], entry: HclEntry): void {
    const first = before.find((other) => other.name === entry.name && !canStandBeside(other, entry))
    if (first === undefined) return
    const message =
      first.kind === 'block' && entry.kind === 'block'
        ? `"${entry.name}" has ${entry.labels.length} labels here and ${first.labels.length} on line ${first.line}`
        : `"${entry.name}" is already set on line ${first.line}`
    this.faults.push(new HclFault(entry.line, message))
  }
}

/** hcl2-parser loses one of two entries of a name, or breaks, unless both are blocks of one shape. */
function canStandBeside(one: HclEntry, other: HclEntry): boolean {
  if (one.kind === 'attribute' || other.kind === 'attribute') return false
  return one.labels.length === other.labels.length
}

function describeLeftover(next: string, entry: HclEntry): string {
  if (next === ',') return `nothing may follow the value of "${entry.name}": leave out the comma`
  if (next === '}') return 'the } of a block of several lines stands on a line of its own'
  return `expected a new line after "${entry.name}"`
}
