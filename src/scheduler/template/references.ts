/**
 * What may stand between `${` and `}` in a template: a variable, or a reference that Nomad resolves
 * when the task runs and that therefore stays as it is.
 */

export type Reference =
  | { kind: 'variable'; name: string }
  | { kind: 'runtime' }
  | { kind: 'refused'; why: string }

const VARIABLE = /^var\.([\p{ID_Start}_][\p{ID_Continue}-]*)$/u
const RUNTIME =
  /^(?:(?:node|attr|meta|env|device)(?:\.[\w-]+)+|(?:attr|meta|env)\["[^"\\$]+"\]|NOMAD_\w+)$/

const REFUSALS: readonly (readonly [RegExp, string])[] = [
  [/^local\b/, 'is a local value; use a variable'],
  [/^var\b/, 'takes a part of a variable; use a variable of its own'],
  [/^~|~$/, 'strips white space; leave out the ~'],
  [/^[[{]\s*for\b/, 'is a for expression'],
  [/^[\w-]+\s*\(/, 'calls a function'],
  [/\?/, 'is a condition'],
  [/^\(/, 'is in parentheses; leave them out'],
  [/^(?:node|attr|meta|env)\b/, 'is no plain reference such as attr.kernel.name'],
]

/** @param text what stands between the braces. */
export function toReference(text: string): Reference {
  const variable = VARIABLE.exec(text.trim())?.[1]
  if (variable !== undefined) return { kind: 'variable', name: variable }
  if (RUNTIME.test(text)) return { kind: 'runtime' }
  if (RUNTIME.test(text.trim())) {
    return { kind: 'refused', why: 'has white space around it, which Nomad keeps; leave it out' }
  }
  const why = REFUSALS.find(([pattern]) => pattern.test(text.trim()))?.[1]
  return { kind: 'refused', why: why ?? 'is an expression, and templates are not evaluated' }
}
