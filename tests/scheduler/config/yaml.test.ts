import t from 'tap'
import { parseYaml } from '../../../src/scheduler/config/yaml.ts'
import { entriesOf } from '../../../src/scheduler/config/yaml-tree.ts'
import type { YamlNode } from '../../../src/scheduler/config/yaml-tree.ts'

/** Plain data of a sound text. */
function data(text: string): unknown {
  const { root, faults } = parseYaml(text)
  if (faults.length > 0) throw new Error(JSON.stringify(faults))
  return toData(root)
}

function toData(node: YamlNode): unknown {
  if (node.kind === 'scalar') return node.text
  if (node.kind === 'list') return node.items.map((item) => toData(item.node))
  return Object.fromEntries([...node.entries].map(([key, entry]) => [key, toData(entry.node)]))
}

function faults(text: string): string[] {
  const file = parseYaml(text)
  return file.faults.map(({ at, message }) => {
    const { line, column } = file.place(at)
    return `${line}:${column}: ${message}`
  })
}

t.test('scalars stay as they are written', async (t) => {
  const text = 'a: true\nb: 1.10\nc: 0123\nd: ~\ne:\nf: 2001-01-01\ng: "1\\t2"\nh: !!int 0x1F\n'
  t.strictSame(data(text), {
    a: 'true',
    b: '1.10',
    c: '0123',
    d: '~',
    e: '',
    f: '2001-01-01',
    g: '1\t2',
    h: '0x1F',
  })
  t.strictSame(data('%YAML 1.1\n---\na: yes\nb: 010\n'), { a: 'yes', b: '010' })
})

t.test('blocks, CRLF and a byte order mark are read', async (t) => {
  t.strictSame(data('\uFEFFa: |\r\n  x\r\n  y\r\nb: >-\r\n  x\r\n  y\r\n'), {
    a: 'x\ny\n',
    b: 'x y',
  })
})

t.test('a map with two merge keys gets both, the first to name a key wins', async (t) => {
  const text = [
    'one: &one {a: 1, b: 1}',
    'two: &two {b: 2, c: 2}',
    'both:',
    '  <<: *one',
    '  <<: *two',
    '  d: 3',
    'list: {<<: [*two, *one], a: own}',
    'text: {"<<": x}',
  ].join('\n')
  const { both, list, text: quoted } = data(text) as Record<string, unknown>
  t.strictSame(both, { d: '3', a: '1', b: '1', c: '2' })
  t.strictSame(list, { a: 'own', b: '2', c: '2' })
  t.strictSame(quoted, { '<<': 'x' }, 'a quoted << is a key like any other')
})

t.test('an anchor that is defined again counts from there on', async (t) => {
  t.strictSame(data('- &a 1\n- *a\n- &a 2\n- *a\n- &b [&b 3, *b]\n- *b\n'), [
    '1',
    '1',
    '2',
    '2',
    ['3', '3'],
    '3',
  ])
})

t.test('a merged key keeps the place it was written at, an alias has its own', async (t) => {
  const { root, place } = parseYaml('base: &base\n  x: 1\nuse:\n  <<: *base\n  y: *base\n')
  const use = entriesOf(entriesOf(root).get('use')?.node)
  t.strictSame(place(use.get('x')?.keyAt ?? 0), { line: 2, column: 3 })
  t.strictSame(place(use.get('y')?.at ?? 0), { line: 5, column: 6 })
})

t.test('keys that every JavaScript object has are keys like any other', async (t) => {
  const { root } = parseYaml('__proto__: {a: 1}\nconstructor: 2\n')
  t.strictSame([...entriesOf(root).keys()], ['__proto__', 'constructor'])
})

t.test('a map with a key twice, or a key that is no text, has a fault of its own', async (t) => {
  const { root, faults, place } = parseYaml('a: 1\nb: 2\na: 3\n? [x]\n: 4\n<<: 5\n')
  t.strictSame(faults, [], 'it is a mistake only where the map is used')
  t.equal(root.kind, 'map')
  const own = root.kind === 'map' ? root.faults : []
  t.strictSame(
    own.map(({ at, message }) => `${place(at).line}: ${message}`),
    [
      '3: the key `a` stands twice in one map',
      '4: a key must be a text, not a list',
      '6: `<<` merges maps: this is none',
    ],
  )
})

t.test('what is not YAML is told with line and column', async (t) => {
  const cases: [string, string[]][] = [
    ['a:\n\tb: 1\n', ['2:1: a tab is used as indentation: YAML allows only spaces']],
    [
      'a: 1\n---\nb: 2\n',
      ['2:1: a second YAML document starts here: a file holds one configuration'],
    ],
    ['a: *b\n', ['1:4: no anchor `&b` stands before this alias']],
    ['a: *b\nb: &b 1\n', ['1:4: no anchor `&b` stands before this alias']],
    ['a: &b [*b]\n', ['1:8: the alias `*b` stands inside its own anchor']],
    ['a: !Sub x\n', ['1:4: the tag `!Sub` is not supported: remove it']],
    ['a: "b\n', ['2:1: not valid YAML: Missing closing "quote']],
  ]
  for (const [text, expected] of cases) t.strictSame(faults(text), expected, JSON.stringify(text))
  t.match(faults('version: 2\n jobs:\n   x: 1\n'), [/^1:10: not valid YAML: .* indentation/])
})

t.test('mistakes on one line are told once, and never more than twenty', async (t) => {
  t.equal(faults('a:\n - x\n\t- y\n').length, 1)
  t.equal(faults(`a:\n${'\tb: 1\n'.repeat(100)}`).length, 20)
})
