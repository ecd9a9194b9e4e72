/**
 * Finds what hcl2-parser does not like when it only says that something is wrong.
 *
 * Every block and every attribute is HCL by itself, so each is asked about alone, from the outside in,
 * down to the smallest piece that is refused. The shortest prefix that fails would name the wrong
 * line, because an open bracket fails only at the end.
 */
import { HclFault } from './cursor.ts'
import type { HclAttribute, HclEntry } from './layout.ts'
import type { HclValue } from './values.ts'

export type IsHcl = (text: string) => boolean

/** @returns at least one fault for a text that is known to be refused. */
export function locateFaults(text: string, entries: readonly HclEntry[], isHcl: IsHcl): HclFault[] {
  const found = entries.flatMap((entry) => locateInEntry(text, entry, isHcl))
  if (found.length > 0) return found
  const line = entries[0]?.line ?? 1
  return [new HclFault(line, 'the file is not valid HCL, although each of its blocks is')]
}

function locateInEntry(text: string, entry: HclEntry, isHcl: IsHcl): HclFault[] {
  if (isHcl(`${text.slice(entry.start, entry.end)}\n`)) return []
  if (entry.kind === 'attribute') return locateInValue(text, entry, entry.value, isHcl)
  const inner = entry.entries.flatMap((each) => locateInEntry(text, each, isHcl))
  if (inner.length > 0) return inner
  return [new HclFault(entry.line, `the block "${entry.name}" is not valid HCL`)]
}

function locateInValue(
  text: string,
  attribute: HclAttribute,
  value: HclValue,
  isHcl: IsHcl,
): HclFault[] {
  // In parentheses an expression may go over several lines, as it may in the list it came from.
  if (isHcl(`x = (${text.slice(value.start, value.end)}\n)\n`)) return []
  const children =
    value.kind === 'list'
      ? value.items
      : value.kind === 'map'
        ? value.entries.map((entry) => entry.value)
        : []
  const inner = children.flatMap((child) => locateInValue(text, attribute, child, isHcl))
  if (inner.length > 0) return inner
  const source = text.slice(value.start, value.end)
  const message = `"${attribute.name}": ${show(attribute.name, source)} is no HCL value`
  return [new HclFault(value.line, message + hintFor(source))]
}

/** A secret must not get into a message, and not all of a long value either. */
function show(name: string, source: string): string {
  if (/token|secret|password|key/i.test(name)) return 'what is written'
  return source.length > 60 ? `${source.slice(0, 60)}...` : source
}

/** What people write who know another language better. */
function hintFor(source: string): string {
  if (source.startsWith("'")) return '; texts stand in double quotes'
  if (/^"(?:[^"\\]|\\.)*"$/.test(source) && /\\[^nrt"\\uU]/.test(source)) {
    return '; write \\\\ for a backslash'
  }
  if (/^[\w./:-]+( [\w./:-]+)*$/.test(source)) return '; texts stand in double quotes'
  return ''
}
