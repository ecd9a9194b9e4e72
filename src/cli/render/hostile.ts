/**
 * What others wrote, made fit for a terminal.
 *
 * A step, a branch name or a message may hold sequences that set the title of a window, write to the
 * clipboard, move the cursor over what was said before, or hide it. Colours may stay: they end with
 * their line.
 */

const ESCAPE = '\u001B'

/** `ESC [ parameters m`: colours, bold and the like. */
const COLOUR = String.raw`\[[0-9;:]*m`

/** A string that a terminal takes as a command: title, clipboard, device control. Ends with its line at the latest. */
const COMMAND = String.raw`[\]PX^_][^\u0007\u001B\u009C]*(?:\u0007|\u001B\\|\u009C)?`

/** Any other sequence: moves, clears, modes; or a lone escape with what it would take. */
const SEQUENCE = String.raw`\[[0-?]*[ -/]*[@-~]?|[ -/]*[0-~]?`

/** Control characters but the tab, their eight-bit kin, and what turns the direction of text around. */
const CONTROLS = String.raw`[\u0000-\u0008\u000A-\u001F\u007F-\u009F\u200E\u200F\u2028-\u202E\u2066-\u2069\uFEFF]`

const EIGHT_BIT = String.raw`[\u0090\u0098\u009D-\u009F][^\u0007\u001B\u009C]*(?:\u0007|\u001B\\|\u009C)?|\u009B[0-?]*[ -/]*[@-~]?`

const HOSTILE = new RegExp(
  `${ESCAPE}(?:(${COLOUR})|${COMMAND}|${SEQUENCE})|${EIGHT_BIT}|${CONTROLS}`,
  'g',
)

const COLOURS_OFF = `${ESCAPE}[0m`

/** One line of output, with its colours, which end with it. */
export function toSafeLine(line: string): string {
  let isColoured = false
  const safe = line.replace(HOSTILE, (_all, colour?: string) => {
    if (colour === undefined || hides(colour)) return ''
    isColoured = true
    return ESCAPE + colour
  })
  return isColoured ? safe + COLOURS_OFF : safe
}

/** A name or a sentence: one line, no colours. What ends a line becomes a space. */
export function toSafeText(text: string): string {
  return text.replaceAll(/[\r\n\t\u2028\u2029]+/g, ' ').replace(HOSTILE, '')
}

/**
 * Cuts bytes into lines. A carriage return ends one, too: what follows it would be written over what
 * stands there.
 */
export class SafeLines {
  #rest: Buffer = Buffer.alloc(0)
  #isAfterReturn = false

  /** @returns the lines that are complete with these bytes. */
  push(bytes: Uint8Array): string[] {
    const skipped = this.#isAfterReturn && bytes[0] === NEWLINE ? 1 : 0
    const all = Buffer.concat([this.#rest, bytes.subarray(skipped)])
    const end = Math.max(all.lastIndexOf(NEWLINE), all.lastIndexOf(RETURN)) + 1
    const length = end === 0 && all.length >= LINE_BYTES_MAX ? all.length : end
    if (bytes.length > 0) this.#isAfterReturn = all.length > 0 && all.at(-1) === RETURN
    this.#rest = Buffer.from(all.subarray(length))
    const lines = all.toString('utf8', 0, length).split(/\r\n|\r|\n/)
    if (end > 0 || length === 0) lines.pop()
    return lines.map(toSafeLine)
  }

  /** @returns the last line, when it has no end. */
  end(): string[] {
    const rest = this.#rest
    this.#rest = Buffer.alloc(0)
    return rest.length === 0 ? [] : [toSafeLine(rest.toString('utf8'))]
  }
}

/** A line that never ends is broken here, so that it can not fill the memory. */
const LINE_BYTES_MAX = 64 * 1024

const NEWLINE = 0x0a
const RETURN = 0x0d

/** `8` hides what follows; after `38` or `48` it is the number of a colour. */
function hides(colour: string): boolean {
  const codes = colour.slice(1, -1).split(/[;:]/)
  for (let index = 0; index < codes.length; index += 1) {
    const code = Number(codes[index])
    if (code === 8) return true
    if (code === 38 || code === 48 || code === 58) index += codes[index + 1] === '5' ? 2 : 4
  }
  return false
}
