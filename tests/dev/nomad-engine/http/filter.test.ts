import fc from 'fast-check'
import t from 'tap'
import {
  matchesFilter,
  UnknownField,
} from '../../../../src/dev/nomad-engine/http/filter/evaluate.ts'
import { FilterFault } from '../../../../src/dev/nomad-engine/http/filter/lexer.ts'
import { parseFilter } from '../../../../src/dev/nomad-engine/http/filter/parser.ts'

const row = {
  ID: 'job-1',
  Status: 'running',
  Priority: 50,
  Stop: false,
  Meta: { org: 'acme', 'a b': 'x' },
  Datacenters: ['dc1', 'dc2'],
  Periodic: null,
  Empty: '',
}
const matches = (text: string) => matchesFilter(parseFilter(text), row)

t.test('an expression decides as it reads', (t) => {
  const cases: [text: string, expected: boolean][] = [
    ['ID == "job-1"', true],
    ['ID == `job-1`', true],
    ['ID == job-1', true],
    ['ID != "job-1"', false],
    ['Priority == 50', true],
    ['Stop == false', true],
    ['Meta.org == "acme"', true],
    ['Meta["a b"] == "x"', true],
    ['"/Meta/org" == "acme"', true],
    ['Meta.none == ""', false],
    ['Meta.none != "x"', true],
    ['ID contains "ob-"', true],
    ['Datacenters contains "dc2"', true],
    ['"dc3" in Datacenters', false],
    ['dc1 in Datacenters', true],
    ['"dc3" not in Datacenters', true],
    ['Meta contains "org"', true],
    ['ID matches "^job-[0-9]$"', true],
    ['ID not matches "^x"', true],
    ['Empty is empty and Meta is not empty', true],
    ['Periodic is nil and Meta is not nil', true],
    ['Status == "dead" or Priority == 50 and Stop == false', true],
    ['(Status == "dead" or Priority == 50) and Stop == true', false],
    ['not Status == "dead" and not (Stop == true)', true],
    ['ID == "a \\"quoted\\" one"', false],
  ]
  for (const [text, expected] of cases) t.equal(matches(text), expected, text)
  t.end()
})

t.test('what can not be read is refused with its place', (t) => {
  for (const text of [
    'Status',
    'Status ==',
    '== "x"',
    'Status == "x" and',
    '(Status == "x"',
    'Status == "x" "y"',
    'Status ? 1',
    'not',
  ]) {
    t.throws(() => parseFilter(text), FilterFault, text)
  }
  t.throws(() => parseFilter(`${'('.repeat(100)}A == 1`), FilterFault, 'deeper than anybody writes')
  t.throws(() => matches('Nope == "x"'), UnknownField)
  t.end()
})

t.test('no text makes the reader fail in any other way', (t) => {
  const words =
    'Status ID Meta . == != and or not in is nil empty ( ) [ ] "x" `y` contains matches / " \\ 50'
  const word = fc.constantFrom(...words.split(' '))
  const text = fc.oneof(
    fc.string(),
    fc.array(word, { maxLength: 12 }).map((all) => all.join(' ')),
  )
  const property = fc.property(text, (each) => {
    try {
      matches(each)
    } catch (cause) {
      return (
        cause instanceof FilterFault ||
        cause instanceof UnknownField ||
        cause instanceof SyntaxError
      )
    }
    return true
  })
  fc.assert(property, { numRuns: 2000 })
  t.pass('2000 texts')
  t.end()
})
