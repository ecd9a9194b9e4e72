import fc from 'fast-check'
import t from 'tap'
import {
  createLayout,
  giveWay,
  locate,
  neededBytes,
  orphanedBytes,
  roomAt,
  shrink,
  tailFrom,
  unfinishedBytes,
} from '../../../src/build-agent/output/layout.ts'

t.test('of a limit the first quarter and the last three are kept', async (t) => {
  t.same(createLayout(1_000_000, 2_000_000), { size: 1_000_000, head: 250_000, tail: 750_000 })
  t.same(createLayout(1001, 2_000_000), { size: 4096, head: 251, tail: 750 })
})

t.test('a file that is smaller than the limit leaves more to the head', async (t) => {
  t.same(createLayout(1_000_000, 100_000), { size: 100_000, head: 925_000, tail: 75_000 })
})

const length = fc.integer({ min: 1, max: 40_000 })
const share = fc.double({ min: 0, max: 1, noNaN: true })

t.test('no byte that is needed is ever overwritten, whoever gives way when', async () => {
  fc.assert(
    fc.property(length, length, share, share, fc.boolean(), (limit, room, a, b, isDisk) => {
      let layout = createLayout(limit, room)
      const have = Math.floor(a * layout.head)
      const written = have + Math.floor(b * layout.size)
      if (isDisk && written < layout.size) {
        layout = shrink(layout, { have, sent: have, written })
      } else {
        layout = giveWay(layout, { have, sent: have })
      }
      const total = layout.head + layout.tail
      // All that is kept, the unsent head and a full tail, has a place of its own.
      const places = new Set<number>()
      for (let at = have; at < layout.head; at++) places.add(locate(layout, at).position)
      for (let at = layout.head; at < total; at++) places.add(locate(layout, at).position)
      const isInside = [...places].every((place) => place >= 0 && place < layout.size)
      return places.size === Math.max(layout.head, have) - have + layout.tail && isInside
    }),
    { numRuns: 100 },
  )
})

t.test('after giving way nobody waits any more', async () => {
  fc.assert(
    fc.property(length, length, share, share, (limit, room, a, b) => {
      const first = createLayout(limit, room)
      const have = Math.floor(a * first.head)
      const layout = giveWay(first, { have, sent: have })
      const at = have + Math.floor(b * first.size)
      const isBefore = at < layout.head + layout.tail
      return !isBefore || roomAt(layout, at, have) > 0
    }),
  )
})

t.test(
  'what is needed of an output is what the server lacks of its head, and its tail',
  async (t) => {
    const layout = createLayout(1_000_000, 100_000)
    t.equal(neededBytes(layout, 50_000, 20_000), 30_000)
    t.equal(neededBytes(layout, 5_000_000, 925_000), 75_000)
    t.equal(tailFrom(layout, 5_000_000), 4_925_000)
    t.equal(tailFrom(layout, 900_000), 900_000)
  },
)

t.test('a character that is cut is told from one that is whole', async (t) => {
  for (const character of ['a', 'é', '€', '𝄞']) {
    const bytes = Buffer.from(`x${character}`)
    t.equal(unfinishedBytes(bytes.subarray(-3)), 0, `${character} is whole`)
    for (let cut = 1; cut < bytes.length - 1; cut++) {
      const before = bytes.subarray(0, bytes.length - cut)
      t.equal(unfinishedBytes(before.subarray(-3)), bytes.length - 1 - cut, character)
      t.equal(orphanedBytes(bytes.subarray(bytes.length - cut)), cut, character)
    }
  }
  t.equal(unfinishedBytes(Buffer.alloc(3, 0x80)), 0, 'no text at all')
})
