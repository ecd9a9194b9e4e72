import t from 'tap'
import {
  describeConstraint,
  satisfies,
} from '../../../../src/dev/nomad-engine/scheduling/constraints.ts'
import { satisfiesVersion } from '../../../../src/dev/nomad-engine/scheduling/version.ts'
import { aNode } from '../builders.ts'

t.test('an operand decides as its name says', (t) => {
  const node = aNode({
    name: 'n1',
    nodeClass: 'linux-64bit',
    datacenter: 'dc1',
    nodePool: 'ci',
    meta: { rack: 'r1', tags: 'a,b, c' },
    attributes: { 'cpu.numcores': '8', 'kernel.version': '6.1.0', 'os.name': 'debian' },
  })
  const cases: [left: string, operand: string, right: string, expected: boolean][] = [
    ['${node.class}', '=', 'linux-64bit', true],
    ['${node.class}', '', 'linux-64bit', true],
    ['${node.class}', '==', 'windows', false],
    ['${node.class}', 'is', 'linux-64bit', true],
    ['${node.class}', '!=', 'windows', true],
    ['${node.class}', 'not', 'linux-64bit', false],
    ['${node.datacenter}', '=', 'dc1', true],
    ['${node.pool}', '=', 'ci', true],
    ['${node.region}', '=', 'global', true],
    ['${node.unique.name}', '=', 'n1', true],
    ['${meta.rack}', 'regexp', '^r[0-9]$', true],
    ['${meta.rack}', 'regexp', '(', false],
    ['${meta.rack}', 'is_set', '', true],
    ['${meta.nope}', 'is_set', '', false],
    ['${meta.nope}', 'is_not_set', '', true],
    ['${meta.nope}', '=', '', false],
    ['${meta.nope}', '!=', 'x', true],
    ['${meta.tags}', 'set_contains', 'a,c', true],
    ['${meta.tags}', 'set_contains_all', 'a,d', false],
    ['${meta.tags}', 'set_contains_any', 'd,b', true],
    ['${attr.cpu.numcores}', '>', '7', true],
    ['${attr.cpu.numcores}', '>', '10', false],
    ['${attr.cpu.numcores}', '<=', '8', true],
    ['${attr.os.name}', '<', 'ubuntu', true],
    ['${attr.kernel.version}', 'version', '>= 5.10, < 7', true],
    ['${attr.kernel.version}', 'semver', '> 6.1.0', false],
    ['${attr.os.name}', 'version', '>= 1', false],
    ['linux', '=', 'linux', true],
  ]
  for (const [LTarget, Operand, RTarget, expected] of cases) {
    const constraint = { LTarget, Operand, RTarget }
    t.equal(satisfies(node, constraint), expected, describeConstraint(constraint))
  }
  t.end()
})

t.test('versions are compared number by number, pre-releases by the mode', (t) => {
  const cases: [version: string, constraint: string, lenient: boolean, strict: boolean][] = [
    ['1.6.2', '= 1.6.2', true, true],
    ['1.6.2', '1.6.2', true, true],
    ['1.10.0', '> 1.9', true, true],
    ['1.6.9', '~> 1.6.2', true, true],
    ['1.7.0', '~> 1.6.2', false, false],
    ['1.9.0', '~> 1.6', true, true],
    ['2.0.0', '~> 1.6', false, false],
    ['1.6.2', '!= 1.6.2', false, false],
    ['2.0.0-beta1', '>= 1.0', false, true],
    ['2.0.0-beta1', '< 2.0.0', false, true],
    ['2.0.0-beta2', '> 2.0.0-beta1', true, true],
    ['2.0.0-10', '> 2.0.0-9', true, true],
    ['v1.2.3+build', '= 1.2.3', true, true],
    ['1.2', '= 1.2.0', true, true],
    ['one', '>= 1', false, false],
    ['1.2.3', '>= one', false, false],
  ]
  for (const [version, constraint, lenient, strict] of cases) {
    t.equal(satisfiesVersion(version, constraint, 'lenient'), lenient, `${version} ${constraint}`)
    t.equal(satisfiesVersion(version, constraint, 'strict'), strict, `${version} ${constraint}`)
  }
  t.end()
})
