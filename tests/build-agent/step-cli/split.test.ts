import fc from 'fast-check'
import t from 'tap'
import { readNames, split, weigh } from '../../../src/build-agent/step-cli/split.ts'

const items = fc.uniqueArray(fc.record({ name: fc.string(), weight: fc.nat(1000) }), {
  selector: (item) => item.name,
})

t.test('every test is in exactly one bucket, in the order of the input', async () => {
  fc.assert(
    fc.property(items, fc.integer({ min: 1, max: 20 }), (items, total) => {
      const buckets = split(items, total)
      const position = (item: { name: string }) => items.findIndex(({ name }) => name === item.name)
      const isOrdered = buckets.every((bucket) =>
        bucket.every((item, at) => at === 0 || position(bucket[at - 1] ?? item) < position(item)),
      )
      return buckets.length === total && buckets.flat().length === items.length && isOrdered
    }),
  )
})

t.test('the buckets do not depend on the order of the input', async () => {
  fc.assert(
    fc.property(items, fc.integer({ min: 1, max: 5 }), (items, total) => {
      const names = (list: typeof items) =>
        split(list, total).map((bucket) => bucket.map(({ name }) => name).sort())
      return JSON.stringify(names(items)) === JSON.stringify(names(items.toReversed()))
    }),
  )
})

t.test('no bucket is heavier than the lightest by more than one item', async () => {
  fc.assert(
    fc.property(items, fc.integer({ min: 1, max: 5 }), (items, total) => {
      const sums = split(items, total).map((bucket) =>
        bucket.reduce((sum, item) => sum + item.weight, 0),
      )
      return (
        Math.max(...sums) - Math.min(...sums) <= Math.max(0, ...items.map((item) => item.weight))
      )
    }),
  )
})

t.test(
  'the heaviest go first, each into the emptiest bucket, the lowest index winning a tie',
  async (t) => {
    const items = [
      { name: 'a', weight: 1 },
      { name: 'b', weight: 5 },
      { name: 'c', weight: 3 },
      { name: 'd', weight: 3 },
      { name: 'e', weight: 1 },
    ]
    t.same(names(split(items, 2)), [
      ['a', 'b', 'e'],
      ['c', 'd'],
    ])
    const even = ['z', 'y', 'x', 'w', 'v'].map((name) => ({ name, weight: 1 }))
    t.same(
      names(split(even, 2)),
      [
        ['z', 'x', 'v'],
        ['y', 'w'],
      ],
      'round robin over the sorted names',
    )
  },
)

t.test('names come one a line, whatever the line end, each once', async (t) => {
  t.same(readNames('b\r\na\n\n  b  \n a'), ['b', 'a'])
})

t.test('an unknown weight is the median of the known ones', async (t) => {
  const known: Record<string, number> = { a: 1, b: 10, c: 100 }
  const { items, unknown } = weigh(['a', 'b', 'c', 'new'], (name) => known[name] ?? null)
  t.same(items.at(-1), { name: 'new', weight: 10 })
  t.same(unknown, ['new'])
})

function names(buckets: { name: string }[][]): string[][] {
  return buckets.map((bucket) => bucket.map(({ name }) => name))
}
