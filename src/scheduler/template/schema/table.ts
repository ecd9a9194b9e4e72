/** How the table of Nomad's job specification is written down. The table itself is in `job.ts`. */
import type { Kind } from '../values.ts'

/** A field's name on the wire and what it takes. */
export type AttributeRow = readonly [wire: string, kind: Kind]

/** What may stand in a block. */
export interface BlockSchema {
  readonly attributes: Readonly<Record<string, AttributeRow>>
  readonly blocks?: Readonly<Record<string, BlockRow>>
  /** Fields that Nomad's own parser fills in when they are not written. */
  readonly defaults?: Readonly<Record<string, unknown>>
  /** Where the wire is shaped differently from the file. Runs last, on the fields of one block. */
  readonly finish?: (fields: WireObject) => WireObject
}

export type WireObject = Record<string, unknown>

/**
 * What the content of a block means: fields by a schema, texts by any name (`env`), lists of texts by
 * any name (`header`), or anything at all, as written (`config` of a driver).
 */
export type Content = BlockSchema | 'texts' | 'text-lists' | 'free'

export interface BlockRow {
  readonly wire: string
  readonly content: Content
  /** `once`: one object. `many`: a list. `by-label`: an object of objects. */
  readonly times: 'once' | 'many' | 'by-label'
  /** Wire fields that take the block's label; a block without any takes no label. */
  readonly labels: readonly string[]
  /** Whether `name = { ... }` may stand in place of the block. */
  readonly asAttribute?: boolean
}

export function once(wire: string, content: Content): BlockRow {
  return { wire, content, times: 'once', labels: [] }
}

export function many(wire: string, content: Content, ...labels: string[]): BlockRow {
  return { wire, content, times: 'many', labels }
}

export function byLabel(wire: string, content: Content, ...labels: string[]): BlockRow {
  return { wire, content, times: 'by-label', labels }
}

/** `meta` and `env`, the two that Nomad also takes as `meta = { ... }`. */
export function texts(wire: string): BlockRow {
  return { ...once(wire, 'texts'), asAttribute: true }
}
