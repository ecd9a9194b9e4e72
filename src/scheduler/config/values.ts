/** Readers of single values: texts, numbers, booleans, durations, paths. */
import { formatDuration, parseDurationMs, suggest, toWords } from '../../model/index.ts'
import { listed, shown } from './report.ts'
import { describe } from './scope.ts'
import type { Reader, Scope, Slot } from './scope.ts'

/**
 * Seven days, far beyond any limit of a job. A timer of the runtime cannot be longer than some 24 days:
 * beyond that it fires at once.
 */
export const NO_OUTPUT_MAX_MS = 7 * 86_400_000

/** Any scalar, as it is written. */
export const readText: Reader<string> = (slot, scope) => {
  const { node, at, path } = slot
  if (node.kind !== 'scalar') return refuse(slot, scope, 'not a text')
  const text = scope.hasExpressions ? withoutExpressions(node.text, slot, scope) : node.text
  if (text === undefined || !scope.spend(text.length, slot)) return undefined
  if (text.includes('\0') || !text.isWellFormed()) {
    const what = 'the text holds a character that cannot be passed to a process'
    scope.report.problem({ at, path, what, hint: 'remove NUL and lone surrogates' })
    return undefined
  }
  return text
}

/** A text that holds more than blanks. */
export const readFilledText: Reader<string> = (slot, scope) => {
  const text = readText(slot, scope)
  if (text === undefined || text.trim() !== '') return text
  scope.report.problem({ at: slot.at, path: slot.path, what: 'the value is empty' })
  return undefined
}

/** What runs commands, split into words when it does. */
export const readShell: Reader<string> = (slot, scope) => {
  const text = readFilledText(slot, scope)
  if (text === undefined) return undefined
  const split = toWords(text)
  return 'words' in split ? text : refuse(slot, scope, `the shell ${split.fault}`)
}

/** Nothing in a path is expanded but a leading `~`, the home of the steps' user. */
export const readPath: Reader<string> = (slot, scope) => {
  const text = readFilledText(slot, scope)
  if (text === undefined || !/^~[^/]/.test(text)) return text
  const what = `the home of another user cannot be named: \`${shown(text)}\``
  scope.report.problem({ at: slot.at, path: slot.path, what, hint: 'write `~/...` or a full path' })
  return undefined
}

/** The spellings that YAML 1.1 gives booleans, which files of people still use. */
export const readBoolean: Reader<boolean> = (slot, scope) => {
  const text = toPlainText(slot)?.toLowerCase()
  if (text === 'true' || text === 'yes' || text === 'on') return true
  if (text === 'false' || text === 'no' || text === 'off') return false
  return refuse(slot, scope, 'not `true` or `false`')
}

export function readWholeNumber(min: number, max: number): Reader<number> {
  return (slot, scope) => {
    const text = toPlainText(slot)
    const value =
      text !== undefined && /^(?:0|[1-9]\d{0,8})$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    return refuse(slot, scope, `not a whole number from ${min} to ${max}`)
  }
}

export function readOneOf<T extends string>(choices: readonly T[]): Reader<T> {
  return (slot, scope) => {
    const text = readText(slot, scope)
    if (text === undefined) return undefined
    const choice = choices.find((each) => each === text)
    if (choice !== undefined) return choice
    const near = suggest(text, choices)
    const hint = near === null ? {} : { hint: `did you mean \`${near}\`?` }
    return refuse(slot, scope, `not one of ${listed(choices)}`, hint)
  }
}

/** A duration such as `10m`, `1.25h` or `1h30m`. The reader returns milliseconds. */
export function readDuration(maxMs: number): Reader<number> {
  return (slot, scope) => {
    const text = readText(slot, scope)
    if (text === undefined) return undefined
    if (/^\d+(?:\.\d+)?$/.test(text)) {
      return refuse(slot, scope, 'a duration needs a unit', {
        hint: `write \`${shown(text)}s\` or \`${shown(text)}m\``,
      })
    }
    const ms = parseDurationMs(text)
    if (ms === null) {
      return refuse(slot, scope, 'not a duration', { hint: 'write one such as `10m` or `1h30m`' })
    }
    if (ms >= 1 && ms <= maxMs) return ms
    return refuse(slot, scope, `not a duration above zero and up to ${formatDuration(maxMs)}`)
  }
}

/** The text of a value without quotes: only such a text means a number or a boolean. */
function toPlainText({ node }: Slot): string | undefined {
  return node.kind === 'scalar' && node.plain ? node.text : undefined
}

/**
 * From version 2.1 on, `<<` starts an expression and `\<<` is how a text says `<<`.
 * @returns the text without the escapes, or undefined when it holds an expression.
 */
function withoutExpressions(text: string, slot: Slot, scope: Scope): string | undefined {
  if (!text.includes('<<')) return text
  let expression: string | undefined
  const plain = text.replaceAll(/\\<<|<<[^\n]*/g, (found) => {
    if (found.startsWith('\\')) return '<<'
    expression ??= found
    return found
  })
  if (expression === undefined) return plain
  const name = /^<<.*?>>/.exec(expression)?.[0] ?? expression
  const isReference = /^<<\s*[#^/]?[\w\s.-]+>>$/.test(name)
  scope.report.problem({
    at: slot.at,
    path: slot.path,
    what: `not supported yet: the expression \`${shown(name)}\``,
    hint: isReference ? 'write the value itself' : 'where the shell is to see `<<`, write `\\<<`',
  })
  return undefined
}

function refuse(slot: Slot, scope: Scope, why: string, hint: { hint?: string } = {}): undefined {
  const { node, at, path } = slot
  const isText = node.kind === 'scalar'
  // An expression stands for a number or a boolean too: its name says more than what it is not.
  if (isText && scope.hasExpressions && withoutExpressions(node.text, slot, scope) === undefined) {
    return undefined
  }
  const quoted = isText && !node.plain ? ', which is in quotes' : ''
  scope.report.problem({ at, path, what: `${why}: ${describe(node)}${quoted}`, ...hint })
  return undefined
}
