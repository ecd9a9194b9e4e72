/**
 * HCL files: hcl2-parser behind one function.
 *
 * The parser is HashiCorp's own, compiled from Go. It gives values, keeps expressions as text, throws
 * on some inputs, and of a syntax error it says only that there is one. Places, source order and the
 * reasons of faults come from our own reading of the same text.
 *
 * Loading it takes 0.4 s and 50 MB, so it is loaded by the first file that is parsed.
 */
import { CaravanError, type Problem } from '../model/index.ts'
import { locateFaults } from './hcl/faults.ts'
import { scanHcl, type HclEntry } from './hcl/layout.ts'
import type { HclLeaf, HclValue } from './hcl/values.ts'

export type { HclTextParts } from './hcl/cursor.ts'
export type { HclAttribute, HclBlock, HclEntry } from './hcl/layout.ts'
export type { HclLeaf, HclMapEntry, HclValue } from './hcl/values.ts'

export type HclResult =
  | { ok: true; entries: HclEntry[] }
  | { ok: false; problems: [Problem, ...Problem[]] }

/**
 * Reads an HCL file into its blocks and attributes, in source order, each with its line.
 *
 * @param file its name, for the problems.
 */
export async function parseHcl(source: string, file: string): Promise<HclResult> {
  const parse = await loadParser()
  // Half a surrogate pair has no UTF-8: the parser replaces it, so our own reading must too.
  const text = source.toWellFormed()
  const { entries, faults } = scanHcl(text)
  // What our own reading refuses, the parser need not try: deep nesting would end its stack.
  const tree = faults.length > 0 ? null : parse(text)
  if (tree === null && faults.length === 0) {
    faults.push(...locateFaults(text, entries, (part) => parse(part) !== null))
  }
  const [first, ...rest] = faults
    .sort((a, b) => a.line - b.line)
    .map(({ line, message }) => ({ file, line, message }))
  if (first !== undefined) return { ok: false, problems: [first, ...rest] }
  attachEntries(entries, tree, file)
  return { ok: true, entries }
}

type Parse = (text: string) => unknown

let parser: Promise<Parse> | undefined

function loadParser(): Promise<Parse> {
  parser ??= importParser()
  return parser
}

async function importParser(): Promise<Parse> {
  // The compiled Go lifts the limit of stack traces and plants a `require` in the global scope.
  const { stackTraceLimit } = Error
  const hadRequire = 'require' in globalThis
  const vendor: unknown = await import('hcl2-parser')
  Error.stackTraceLimit = stackTraceLimit
  if (!hadRequire) Reflect.deleteProperty(globalThis, 'require')
  const { default: module } = vendor as { default: { parseToObject: (text: string) => unknown } }
  return (text) => {
    try {
      const answer = module.parseToObject(text)
      return Array.isArray(answer) && answer[1] === null ? (answer[0] as unknown) : null
    } catch {
      // A panic of the Go code, which means the same as its error: not HCL.
      return null
    }
  }
}

/** Fills in what the values are worth. */
function attachEntries(entries: readonly HclEntry[], body: unknown, file: string): void {
  const seen = new Map<string, number>()
  for (const entry of entries) {
    if (entry.kind === 'attribute') {
      attachValue(entry.value, memberOf(body, entry.name), file)
      continue
    }
    // Blocks of one name and the same labels form a list; other labels stand beside it.
    const path = [entry.name, ...entry.labels]
    const key = JSON.stringify(path)
    const index = seen.get(key) ?? 0
    seen.set(key, index + 1)
    attachEntries(entry.entries, memberOf(path.reduce(memberOf, body), index), file)
  }
}

function attachValue(value: HclValue, worth: unknown, file: string): void {
  if (value.kind === 'list') {
    for (const [index, item] of value.items.entries()) {
      attachValue(item, memberOf(worth, index), file)
    }
  } else if (value.kind === 'map') {
    for (const entry of value.entries) {
      // What a key with an expression in it will be called is not known here.
      if (entry.interpolations.length > 0 || entry.specials.length > 0) continue
      attachValue(entry.value, memberOf(worth, entry.key) ?? equalMemberOf(worth, entry.key), file)
    }
  } else if (worth === null || ['string', 'number', 'boolean'].includes(typeof worth)) {
    value.value = worth as HclLeaf['value']
  } else {
    const place = { file, line: value.line, source: value.source }
    throw new CaravanError('INTERNAL', 'a value of an HCL file was not found again', {
      detail: place,
    })
  }
}

function memberOf(parent: unknown, key: string | number): unknown {
  if (typeof parent !== 'object' || parent === null || !Object.hasOwn(parent, key)) return undefined
  return (parent as Record<string | number, unknown>)[key]
}

/** The parser composes characters by an older Unicode than Node.js, and leaves newer ones as they are. */
function equalMemberOf(parent: unknown, key: string): unknown {
  if (typeof parent !== 'object' || parent === null) return undefined
  const equal = Object.keys(parent).find((other) => other.normalize('NFC') === key)
  return equal === undefined ? undefined : memberOf(parent, equal)
}
