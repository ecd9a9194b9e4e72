import { Readable } from 'node:stream'
import t from 'tap'
import { createBodyPool } from '../../src/api/body-pool.ts'

const MAX = 1024 * 1024

const bodyOf = (...chunks: Buffer[]) => Readable.from(chunks)

t.test('a body comes back byte by byte, whatever pieces it came in', async (t) => {
  const pool = createBodyPool(MAX)
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, at) => at % 251))
  const pieces = [bytes.subarray(0, 7), bytes.subarray(7, 99_999), bytes.subarray(99_999)]
  t.ok((await pool.read(bodyOf(...pieces), bytes.length)).equals(bytes))
  t.ok((await pool.read(bodyOf(...pieces), Number.NaN)).equals(bytes), 'of unknown length')
})

t.test('memory that was given back is used again, and shows nothing of what it held', async (t) => {
  const pool = createBodyPool(MAX)
  const first = await pool.read(bodyOf(Buffer.alloc(MAX, 'a')), MAX)
  const second = await pool.read(bodyOf(Buffer.alloc(MAX, 'b')), MAX)
  t.not(second.buffer, first.buffer, 'not while it is in use')
  pool.giveBack(first)
  const third = await pool.read(bodyOf(Buffer.from('c')), 500_000)
  t.equal(third.buffer, first.buffer)
  t.equal(third.toString(), 'c')
})

t.test('small bodies do not hold the memory of large ones', async (t) => {
  const pool = createBodyPool(MAX)
  const small = await pool.read(bodyOf(Buffer.from('small')), 5)
  t.ok(small.buffer.byteLength < MAX)
  pool.giveBack(small)
  const large = await pool.read(bodyOf(Buffer.alloc(MAX)), MAX)
  t.not(large.buffer, small.buffer)
})

t.test('a body that is too large is refused, told or not', async (t) => {
  const pool = createBodyPool(MAX)
  const tooLarge = /body is too large/
  await t.rejects(pool.read(bodyOf(), MAX + 1), tooLarge)
  await t.rejects(pool.read(bodyOf(Buffer.alloc(MAX), Buffer.from('!')), Number.NaN), tooLarge)
  await t.rejects(pool.read(bodyOf(Buffer.from('longer')), 3), tooLarge)
})

t.test('a piece with memory of its own is freed, one that shares it is left alone', async (t) => {
  const pool = createBodyPool(MAX)
  const own = Buffer.alloc(64 * 1024, 'a')
  const shared = Buffer.alloc(128 * 1024, 'b')
  const bytes = await pool.read(bodyOf(own, shared.subarray(0, 64 * 1024)), 128 * 1024)
  t.equal(own.length, 0)
  t.equal(shared.length, 128 * 1024)
  t.equal(bytes.toString(), 'a'.repeat(64 * 1024) + 'b'.repeat(64 * 1024))
})
