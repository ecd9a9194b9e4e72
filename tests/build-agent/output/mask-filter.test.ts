import fc from 'fast-check'
import t from 'tap'
import { Mask, MaskFilter } from '../../../src/build-agent/output/mask-filter.ts'

t.test('C-19: a secret is hidden however the stream is cut into pieces', async (t) => {
  const mask = new Mask(['hunter2-secret'])
  t.equal(
    filter(mask, Array.from('say hunter2-secret twice: hunter2-secret.')),
    'say **** twice: ****.',
  )
  t.equal(filter(mask, ['say hunter2-', 'secret']), 'say ****')
})

t.test('the result equals a search through the whole text, for any pieces', async () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 200 })
  const secrets = fc.array(
    fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 4, maxLength: 9 }),
    {
      minLength: 1,
      maxLength: 6,
    },
  )
  fc.assert(
    fc.property(letters, secrets, fc.array(fc.nat(12)), (text, secrets, cuts) => {
      const pieces: string[] = []
      let rest = text
      for (const cut of cuts) {
        pieces.push(rest.slice(0, cut))
        rest = rest.slice(cut)
      }
      pieces.push(rest)
      return filter(new Mask(secrets), pieces) === maskSlowly(text, secrets)
    }),
    { numRuns: 3000 },
  )
})

t.test('C-21: overlapping and nested secrets become one replacement', async (t) => {
  t.equal(filter(new Mask(['abcdef', 'defghi']), ['<abcdefghi>']), '<****>')
  t.equal(filter(new Mask(['abcdefgh', 'cdef']), ['<abcdefgh><abcdefg>']), '<****><ab****g>')
})

t.test('an endless chain of overlapping secrets is not held in memory', async (t) => {
  const filter = new MaskFilter(new Mask(['abab']))
  const chunk = Buffer.from('ab'.repeat(50_000))
  const out = [
    ...filter.push(chunk),
    ...filter.push(chunk),
    ...filter.push(Buffer.from('x')),
    ...filter.end(),
  ]
  t.equal(Buffer.concat(out).toString(), '****x')
})

t.test('C-20: what may be the beginning of a secret is held until the stream ends', async (t) => {
  const filter = new MaskFilter(new Mask(['password']))
  t.equal(Buffer.concat(filter.push(Buffer.from('enter passw'))).toString(), 'enter ')
  t.equal(Buffer.concat(filter.end()).toString(), 'passw')
})

t.test('C-25: short and common values are not hidden', async (t) => {
  const mask = new Mask()
  t.equal(mask.add(['abc', 'true', 'False', '', 'long enough']), 4)
  t.equal(mask.text('abc true False long enough'), 'abc true False ****')
})

t.test('a secret that is added in the middle of a stream is hidden from then on', async (t) => {
  const mask = new Mask(['first-secret'])
  const filter = new MaskFilter(mask)
  const out = [...filter.push(Buffer.from('second-secret first-sec'))]
  mask.add(['second-secret', 'sec ond'])
  out.push(...filter.push(Buffer.from('ret second-secret')), ...filter.end())
  t.equal(Buffer.concat(out).toString(), 'second-secret **** ****')
})

t.test('bytes that are no valid text pass untouched', async (t) => {
  const bytes = Buffer.from([0x61, 0xfe, 0x62, 0xff, 0x00, 0x0a])
  const filter = new MaskFilter(new Mask(['unrelated']))
  t.same(Buffer.concat([...filter.push(bytes), ...filter.end()]), bytes)
})

function filter(mask: Mask, pieces: readonly string[]): string {
  const filter = new MaskFilter(mask)
  const out = pieces.flatMap((piece) =>
    filter.push(Buffer.from(piece)).map((out) => Buffer.from(out)),
  )
  return Buffer.concat([...out, ...filter.end()]).toString()
}

/** Every occurrence of every secret, found one by one; runs that overlap are one replacement. */
function maskSlowly(text: string, secrets: readonly string[]): string {
  const found: { start: number; end: number }[] = []
  for (const secret of secrets) {
    for (let at = text.indexOf(secret); at >= 0; at = text.indexOf(secret, at + 1)) {
      found.push({ start: at, end: at + secret.length })
    }
  }
  found.sort((a, b) => a.start - b.start || b.end - a.end)
  let result = ''
  let cursor = 0
  while (found.length > 0) {
    const region = found.shift() ?? { start: 0, end: 0 }
    while (found[0] && found[0].start < region.end) {
      region.end = Math.max(region.end, found.shift()?.end ?? 0)
    }
    result += `${text.slice(cursor, region.start)}****`
    cursor = region.end
  }
  return result + text.slice(cursor)
}
