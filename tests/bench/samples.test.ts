import fc from 'fast-check'
import t from 'tap'
import { interleave, Samples } from '../../bench/harness/samples.ts'

t.test('the median is the middle one, or the mean of the middle two', (t) => {
  t.equal(new Samples([9, 1, 5]).median, 5)
  t.equal(new Samples([9, 1, 5, 7]).median, 6)
  t.equal(new Samples([3]).median, 3)
  t.end()
})

t.test('the 99th percentile leaves out one of a hundred', (t) => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)
  t.equal(new Samples(hundred).p99, 99)
  t.equal(new Samples(hundred.slice(0, 50)).p99, 100)
  t.end()
})

t.test('every figure lies between the smallest and the largest', (t) => {
  const numbers = fc.array(fc.double({ noNaN: true, min: 0, max: 1e9 }), { minLength: 1 })
  fc.assert(
    fc.property(numbers, (values) => {
      const { min, max, median, p99, count } = new Samples(values)
      return min <= median && median <= p99 && p99 <= max && count === values.length
    }),
  )
  t.end()
})

t.test('nothing measured is an error, not a zero', (t) => {
  t.throws(() => new Samples([]), RangeError)
  t.end()
})

t.test('peers are compared within their rounds, so a slow minute does not count', (t) => {
  // The machine was ten times slower in the second and third round.
  const own = new Samples([2, 20, 20, 2, 2])
  const peer = new Samples([1, 10, 10, 1, 1])
  t.equal(own.ratioTo(peer), 2)
  t.equal(own.with(peer, (a, b) => a - b).median, 1)
  t.end()
})

t.test('warm-ups run and do not count', async (t) => {
  let calls = 0
  const { own } = await interleave({ own: async () => ++calls }, { rounds: 3, warmups: 2 })
  t.strictSame(own.values, [3, 4, 5])
})
