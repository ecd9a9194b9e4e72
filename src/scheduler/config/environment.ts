/** `environment`, as a map or as a list. */
import { environmentName } from '../../model/index.ts'
import { shown } from './report.ts'
import { describe, entrySlot } from './scope.ts'
import type { Reader, Scope, Slot } from './scope.ts'
import { reportFaults } from './table.ts'
import { readText } from './values.ts'
import { isNothing } from './yaml-tree.ts'

/** Linux refuses to start a process with a longer `NAME=value`, its closing NUL included. */
export const VARIABLE_BYTES_MAX = 131_072 - 1

/**
 * Variables as a map (`NAME: value`) or as a list of `NAME=value` texts and of maps, in which a later
 * name wins. Values stay as written: nothing in them is expanded, `true` is the text `true` and a value
 * that was left out is the empty text.
 */
export const readEnvironment: Reader<Record<string, string>> = (slot, scope) => {
  const variables = new Map<string, string>()
  if (slot.node.kind === 'list') {
    for (const [index, { at, node }] of slot.node.items.entries()) {
      if (scope.report.full) break
      addItem({ at, node, path: `${slot.path}[${index}]` }, variables, scope)
    }
  } else if (slot.node.kind === 'map') {
    addMap(slot, variables, scope)
  } else if (!isNothing(slot.node)) {
    refuseShape(slot, scope)
  }
  return Object.fromEntries(variables)
}

function addItem(slot: Slot, variables: Map<string, string>, scope: Scope): void {
  if (slot.node.kind === 'map') return addMap(slot, variables, scope)
  if (slot.node.kind === 'list') return refuseShape(slot, scope)
  const text = readText(slot, scope)
  if (text === undefined) return
  const split = text.indexOf('=')
  if (split === -1) {
    const what = `not a \`NAME=value\`: \`${shown(text)}\``
    scope.report.problem({ at: slot.at, path: slot.path, what })
    return
  }
  add({ name: text.slice(0, split), value: text.slice(split + 1), slot }, variables, scope)
}

function addMap(slot: Slot, variables: Map<string, string>, scope: Scope): void {
  if (slot.node.kind !== 'map') return
  reportFaults(slot, scope)
  for (const [name, entry] of slot.node.entries) {
    if (scope.report.full) return
    const place = { ...entrySlot(slot.path, name, entry), at: entry.keyAt }
    if (!scope.spend(name.length + 1, place)) return
    const value = readText(entrySlot(slot.path, name, entry), scope)
    if (value !== undefined) add({ name, value, slot: place }, variables, scope)
  }
}

function add(
  { name, value, slot: { at, path } }: { name: string; value: string; slot: Slot },
  variables: Map<string, string>,
  { report }: Scope,
): void {
  // The one good name that a JavaScript object cannot hold like any other.
  if (!environmentName.safeParse(name).success || name === '__proto__') {
    report.problem({
      at,
      path,
      what: `not a name of a variable: \`${shown(name)}\``,
      hint: 'letters, digits and `_`, not starting with a digit',
    })
    return
  }
  const bytes = name.length + 1 + Buffer.byteLength(value)
  if (bytes > VARIABLE_BYTES_MAX) {
    const what = `the variable \`${shown(name)}\` has ${bytes} bytes`
    report.problem({ at, path, what, hint: `a process takes at most ${VARIABLE_BYTES_MAX}` })
    return
  }
  variables.set(name, value)
}

function refuseShape({ node, at, path }: Slot, { report }: Scope): void {
  report.problem({
    at,
    path,
    what: `not a map or list of variables but ${describe(node)}`,
    hint: 'write `NAME: value`, a line for each',
  })
}
