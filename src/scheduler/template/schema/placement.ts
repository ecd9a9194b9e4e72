/** Where a job may and would rather run: constraint, affinity, spread. */
import { many, type BlockSchema, type WireObject } from './table.ts'

/**
 * Operators that may be written as an attribute: `regexp = "a.*"` is an operator and its value. Where
 * several are written, Nomad lets the last of this list win.
 */
const SUGAR = [
  'version',
  'semver',
  'regexp',
  'set_contains_any',
  'set_contains_all',
  'set_contains',
]
const CONSTRAINT_SUGAR = ['version', 'semver', 'regexp', 'set_contains']

export const constraint: BlockSchema = {
  attributes: {
    ...comparison(CONSTRAINT_SUGAR),
    distinct_hosts: ['distinct_hosts', 'flag'],
    distinct_property: ['distinct_property', 'text'],
  },
  finish(fields) {
    const { distinct_hosts: hosts, distinct_property: property, ...rest } = fields
    const wire = toComparison(rest)
    if (hosts !== undefined) {
      Object.assign(wire, { Operand: 'distinct_hosts', RTarget: hosts === true ? 'true' : 'false' })
    }
    if (property !== undefined) {
      Object.assign(wire, { Operand: 'distinct_property', LTarget: property })
    }
    return wire
  },
}

export const affinity: BlockSchema = {
  attributes: { ...comparison(SUGAR), weight: ['Weight', 'whole'] },
  finish: toComparison,
}

export const spread: BlockSchema = {
  attributes: { attribute: ['Attribute', 'text'], weight: ['Weight', 'whole'] },
  blocks: {
    target: many('SpreadTarget', { attributes: { percent: ['Percent', 'whole'] } }, 'Value'),
  },
}

function comparison(sugar: readonly string[]): BlockSchema['attributes'] {
  return {
    attribute: ['LTarget', 'text'],
    operator: ['Operand', 'text'],
    value: ['RTarget', 'text'],
    ...Object.fromEntries(sugar.map((name) => [name, [name, 'text'] as const])),
  }
}

function toComparison(fields: WireObject): WireObject {
  const plain = Object.entries(fields).filter(([name]) => !SUGAR.includes(name))
  const wire: WireObject = { Operand: '=', ...Object.fromEntries(plain) }
  for (const name of SUGAR) {
    if (fields[name] !== undefined) Object.assign(wire, { Operand: name, RTarget: fields[name] })
  }
  return wire
}
