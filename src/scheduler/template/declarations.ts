/** The `variable` blocks of a template. */
import type { HclAttribute, HclBlock, HclValue } from '../../platform/index.ts'
import { compileValue, type Compiling, type Place } from './compile-value.ts'
import { toText, toType, type TemplateValue, type VariableType } from './values.ts'

export interface TemplateVariable {
  name: string
  type: VariableType
  default: TemplateValue
  description: string
  line: number
}

const ATTRIBUTES = ['type', 'default', 'description']

/** Reads one `variable "name" { ... }`; what is wrong with it is reported. */
export function readDeclaration(block: HclBlock, report: Compiling['report']): TemplateVariable {
  const [name = ''] = block.labels
  const path = `variable.${name}`
  const place = { line: block.line, path }
  if (block.labels.length !== 1) report(place, 'write variable "name" { ... }')
  const attributes = new Map<string, HclAttribute>()
  for (const entry of block.entries) {
    if (entry.kind === 'attribute' && ATTRIBUTES.includes(entry.name)) {
      attributes.set(entry.name, entry)
    } else {
      const at = { line: entry.line, path: `${path}.${entry.name}` }
      report(at, `a variable has ${ATTRIBUTES.join(', ')}, and nothing else`)
    }
  }
  const fallback = attributes.get('default')
  if (fallback === undefined) {
    report(place, 'has no default; with one, "nomad job validate" works on the template')
  }
  const worth = fallback === undefined ? null : readLiteral(fallback, path, report)
  const type = readType(attributes.get('type'), worth, path, report)
  const converted = toType(type, worth)
  if (!converted.ok) {
    report({ line: fallback?.line ?? block.line, path: `${path}.default` }, converted.message)
  }
  const attribute = attributes.get('description')
  const description = toText(attribute ? readLiteral(attribute, path, report) : '')
  if (!description.ok) {
    report(
      { line: attribute?.line ?? block.line, path: `${path}.description` },
      description.message,
    )
  }
  return {
    name,
    type,
    default: converted.ok ? converted.value : null,
    description: description.ok ? description.value : '',
    line: block.line,
  }
}

/** Nothing is known where a variable is declared, not even other variables. */
function readLiteral(
  attribute: HclAttribute,
  path: string,
  report: Compiling['report'],
): TemplateValue {
  const compiling: Compiling = {
    variables: new Set(),
    references: 0,
    lines: new Map(),
    report,
  }
  const inner = `${path}.${attribute.name}`
  const place: Place = { line: attribute.line, path: inner }
  if (hasInterpolation(attribute.value)) {
    report(place, 'must be literal')
    return null
  }
  return compileValue(attribute.value, inner, compiling)({ values: new Map(), report })
}

function hasInterpolation(value: HclValue): boolean {
  if (value.kind === 'list') return value.items.some(hasInterpolation)
  if (value.kind === 'map') return value.entries.some((entry) => hasInterpolation(entry.value))
  return value.interpolations.length > 0
}

function readType(
  attribute: HclAttribute | undefined,
  fallback: TemplateValue,
  path: string,
  report: Compiling['report'],
): VariableType {
  if (attribute === undefined) return inferType(fallback)
  const { value } = attribute
  const text = value.kind === 'leaf' && value.form === 'expression' ? value.source : ''
  const type = parseType(text.replaceAll(/\s/g, ''))
  if (type !== null) return type
  const message = 'expected string, number, bool, list(...) or map(...), without quotes'
  report({ line: attribute.line, path: `${path}.type` }, message)
  return 'any'
}

function parseType(text: string): VariableType | null {
  if (text === 'string' || text === 'number' || text === 'bool') return text
  const [, kind, inner] = /^(list|map)\((.+)\)$/.exec(text) ?? []
  const element = inner === undefined ? null : parseType(inner)
  if (element === null) return null
  return kind === 'list' ? { list: element } : { map: element }
}

/** A variable that names no type has that of its default; only plain values tell it. */
function inferType(fallback: TemplateValue): VariableType {
  if (typeof fallback === 'string') return 'string'
  if (typeof fallback === 'number') return 'number'
  if (typeof fallback === 'boolean') return 'bool'
  return 'any'
}
