/**
 * Maps of the configuration language, each described by a table with a row for every key it may have.
 *
 * A key with a reader is supported. A key that is only listed is part of the language, but not supported
 * yet: it is refused by name, never ignored. To support a key, give its row a reader.
 */
import { suggest } from '../../model/index.ts'
import { listed, shown } from './report.ts'
import { describe, entrySlot, keyPath } from './scope.ts'
import type { Reader, Scope, Slot } from './scope.ts'

interface SupportedKey<T> {
  read: Reader<T>
  /** Said when the key is missing. */
  required?: string
}

interface RefusedKey {
  /** What to do instead; empty when there is nothing to say. */
  notYet: string
}

export type Table = Readonly<Record<string, SupportedKey<unknown> | RefusedKey>>

/** What a map of this table reads as. A value that cannot be used is left out. */
export type Values<T extends Table> = {
  [K in keyof T as T[K] extends SupportedKey<unknown> ? K : never]?: T[K] extends SupportedKey<
    infer V
  >
    ? V
    : never
}

/** @returns undefined when the slot holds no map. */
export function readMap<T extends Table>(
  slot: Slot,
  table: T,
  scope: Scope,
): Values<T> | undefined {
  const { node, at, path } = slot
  if (node.kind !== 'map') {
    scope.report.problem({ at, path, what: `not a map but ${describe(node)}` })
    return undefined
  }
  reportFaults(slot, scope)
  if (!scope.spend(node.entries.size, slot)) return undefined
  const values: Record<string, unknown> = {}
  const meant = new Set<string | null>()
  for (const [key, entry] of node.entries) {
    if (scope.report.full) return undefined
    const row = rowOf(table, key)
    if (row && 'read' in row) {
      const value = row.read(entrySlot(path, key, entry), scope)
      if (value !== undefined) values[key] = value
    } else {
      const place = { node: entry.node, at: entry.keyAt, path: keyPath(path, key) }
      meant.add(refuseKey(place, key, table, scope))
    }
  }
  for (const [key, row] of Object.entries(table)) {
    const isMissing = 'read' in row && !node.entries.has(key) && !meant.has(key)
    if (isMissing && row.required !== undefined) {
      scope.report.problem({ at, path, what: row.required })
    }
  }
  return values as Values<T>
}

/** Says what is wrong with a map as such: keys that stand twice or are no texts. */
export function reportFaults({ node, path }: Slot, { report }: Scope): void {
  if (node.kind !== 'map') return
  for (const { at, message } of node.faults) report.problem({ at, path, what: message })
}

/** Names such as `constructor` are keys of nobody. */
export function rowOf<T extends Table>(table: T, key: string): T[keyof T] | undefined {
  return Object.hasOwn(table, key) ? table[key as keyof T] : undefined
}

/**
 * Refuses a key that the table does not support; `at` of the slot is that of the key.
 * @returns the known key that was most likely meant.
 */
export function refuseKey(
  { at, path }: Slot,
  key: string,
  table: Table,
  { report, hasExpressions }: Scope,
): string | null {
  const row = rowOf(table, key)
  const name = `\`${shown(key)}\``
  if (row && 'notYet' in row) {
    const hint = row.notYet === '' ? {} : { hint: row.notYet }
    report.problem({ at, path, what: `not supported yet: ${name}`, ...hint })
    return null
  }
  if (hasExpressions && key.includes('<<')) {
    report.problem({ at, path, what: `not supported yet: the expression ${name}` })
    return null
  }
  const near = suggest(key, Object.keys(table))
  const hint =
    near === null ? `known here: ${listed(supportedKeys(table))}` : `did you mean \`${near}\`?`
  report.problem({ at, path, what: `unknown key ${name}`, hint })
  return near
}

export function supportedKeys(table: Table): string[] {
  return Object.keys(table).filter((key) => 'read' in (table[key] ?? {}))
}
