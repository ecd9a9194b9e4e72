/**
 * Constraints: does this node satisfy them?
 *
 * @see Nomad documentation, "constraint block"
 */
import type { Node } from '../objects/node.ts'
import type { Constraint } from '../objects/job.ts'
import { compareSemantic, satisfiesVersion } from './version.ts'

type Test = (left: string, right: string) => boolean

/** Operands that compare two values, both of which must exist. */
const TESTS: Readonly<Record<string, Test>> = {
  '=': (left, right) => left === right,
  '==': (left, right) => left === right,
  is: (left, right) => left === right,
  '<': (left, right) => compare(left, right) < 0,
  '<=': (left, right) => compare(left, right) <= 0,
  '>': (left, right) => compare(left, right) > 0,
  '>=': (left, right) => compare(left, right) >= 0,
  regexp: (left, right) => matches(left, right),
  version: (left, right) => satisfiesVersion(left, right, 'lenient'),
  semver: (left, right) => satisfiesVersion(left, right, 'strict'),
  set_contains: (left, right) => toSet(right).every((each) => toSet(left).includes(each)),
  set_contains_all: (left, right) => toSet(right).every((each) => toSet(left).includes(each)),
  set_contains_any: (left, right) => toSet(right).some((each) => toSet(left).includes(each)),
}

/** Operands that also say something about a value that does not exist. */
const UNEQUAL: ReadonlySet<string> = new Set(['!=', 'not'])
const PRESENCE: ReadonlySet<string> = new Set(['is_set', 'is_not_set'])
/** Looked at against the other allocations of the job, not against the node. */
const DISTINCT: ReadonlySet<string> = new Set(['distinct_hosts', 'distinct_property'])

export function isOperand(operand: string): boolean {
  return (
    operand === '' ||
    operand in TESTS ||
    UNEQUAL.has(operand) ||
    PRESENCE.has(operand) ||
    DISTINCT.has(operand)
  )
}

export function isDistinct(constraint: Constraint): boolean {
  return DISTINCT.has(constraint.Operand)
}

/** An empty operand means equality, as in a job file that leaves it out. */
export function satisfies(node: Node, constraint: Constraint): boolean {
  const operand = constraint.Operand || '='
  const left = resolveTarget(node, constraint.LTarget)
  const right = resolveTarget(node, constraint.RTarget)
  if (operand === 'is_set') return left !== undefined
  if (operand === 'is_not_set') return left === undefined
  if (UNEQUAL.has(operand)) return left !== right
  const test = TESTS[operand]
  return test !== undefined && left !== undefined && right !== undefined && test(left, right)
}

/** How Nomad names a constraint that filtered a node. */
export function describeConstraint(constraint: Constraint): string {
  return `${constraint.LTarget} ${constraint.Operand || '='} ${constraint.RTarget}`
}

/** `${node.class}`, `${attr.kernel.name}`, `${meta.rack}`, or the text itself when it is no reference. */
export function resolveTarget(node: Node, target: string): string | undefined {
  const name = /^\$\{(.+)\}$/.exec(target)?.[1]
  return name === undefined ? target : readNode(node, name)
}

/** @param name such as `node.class`, `attr.cpu.arch` or `meta.rack`. */
export function readNode(node: Node, name: string): string | undefined {
  if (name.startsWith('attr.')) return node.Attributes[name.slice('attr.'.length)]
  if (name.startsWith('meta.')) return node.Meta[name.slice('meta.'.length)]
  switch (name) {
    case 'node.unique.id':
      return node.ID
    case 'node.unique.name':
      return node.Name
    case 'node.datacenter':
      return node.Datacenter
    case 'node.class':
      return node.NodeClass
    case 'node.pool':
      return node.NodePool
    case 'node.region':
      return 'global'
    default:
      return undefined
  }
}

/** Numbers as numbers, anything else in the order of its characters. */
function compare(left: string, right: string): number {
  const numbers = [left, right].map((text) => (/^-?\d+(\.\d+)?$/.test(text) ? Number(text) : null))
  const [a, b] = numbers
  if (typeof a === 'number' && typeof b === 'number') return a - b
  const versions = compareSemantic(left, right)
  if (versions !== null) return versions
  return left < right ? -1 : left > right ? 1 : 0
}

function toSet(list: string): string[] {
  return list.split(',').map((each) => each.trim())
}

function matches(text: string, pattern: string): boolean {
  try {
    return new RegExp(pattern).test(text)
  } catch {
    // A pattern that does not compile matches nothing, and the metric names it.
    return false
  }
}
