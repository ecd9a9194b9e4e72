/**
 * YAML as the configuration language needs it: a tree of texts, lists and maps with places.
 *
 * Scalars stay as they are written (`true`, `1.10` and `0123` are texts), because they reach a process
 * as text. Aliases share the node of their anchor, a later anchor of the same name wins, and `<<` merges
 * are folded into their map, also when a map has several of them. Whatever a text does (bombs of
 * aliases, deep nesting, cycles), the work stays bounded and nothing is thrown.
 */
import { Composer, LineCounter, Parser } from 'yaml'
import type { Document } from 'yaml'
import { EMPTY, FAULTS_MAX, TOO_DEEP, TreeBuilder } from './yaml-tree.ts'
import type { YamlFault, YamlNode } from './yaml-tree.ts'

export interface YamlFile {
  readonly root: YamlNode
  /** Empty when the whole text is sound YAML. */
  readonly faults: readonly YamlFault[]
  /** Lines and columns count from 1. */
  readonly place: (at: number) => { line: number; column: number }
}

/** Five times the largest file seen in public. */
export const YAML_CHARS_MAX = 512 * 1024

/**
 * Pieces of syntax: names, values, colons, indentations, line ends. What they cost, not characters, is
 * what a text costs: so many take a third of a second at most, on the thread that serves everybody. The
 * largest file seen in public has less than a third of it.
 */
export const YAML_TOKENS_MAX = 100_000

/** @returns a tree in every case; it means something only when `faults` is empty. Never throws. */
export function parseYaml(text: string): YamlFile {
  const lines = new LineCounter()
  const place = (at: number) => toPlace(lines, at)
  if (text.length > YAML_CHARS_MAX) {
    const message = `the file has ${text.length} characters: at most ${YAML_CHARS_MAX} are read`
    return { root: EMPTY, faults: [{ at: 0, message }], place }
  }
  const { documents, faults } = compose(text, lines)
  const [first, second] = documents
  if (second) {
    faults.push({
      at: second.range[0],
      message: 'a second YAML document starts here: a file holds one configuration',
    })
  }
  if (faults.length > 0 || !first?.contents) {
    return { root: EMPTY, faults: faults.slice(0, FAULTS_MAX), place }
  }
  const builder = new TreeBuilder()
  const root = builder.build(first.contents, 0)
  return { root, faults: builder.faults.slice(0, FAULTS_MAX), place }
}

function toPlace(lines: LineCounter, at: number): { line: number; column: number } {
  const { line, col } = lines.linePos(at)
  return { line: Math.max(line, 1), column: Math.max(col, 1) }
}

type YamlDocument = Document.Parsed

function compose(
  text: string,
  lines: LineCounter,
): { documents: YamlDocument[]; faults: YamlFault[] } {
  // Duplicate keys are looked for while building: the composer's own search is quadratic and refuses
  // a second `<<`. Without known tags, a text stays a text whatever its tag says.
  const composer = new Composer({ schema: 'failsafe', uniqueKeys: false, resolveKnownTags: false })
  const documents: YamlDocument[] = []
  const faults: YamlFault[] = []
  const parser = new BoundedParser(lines.addNewLine)
  try {
    for (const document of composer.compose(boundedTokens(text, parser), true, text.length)) {
      documents.push(document)
      if (documents.length > 1) break
    }
  } catch (cause) {
    if (cause instanceof TooManyTokens) {
      const message = `more than ${YAML_TOKENS_MAX} pieces of YAML up to here: the file is too large`
      return { documents: [], faults: [{ at: cause.at, message }] }
    }
    // The parser recurses: only a text made to break it gets here, and deep nesting is how.
    const why = cause instanceof RangeError ? TOO_DEEP : `not readable as YAML: ${String(cause)}`
    return { documents: [], faults: [{ at: 0, message: why }] }
  }
  const seen = new Set<number>()
  for (const document of documents) {
    const tags = document.warnings.filter((warning) => warning.code === 'TAG_RESOLVE_FAILED')
    for (const { code, message, pos } of [...document.errors, ...tags]) {
      const fault = toFault(code, message, pos[0], text)
      // One mistake often makes several errors on its line: the first names it best.
      const { line } = toPlace(lines, fault?.at ?? 0)
      if (!fault || seen.has(line)) continue
      seen.add(line)
      faults.push(fault)
      if (faults.length >= FAULTS_MAX) return { documents, faults }
    }
  }
  return { documents, faults }
}

/**
 * Ends after some tokens that fit nowhere, or directives, which nobody needs: each costs an error object,
 * and a file can be full of them.
 */
function* boundedTokens(text: string, parser: Parser) {
  let errors = 0
  for (const token of parser.parse(text)) {
    yield token
    if ((token.type === 'error' || token.type === 'directive') && ++errors >= FAULTS_MAX) return
  }
}

class TooManyTokens extends Error {
  readonly at: number

  constructor(at: number) {
    super('too many tokens')
    this.at = at
  }
}

/** Stops in the middle of a text that has too many pieces. */
class BoundedParser extends Parser {
  #count = 0;

  override *next(source: string) {
    this.#count += 1
    if (this.#count > YAML_TOKENS_MAX) throw new TooManyTokens(this.offset)
    yield* super.next(source)
  }
}

function toFault(code: string, message: string, at: number, text: string): YamlFault | null {
  switch (code) {
    case 'TAB_AS_INDENT':
      return { at, message: 'a tab is used as indentation: YAML allows only spaces' }
    case 'BLOCK_AS_IMPLICIT_KEY':
      return {
        at,
        message:
          'not valid YAML: a map or list starts inside a value: ' +
          'check the indentation below it, or put it in quotes',
      }
    case 'RESOURCE_EXHAUSTION':
      return { at: 0, message: TOO_DEEP }
    case 'TAG_RESOLVE_FAILED': {
      const tag = /^\S{1,60}/.exec(text.slice(at))?.[0] ?? '!'
      // Scalars are texts as written: a tag that names a plain type changes nothing.
      if (/^!!(?:int|float|bool|null)$/.test(tag)) return null
      return { at, message: `the tag \`${tag}\` is not supported: remove it` }
    }
    default:
      return { at, message: `not valid YAML: ${message.replaceAll(/\s+/g, ' ').slice(0, 200)}` }
  }
}
