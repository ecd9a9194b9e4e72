/** What every reader of a value gets: the value with its place, and what holds for the whole file. */
import type { ResourceClass } from '../../model/index.ts'
import { shown } from './report.ts'
import type { Report } from './report.ts'
import { entriesOf } from './yaml-tree.ts'
import type { YamlEntry, YamlNode } from './yaml-tree.ts'

/** A value and the place it stands in. */
export interface Slot {
  node: YamlNode
  at: number
  path: string
}

export interface Scope {
  readonly report: Report
  /** `<< >>` has a meaning from version 2.1 on; before, it is text like any other. */
  readonly hasExpressions: boolean
  readonly classes: ReadonlyMap<string, ResourceClass>
  /** For a step that sets no `no_output_timeout`. */
  readonly noOutputMs: number
  /** What the file defines itself and a job may name. */
  readonly commands: ReadonlyMap<string, YamlEntry>
  readonly executors: ReadonlyMap<string, YamlEntry>
  readonly orbs: ReadonlyMap<string, YamlEntry>
  /** False once the job has become too large; says so at the slot the first time. */
  spend(chars: number, slot: Slot): boolean
}

/**
 * Reads one value. Says what is wrong with it to the report.
 * @returns undefined when the value cannot be used.
 */
export type Reader<T> = (slot: Slot, scope: Scope) => T | undefined

/**
 * Characters of a compiled job, eight times what a file may hold. Aliases multiply what a file holds, and
 * the job is stored and sent to every slice.
 */
export const JOB_CHARS_MAX = 4 * 1024 * 1024

/** The budget behind `Scope.spend`. */
export function createBudget(report: Report): Scope['spend'] {
  let left = JOB_CHARS_MAX
  return (chars, { at, path }) => {
    if (left < 0) return false
    left -= chars
    if (left >= 0) return true
    report.problem({
      at,
      path,
      what: `the job is larger than ${JOB_CHARS_MAX} characters once its aliases are filled in`,
    })
    return false
  }
}

/** The slot of an entry of a map. */
export function entrySlot(parent: string, key: string, entry: YamlEntry): Slot {
  return { node: entry.node, at: entry.at, path: keyPath(parent, key) }
}

export function keyPath(parent: string, key: string): string {
  return parent === '' ? shown(key) : `${parent}.${shown(key)}`
}

/** Whether a command or an executor has to be given values. */
export function hasParameters(node: YamlNode): boolean {
  return entriesOf(entriesOf(node).get('parameters')?.node).size > 0
}

/** A value as a message names it. */
export function describe(node: YamlNode): string {
  if (node.kind !== 'scalar') return `a ${node.kind}`
  return node.text === '' ? 'nothing' : `\`${shown(node.text)}\``
}
