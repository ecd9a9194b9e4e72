import { createHash } from 'node:crypto'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Spool, type SpoolOptions } from '../../../src/build-agent/output/spool.ts'
import { systemClock } from '../../../src/platform/index.ts'

t.test('what was written is what is read, and what the totals tell', async (t) => {
  const spool = await aSpool(t)
  const pieces = Array.from({ length: 300 }, (_, n) => Buffer.alloc(n * 37, n))
  for (const piece of pieces) spool.append(piece)
  const totals = await spool.end()
  const whole = Buffer.concat(pieces)
  t.same(totals, { length: whole.length, sha256: sha256(whole), dropped: 0 })
  t.same(await readAll(spool, 1000), whole)
})

t.test('memory is bounded: a writer that runs ahead of the disk is told', async (t) => {
  let changes = 0
  const spool = await aSpool(t, { onChange: () => (changes += 1) })
  t.equal(spool.isBehind, false)
  spool.append(Buffer.alloc(64 * 1024))
  while (!spool.isBehind) spool.append(Buffer.alloc(64 * 1024))
  await spool.end()
  t.equal(spool.isBehind, false)
  t.ok(changes >= 2)
})

t.test('a disk that takes nothing costs the output, not the step', async (t) => {
  const dropped: unknown[] = []
  const spool = await aSpool(t, {
    path: '/dev/full',
    diskFullMs: 0,
    onDrop: (why, cause) => dropped.push([why, (cause as NodeJS.ErrnoException).code]),
  })
  spool.append(Buffer.from('first'))
  spool.append(Buffer.from('second'))
  const totals = await spool.end()
  const marker = '\n[caravan: the disk took no more; 11 bytes of output are left out here]\n'
  t.same(totals, { length: marker.length, sha256: sha256(Buffer.from(marker)), dropped: 11 })
  t.equal((await readAll(spool, 10)).toString(), marker)
  t.same(dropped, [['disk', 'ENOSPC']])
})

async function aSpool(t: Test, changes: Partial<SpoolOptions> = {}): Promise<Spool> {
  const spool = await Spool.open({
    path: join(t.testdir(), 'out'),
    limitBytes: 1024 ** 3,
    clock: systemClock,
    diskFullMs: 1000,
    onDrop: () => undefined,
    onChange: () => undefined,
    ...changes,
  })
  t.teardown(async () => spool.close({ remove: false }))
  return spool
}

async function readAll(spool: Spool, size: number): Promise<Buffer> {
  const parts: Buffer[] = []
  let at = 0
  while (at < spool.length) {
    const part = Buffer.from(await spool.read(at, Buffer.alloc(size)))
    parts.push(part)
    at += part.length
  }
  return Buffer.concat(parts)
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
