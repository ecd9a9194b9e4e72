/** What a schema found wrong, in words for whoever wrote it: which field, and what it should be. */
import type { z } from 'zod'

export interface Explained {
  /** Dotted path of the field; empty for the whole. */
  path: string
  message: string
}

/** Nobody reads more, and a list of a million wrong items has a million issues. */
const ISSUES_MAX = 20

/** Names that were sent are shown cut: they may be of any length. */
const SHOWN_CHARS_MAX = 60

/** One sentence for each field that is wrong; the rest of very many is counted. */
export function explainIssues(issues: readonly z.core.$ZodIssue[]): Explained[] {
  const explained = issues.slice(0, ISSUES_MAX).map((issue) => ({
    path: issue.path.map((key) => shown(String(key))).join('.'),
    message: explainIssue(issue),
  }))
  const rest = issues.length - explained.length
  return rest > 0 ? [...explained, { path: '', message: `and ${rest} more` }] : explained
}

/** `name: must be a text; limit: must be at most 200`: the same on one line. */
export function explainOnOneLine(issues: readonly z.core.$ZodIssue[]): string {
  return explainIssues(issues)
    .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
    .join('; ')
}

/** What the value should be. Reads `input` only to tell a missing field from a wrong one. */
export function explainIssue(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      // The schemas library tells a missing value only by its text.
      return issue.message.endsWith('received undefined')
        ? `is missing: it must be ${typeName(issue.expected)}`
        : `must be ${typeName(issue.expected)}`
    case 'too_small':
    case 'too_big':
      return explainSize(issue)
    case 'invalid_value':
      return `must be ${oneOf(issue.values.map((value) => JSON.stringify(value)))}`
    case 'invalid_union':
      return explainUnion(issue)
    case 'unrecognized_keys':
      return `has keys that are not known: ${issue.keys.slice(0, 5).map(shown).join(', ')}`
    case 'invalid_format':
      return explainFormat(issue)
    case 'invalid_key':
      return 'is no name that can be used here'
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`
    default:
      return issue.message === 'Invalid input' ? 'is not valid' : issue.message
  }
}

type Issue<Code> = Extract<z.core.$ZodIssue, { code: Code }>

const TYPES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null',
}

function typeName(expected: string): string {
  return TYPES[expected] ?? expected
}

/** Whole numbers beyond what JSON carries exactly have no limit that a reader would want to see. */
function explainSize(issue: Issue<'too_small' | 'too_big'>): string {
  const isSmall = issue.code === 'too_small'
  const limit = Number(isSmall ? issue.minimum : issue.maximum)
  const bound = `at ${isSmall ? 'least' : 'most'} ${limit}`
  switch (issue.origin) {
    case 'string':
      return isSmall && limit === 1
        ? 'must not be empty'
        : `must have ${bound} character${plural(limit)}`
    case 'array':
    case 'set':
    case 'map':
      return isSmall && limit === 1
        ? 'must not be empty'
        : `must have ${bound} item${plural(limit)}`
    default:
      if (issue.inclusive === false) return `must be ${isSmall ? 'more' : 'less'} than ${limit}`
      return `must be ${bound}`
  }
}

function explainUnion(issue: Issue<'invalid_union'>): string {
  const { discriminator } = issue
  return discriminator === undefined ? 'fits none of the shapes it may have' : 'is not known'
}

const FORMATS: Readonly<Record<string, string>> = {
  url: 'an http(s) URL',
  datetime: 'a time such as "2026-01-31T12:00:00Z"',
}

function explainFormat(issue: Issue<'invalid_format'>): string {
  const format = FORMATS[issue.format]
  if (format !== undefined) return `must be ${format}`
  if (!issue.message.startsWith('Invalid')) return issue.message
  return issue.pattern === undefined ? 'is not valid' : `must look like ${issue.pattern}`
}

function oneOf(values: readonly string[]): string {
  if (values.length < 2) return values.join('')
  return `one of ${values.slice(0, 40).join(', ')}`
}

function plural(count: number): string {
  return count === 1 ? '' : 's'
}

function shown(text: string): string {
  return text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)}...` : text
}
