/** From blocks as written to functions that render them, by the table of Nomad's job specification. */
import { suggest } from '../../model/index.ts'
import type { HclAttribute, HclBlock, HclEntry } from '../../platform/index.ts'
import { compileFree } from './compile-free.ts'
import {
  compileValue,
  type Compiling,
  type Place,
  type Render,
  type Scope,
} from './compile-value.ts'
import type { BlockRow, BlockSchema, Content, WireObject } from './schema/table.ts'
import { UNSUPPORTED } from './schema/unsupported.ts'
import { toKind, type Kind, type TemplateValue } from './values.ts'

/** Renders one field of an object; null leaves the field out. */
type Field = Render<readonly [wire: string, value: unknown]>

/**
 * @param path of the block itself, labels included.
 * @param own fields that stand before all others, such as the one that takes the label.
 */
export function compileBlock(
  block: HclBlock,
  content: Content,
  path: string,
  compiling: Compiling,
  own: WireObject = {},
): Render<WireObject> {
  const before = compiling.references
  const render = compileContent(block, content, path, compiling, own)
  return compiling.references === before ? once(render) : render
}

/** Thousands of slices start at once, and most of a job is the same in all of them. */
function once(render: Render<WireObject>): Render<WireObject> {
  let made: WireObject | null = null
  return (scope) => (made ??= deepFreeze(render(scope)))
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const inner of Object.values(value)) deepFreeze(inner)
  return Object.freeze(value)
}

function compileContent(
  block: HclBlock,
  content: Content,
  path: string,
  compiling: Compiling,
  own: WireObject,
): Render<WireObject> {
  if (content === 'free') return compileFree(block.entries, path, compiling)
  if (typeof content === 'string') {
    const kind = content === 'texts' ? 'text' : 'texts'
    const fields = compileNamed(block.entries, kind, path, compiling)
    // The names are free: `__proto__` is one.
    return (scope) => Object.fromEntries(toEntries(fields, scope))
  }
  const fields = compileFields(block.entries, content, path, compiling)
  const base = { ...content.defaults, ...own }
  const { finish } = content
  return (scope) => {
    const object = toObject(base, fields, scope)
    return finish ? finish(object) : object
  }
}

function toEntries(fields: readonly Field[], scope: Scope): (readonly [string, unknown])[] {
  return fields.map((field) => field(scope)).filter(([, value]) => value !== null)
}

function toObject(base: WireObject, fields: readonly Field[], scope: Scope): WireObject {
  const object: Record<string, unknown> = { ...base }
  for (const field of fields) {
    const [wire, value] = field(scope)
    if (value !== null) object[wire] = value
  }
  return object
}

function compileFields(
  entries: readonly HclEntry[],
  schema: BlockSchema,
  path: string,
  compiling: Compiling,
): Field[] {
  const fields: Field[] = []
  const blocks = new Map<string, HclBlock[]>()
  for (const entry of entries) {
    const inner = `${path}.${entry.name}`
    const place = { line: entry.line, path: inner }
    const row = rowOf(schema.blocks ?? {}, entry.name)
    const attribute = rowOf(schema.attributes, entry.name)
    if (entry.kind === 'block' && row !== undefined) {
      blocks.set(entry.name, [...(blocks.get(entry.name) ?? []), entry])
    } else if (entry.kind === 'attribute' && attribute !== undefined) {
      fields.push(compileAttribute(entry, attribute[0], attribute[1], inner, compiling))
    } else if (entry.kind === 'attribute' && row?.asAttribute) {
      fields.push(compileAttribute(entry, row.wire, 'map', inner, compiling))
    } else {
      compiling.report(place, describeUnknown(entry, schema))
    }
  }
  for (const [name, group] of blocks) {
    const row = rowOf(schema.blocks ?? {}, name)
    if (row !== undefined) fields.push(compileBlocks(group, row, path, compiling))
  }
  return fields
}

/** Names come from the file, and `constructor` is no block. */
function rowOf<Row>(rows: Readonly<Record<string, Row>>, name: string): Row | undefined {
  return Object.hasOwn(rows, name) ? rows[name] : undefined
}

