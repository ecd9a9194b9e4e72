/** The configuration of a task driver, whose names and values are the driver's business. */
import type { HclAttribute, HclBlock, HclEntry } from '../../platform/index.ts'
import { compileValue, type Compiling, type Render } from './compile-value.ts'
import type { WireObject } from './schema/table.ts'

interface FreeField {
  name: string
  /** Nomad does not know yet what the driver expects: whatever could repeat becomes a list. */
  isList: boolean
  renders: Render<unknown>[]
}

/** Blocks become lists of objects, maps that stand alone too, and labels one object around another. */
export function compileFree(
  entries: readonly HclEntry[],
  path: string,
  compiling: Compiling,
): Render<WireObject> {
  const fields = new Map<string, FreeField>()
  for (const entry of entries) {
    const inner = `${path}.${entry.name}`
    const { name } = entry
    const isList = entry.kind === 'block' || entry.value.kind === 'map'
    const field = fields.get(name) ?? { name, isList, renders: [] }
    field.renders.push(compileEntry(entry, inner, compiling))
    fields.set(name, field)
  }
  const all = [...fields.values()]
  return (scope) => {
    const rendered = all.map(({ name, isList, renders }) => {
      const values = renders.map((render) => render(scope))
      return [name, isList ? values : values[0]] as const
    })
    return Object.fromEntries(rendered.filter(([, value]) => value !== null))
  }
}

function compileEntry(
  entry: HclAttribute | HclBlock,
  path: string,
  compiling: Compiling,
): Render<unknown> {
  if (entry.kind === 'attribute') return compileValue(entry.value, path, compiling)
  const body = compileFree(entry.entries, [path, ...entry.labels].join('.'), compiling)
  const outward = entry.labels.toReversed()
  return (scope) => outward.reduce((inner, label) => ({ [label]: [inner] }), body(scope))
}
