import fc from 'fast-check'
import t from 'tap'
import { demultiplex, readLines } from '../../src/platform/docker/streams.ts'

function frame(stream: number, bytes: Uint8Array): Buffer {
  const header = Buffer.alloc(8)
  header[0] = stream
  header.writeUInt32BE(bytes.length, 4)
  return Buffer.concat([header, bytes])
}

async function gather(parts: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const part of parts) all.push(part)
  return Buffer.concat(all)
}

t.test('C-66: frames give the same bytes wherever the connection cuts them', async (t) => {
  const frames = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(frames, fc.integer({ min: 1, max: 11 }), async (written, size) => {
      const wire = Buffer.concat(written.map((bytes, at) => frame(1 + (at % 2), bytes)))
      const chunks = []
      for (let at = 0; at < wire.length; at += size) chunks.push(wire.subarray(at, at + size))
      t.ok((await gather(demultiplex(chunks))).equals(Buffer.concat(written)))
    }),
  )
})

t.test('a connection that breaks in a frame gives what came of it', async (t) => {
  const cut = frame(1, Buffer.from('hello world')).subarray(0, 13)
  t.equal((await gather(demultiplex([cut]))).toString(), 'hello')
})

t.test('lines are read across chunks, and one without an end is refused', async (t) => {
  const lines: string[] = []
  for await (const line of readLines([Buffer.from('{"a"'), Buffer.from(':1}\r\n\n{}')])) {
    lines.push(line.trim())
  }
  t.same(lines, ['{"a":1}', '{}'])
  const endless = Array.from({ length: 20 }, () => Buffer.alloc(100_000, 'x'))
  await t.rejects(async () => {
    for await (const line of readLines(endless)) t.fail(line)
  }, /does not end/)
})
