/** From a value as written to a function that renders it. */
import type { HclLeaf, HclMapEntry, HclTextParts, HclValue } from '../../platform/index.ts'
import { toReference } from './references.ts'
import { toText, type TemplateValue } from './values.ts'

/** The values of one rendering, and where it reports what does not fit. */
export interface Scope {
  values: ReadonlyMap<string, TemplateValue>
  report: (place: Place, message: string) => void
}

export interface Place {
  line: number
  /** Dotted path of the key, such as `job.group.slice.count`. */
  path: string
}

export type Render<T> = (scope: Scope) => T

/** What compiling needs to know, and where it reports what a template may not hold. */
export interface Compiling {
  variables: ReadonlySet<string>
  /** How often variables were referred to so far: what refers to none is the same for every slice. */
  references: number
  /** Gets the line of every block and attribute by its dotted path. */
  lines: Map<string, number>
  report: (place: Place, message: string) => void
}

/** Texts are put together and variables filled in; nothing is converted. */
export function compileValue(
  value: HclValue,
  path: string,
  compiling: Compiling,
): Render<TemplateValue> {
  if (value.kind === 'list') {
    const items = value.items.map((item, at) => compileValue(item, `${path}[${at}]`, compiling))
    return (scope) => items.map((item) => item(scope))
  }
  if (value.kind === 'map') {
    const entries = value.entries.map((entry) => compileMapEntry(entry, path, compiling))
    return (scope) => Object.fromEntries(entries.map(([key, render]) => [key, render(scope)]))
  }
  return compileLeaf(value, path, compiling)
}

export function compileMapEntry(
  entry: HclMapEntry,
  path: string,
  compiling: Compiling,
): readonly [key: string, render: Render<TemplateValue>] {
  if (entry.interpolations.length > 0 || entry.specials.length > 0) {
    compiling.report({ line: entry.line, path }, `the key ${entry.key} must be literal`)
  }
  return [entry.key, compileValue(entry.value, `${path}.${entry.key}`, compiling)]
}

function compileLeaf(leaf: HclLeaf, path: string, compiling: Compiling): Render<TemplateValue> {
  const place = { line: leaf.line, path }
  const { value } = leaf
  if (leaf.form === 'number' && !isExact(leaf)) {
    compiling.report(place, `${leaf.source} is too long for a number; write it as a text`)
  }
  if (!checkParts(leaf, path, compiling)) return () => null
  if (typeof value !== 'string' || leaf.interpolations.length === 0) return () => value
  const parts = splitText(value)
  if (parts.some(({ kind }) => kind === 'variable')) compiling.references += 1
  if (parts.some((part, at) => part.kind === 'runtime' && startsWithBrace(parts[at + 1]))) {
    compiling.report(
      place,
      'has a } right after a ${...} that Nomad resolves; Nomad would double it',
    )
  }
  const [only] = parts
  if (parts.length === 1 && only?.kind === 'variable') {
    return (scope) => scope.values.get(only.name) ?? null
  }
  if (parts.every((part) => part.kind !== 'variable')) return () => value
  return (scope) => parts.map((part) => renderPart(part, place, scope)).join('')
}

/** Nomad computes with more digits than we do: what we would round is refused. */
function isExact(leaf: HclLeaf): boolean {
  const { value, source } = leaf
  if (typeof value !== 'number' || /[eE]/.test(source)) return Number.isSafeInteger(value)
  return source.includes('.')
    ? String(value) === source.replace(/\.?0+$/, '')
    : Number.isSafeInteger(value)
}

/** @returns whether everything embedded in the text may be there. */
function checkParts(parts: HclTextParts, path: string, compiling: Compiling): boolean {
  let fine = true
  const refuse = (line: number, message: string) => {
    compiling.report({ line, path }, message)
    fine = false
  }
  for (const { text, line } of parts.specials) {
    refuse(line, text.length === 3 ? `${text} is an escape` : `${text} is a directive`)
  }
  for (const { text, line } of parts.interpolations) {
    const reference = toReference(text)
    if (reference.kind === 'refused') refuse(line, `${text.trim()} ${reference.why}`)
    if (reference.kind === 'variable' && !compiling.variables.has(reference.name)) {
      refuse(
        line,
        `var.${reference.name} is not declared; add variable "${reference.name}" { ... }`,
      )
    }
  }
  return fine
}

type Part = { kind: 'literal' | 'runtime'; text: string } | { kind: 'variable'; name: string }

/** The references are known to be plain, so none of them holds a brace. */
function splitText(text: string): Part[] {
  return text
    .split(/(\$\{[^}]*\})/)
    .filter((part) => part !== '')
    .map((part): Part => {
      const reference = part.startsWith('${') ? toReference(part.slice(2, -1)) : null
      if (reference?.kind === 'variable') return { kind: 'variable', name: reference.name }
      return { kind: reference === null ? 'literal' : 'runtime', text: part }
    })
}

function startsWithBrace(part: Part | undefined): boolean {
  return part?.kind === 'literal' && /^[ \t]*\}/.test(part.text)
}

function renderPart(part: Part, place: Place, scope: Scope): string {
  if (part.kind !== 'variable') return part.text
  const text = toText(scope.values.get(part.name) ?? null)
  if (text.ok) return text.value
  scope.report(place, `var.${part.name}: ${text.message}`)
  return ''
}