function describeUnknown(entry: HclEntry, schema: BlockSchema): string {
  const reason = rowOf(UNSUPPORTED, entry.name)
  if (reason !== undefined) return `is not supported here: ${reason}`
  const names = [...Object.keys(schema.attributes), ...Object.keys(schema.blocks ?? {})]
  if (names.includes(entry.name)) {
    return entry.kind === 'block'
      ? `is an attribute; write ${entry.name} = ...`
      : `is a block; write ${entry.name} { ... }`
  }
  const near = suggest(entry.name, names)
  return near === null ? 'is unknown' : `is unknown; did you mean ${near}?`
}

function compileAttribute(
  attribute: HclAttribute,
  wire: string,
  kind: Kind,
  path: string,
  compiling: Compiling,
): Field {
  const render = compileValue(attribute.value, path, compiling)
  const place: Place = { line: attribute.line, path }
  compiling.lines.set(path, attribute.line)
  // Most of a job is the same for every slice: a number of nanoseconds is worked out of `30s` once.
  let known: { from: TemplateValue; field: readonly [string, TemplateValue] } | null = null
  return (scope) => {
    const from = render(scope)
    if (known !== null && known.from === from) return known.field
    const field = [wire, convert(from, kind, place, scope)] as const
    known = typeof from === 'object' || field[1] === null ? null : { from, field }
    return field
  }
}

/** Null leaves the field out, as in Nomad; a null inside a list or map does not fit. */
function convert(value: TemplateValue, kind: Kind, place: Place, scope: Scope): TemplateValue {
  if (value === null) return null
  const converted = toKind(kind, value)
  if (converted.ok) return converted.value
  scope.report(place, converted.message)
  return null
}

/** All blocks of one name, which make one field. */
function compileBlocks(
  blocks: readonly HclBlock[],
  row: BlockRow,
  path: string,
  compiling: Compiling,
): Field {
  checkLabels(blocks, row, path, compiling)
  const renders = blocks.map((block) => {
    const inner = [path, block.name, ...block.labels].join('.')
    compiling.lines.set(inner, block.line)
    const own = Object.fromEntries(row.labels.map((wire) => [wire, block.labels[0] ?? '']))
    return compileBlock(block, row.content, inner, compiling, own)
  })
  if (row.times === 'many') return (scope) => [row.wire, renders.map((render) => render(scope))]
  if (row.times === 'once') return (scope) => [row.wire, renders[0]?.(scope) ?? null]
  return (scope) => [
    row.wire,
    Object.fromEntries(renders.map((render, at) => [blocks[at]?.labels[0] ?? '', render(scope)])),
  ]
}

function checkLabels(
  blocks: readonly HclBlock[],
  row: BlockRow,
  path: string,
  compiling: Compiling,
): void {
  const seen = new Map<string, number>()
  const wanted = row.labels.length > 0 ? 1 : 0
  for (const block of blocks) {
    const place = { line: block.line, path: [path, block.name, ...block.labels].join('.') }
    if (block.labels.length !== wanted) {
      const form = wanted === 1 ? `${block.name} "name" { ... }` : `${block.name} { ... }`
      compiling.report(place, `write ${form}`)
    }
    const key = block.labels.join('.')
    const first = seen.get(key)
    if (first !== undefined && (row.times === 'once' || wanted === 1)) {
      compiling.report(place, `is already there, on line ${first}`)
    }
    seen.set(key, first ?? block.line)
  }
}

/** A block whose names are free and whose values are all of one kind, such as `env`. */
function compileNamed(
  entries: readonly HclEntry[],
  kind: Kind,
  path: string,
  compiling: Compiling,
): Field[] {
  return entries.flatMap((entry) => {
    const inner = `${path}.${entry.name}`
    const place = { line: entry.line, path: inner }
    if (entry.kind === 'block') {
      compiling.report(place, `is a block; write ${entry.name} = ...`)
      return []
    }
    return [compileAttribute(entry, entry.name, kind, inner, compiling)]
  })
}
