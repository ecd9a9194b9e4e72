import fc from 'fast-check'
import t from 'tap'
import { readLines } from '../../src/nomad/lines.ts'
import { collect } from '../support/fake-nomad.ts'

function cutAt(bytes: Buffer, places: number[]): AsyncIterable<Buffer> {
  const edges = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length]
  edges.sort((a, b) => a - b)
  const chunks = edges.slice(1).map((end, index) => bytes.subarray(edges[index], end))
  return (async function* () {
    yield* chunks
  })()
}

t.test('lines come out whole however the bytes are cut', async (t) => {
  const line = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((text) => !text.includes('\n'))
  const property = fc.asyncProperty(
    fc.array(line, { maxLength: 8 }),
    fc.array(fc.nat(), { maxLength: 8 }),
    async (lines, places) => {
      const bytes = Buffer.from(lines.map((text) => `${text}\n`).join('') + 'a cut off rest')
      const max = 12
      const expected = lines.map((text) => (Buffer.byteLength(text) > max ? null : text))
      const seen = await collect(readLines(cutAt(bytes, places), max))
      return JSON.stringify(seen) === JSON.stringify(expected)
    },
  )
  await t.resolves(fc.assert(property, { numRuns: 300 }))
})
