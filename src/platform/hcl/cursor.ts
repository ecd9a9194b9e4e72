/**
 * Reads the lexical pieces of HCL: blanks, names, quoted texts, heredocs and raw expressions.
 *
 * hcl2-parser gives values, but no place of anything, and no difference between `"${a}"` and the
 * literal text that `"$${a}"` means. This knows just enough of the language to tell where each piece
 * stands and what is embedded in it; what the pieces are worth stays the parser's business.
 */

/** Something inside a value that is not literal, with the line it stands on. */
export interface HclEmbedded {
  text: string
  line: number
}

/** What a quoted text or heredoc holds beside literal characters. */
export interface HclTextParts {
  /** The insides of `${...}`, blanks included. */
  interpolations: HclEmbedded[]
  /** `%{...}` and the escapes `$${` and `%%{`, as written. */
  specials: HclEmbedded[]
}

/** A place where the text is not HCL. Lines count from 1. */
export class HclFault extends Error {
  readonly line: number

  constructor(line: number, message: string) {
    super(message)
    this.line = line
  }
}

const NAME = /[\p{ID_Start}_][\p{ID_Continue}-]*/uy
const HEREDOC = /<<-?([\p{ID_Start}_][\p{ID_Continue}-]*)\r?\n/uy
const OPENING = '([{'
const CLOSING = ')]}'

/** Files of people nest some 6 levels; thousands would end the stack. */
export const HCL_DEPTH_MAX = 64

export class Cursor {
  readonly text: string
  offset = 0
  #depth = 0
  readonly #lineStarts: number[]

  constructor(text: string) {
    this.text = text
    this.#lineStarts = [0]
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) {
      this.#lineStarts.push(at + 1)
    }
  }

  get line(): number {
    return this.lineAt(this.offset)
  }

  get ended(): boolean {
    return this.offset >= this.text.length
  }

  /** The next character, or the empty text at the end. */
  get next(): string {
    return this.text.charAt(this.offset)
  }

  lineAt(offset: number): number {
    let low = 0
    let high = this.#lineStarts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.#lineStarts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return low + 1
  }

  /** Offset at which a line starts. */
  lineStart(line: number): number {
    return this.#lineStarts[line - 1] ?? this.text.length
  }

  /** How far the line is indented, and whether only blanks stand before the offset. */
  indentAt(offset: number): { columns: number; alone: boolean } {
    const start = this.lineStart(this.lineAt(offset))
    const columns = /^[ \t]*/.exec(this.text.slice(start, offset))?.[0].length ?? 0
    return { columns, alone: start + columns === offset }
  }

  /** Reads what stands inside of something. @throws HclFault when that is too deep. */
  nested<T>(read: () => T): T {
    if (this.#depth >= HCL_DEPTH_MAX) {
      throw new HclFault(this.line, `nested too deeply: at most ${HCL_DEPTH_MAX} levels are read`)
    }
    this.#depth += 1
    try {
      return read()
    } finally {
      this.#depth -= 1
    }
  }

  startsWith(text: string): boolean {
    return this.text.startsWith(text, this.offset)
  }

  /** Steps over the text when it comes next. */
  take(text: string): boolean {
    if (!this.startsWith(text)) return false
    this.offset += text.length
    return true
  }

  match(sticky: RegExp): RegExpExecArray | null {
    sticky.lastIndex = this.offset
    const found = sticky.exec(this.text)
    if (found) this.offset += found[0].length
    return found
  }

  takeName(): string | null {
    return this.match(NAME)?.[0] ?? null
  }

  /** Steps over blanks and comments; over line ends only when asked to. */
  skipBlanks(lineEnds: boolean): void {
    for (;;) {
      this.match(lineEnds ? /[ \t\r\n]*/y : /[ \t\r]*/y)
      if (this.next === '#' || this.startsWith('//')) this.match(/[^\n]*/y)
      else if (this.startsWith('/*')) this.#skipBlockComment()
      else return
    }
  }

  #skipBlockComment(): void {
    const end = this.text.indexOf('*/', this.offset + 2)
    if (end < 0) throw new HclFault(this.line, 'the comment that starts here has no */')
    this.offset = end + 2
  }

  /** At a `"`: steps over the quoted text. */
  readQuoted(): HclTextParts {
    const { line } = this
    const parts: HclTextParts = { interpolations: [], specials: [] }
    this.offset += 1
    for (;;) {
      if (this.ended || this.next === '\n') {
        throw new HclFault(line, 'the text that starts here has no closing quote on its line')
      }
      if (this.take('"')) return parts
      if (this.next === '\\') this.offset += 2
      else if (!this.#readSequence(parts)) this.offset += 1
    }
  }

  /** At a `<<`: steps over the heredoc, up to the end of its last line. */
  readHeredoc(): HclTextParts {
    const { line } = this
    const marker = this.match(HEREDOC)?.[1]
    if (marker === undefined)
      throw new HclFault(line, 'a heredoc starts with <<NAME and a new line')
    const parts: HclTextParts = { interpolations: [], specials: [] }
    let lineBegins = true
    while (!this.ended) {
      if (lineBegins) {
        const end = this.match(/[ \t]*([^\s]+)[ \t\r]*(?=\n|$)/y)
        if (end?.[1] === marker) return parts
        this.offset -= end?.[0].length ?? 0
      }
      lineBegins = this.next === '\n'
      if (lineBegins || !this.#readSequence(parts)) this.offset += 1
    }
    throw new HclFault(line, `the heredoc that starts here has no closing ${marker}`)
  }

  /** Steps over `${...}`, `%{...}`, `$${` or `%%{` and notes it. */
  #readSequence(parts: HclTextParts): boolean {
    const { line, offset } = this
    if (this.take('$${') || this.take('%%{')) {
      parts.specials.push({ text: this.text.slice(offset, this.offset), line })
      return true
    }
    if (!this.take('${') && !this.take('%{')) return false
    this.nested(() => this.readRaw({ lineEnds: true }))
    const inner = this.text.slice(offset + 2, this.offset)
    if (!this.take('}')) throw new HclFault(line, 'the ${ that starts here has no closing }')
    if (this.text.charAt(offset) === '$') parts.interpolations.push({ text: inner, line })
    else parts.specials.push({ text: this.text.slice(offset, this.offset), line })
    return true
  }

  /**
   * Steps over any expression, up to a comma, a closing bracket that it did not open, or (unless line
   * ends belong to it) the end of the line. @returns its text, trimmed.
   */
  readRaw(options: { lineEnds: boolean }): string {
    const start = this.offset
    let depth = 0
    let end = start
    while (!this.ended) {
      const { next } = this
      if (depth === 0 && (next === ',' || (CLOSING.includes(next) && next !== ''))) break
      if (depth === 0 && next === '\n' && !options.lineEnds) break
      if (next === '"') this.readQuoted()
      else if (this.startsWith('<<')) this.readHeredoc()
      else if (next === '#' || this.startsWith('//') || this.startsWith('/*')) {
        this.skipBlanks(depth > 0 || options.lineEnds)
        continue
      } else {
        if (OPENING.includes(next)) depth += 1
        if (CLOSING.includes(next)) depth -= 1
        this.offset += 1
      }
      end = this.offset
    }
    return this.text.slice(start, end).trim()
  }
}
