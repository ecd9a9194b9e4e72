import { createHash } from 'node:crypto'
import { stat, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { Spool, type SpoolOptions } from '../../../src/build-agent/output/spool.ts'
import { systemClock, TestClock } from '../../../src/platform/index.ts'

const QUIET = {
  clock: systemClock,
  hurry: new AbortController().signal,
  onDrop: () => undefined,
  onChange: () => undefined,
}

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
  t.equal(spool.isFull, false)
  spool.append(Buffer.alloc(64 * 1024))
  while (!spool.isFull) spool.append(Buffer.alloc(64 * 1024))
  await spool.end()
  t.equal(spool.isFull, false)
  t.ok(changes >= 2)
})

t.test('head and tail are kept whatever is written, read and acknowledged when', async (t) => {
  const folder = t.testdir()
  let count = 0
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 20_000 }),
      fc.integer({ min: 1, max: 10_000 }),
      fc.array(fc.record({ write: fc.nat(9000), read: fc.nat(6000) }), { maxLength: 12 }),
      async (limitBytes, roomBytes, turns) => {
        const path = join(folder, `${count++}`)
        const spool = await Spool.open({ ...QUIET, path, limitBytes, roomBytes, fullMs: 0 })
        const written: Buffer[] = []
        const received: Buffer[] = []
        let have = 0
        for (const { write, read } of turns) {
          const bytes = Buffer.alloc(write, `<${have}:${written.length}>`)
          written.push(bytes)
          spool.append(bytes)
          await systemTurn()
          const part = Buffer.from(await spool.read(have, Buffer.alloc(read)))
          received.push(part)
          have += part.length
          spool.acknowledge(have)
        }
        const totals = await spool.end()
        while (have < spool.length) {
          const part = Buffer.from(await spool.read(have, Buffer.alloc(777)))
          received.push(part)
          have += part.length
        }
        const { size } = await stat(path)
        await spool.close({ remove: true })
        const got = Buffer.concat(received)
        const whole = Buffer.concat(written)
        const text = got.toString('latin1')
        const [marker, dropped] = /\n\[caravan: .*; (\d+) bytes of .* here\]\n/.exec(text) ?? [
          '',
          '0',
        ]
        const [head = '', tail = ''] = marker === '' ? [text, ''] : text.split(marker)
        return (
          totals.sha256 === sha256(got) &&
          totals.length === got.length &&
          totals.dropped === Number(dropped) &&
          head.length + tail.length + totals.dropped === whole.length &&
          whole.subarray(0, head.length).equals(Buffer.from(head, 'latin1')) &&
          whole.subarray(whole.length - tail.length).equals(Buffer.from(tail, 'latin1')) &&
          head.length + tail.length <= Math.max(limitBytes, 4096) &&
          size <= Math.max(4096, roomBytes)
        )
      },
    ),
    { numRuns: 150 },
  )
})

t.test('a writer waits for a server that is slow, and loses nothing', async (t) => {
  const clock = new TestClock()
  const spool = await aSpool(t, { clock, roomBytes: 100_000, limitBytes: 10_000_000 })
  const line = Buffer.alloc(1000, 'x')
  let have = 0
  for (let minutes = 0; minutes < 20; minutes++) {
    while (!spool.isFull) spool.append(line)
    await clock.tick(59_000)
    await until(() => spool.length > have)
    have += (await spool.read(have, Buffer.alloc(20_000))).length
    spool.acknowledge(have)
    await until(() => !spool.isFull)
  }
  t.equal((await spool.end()).dropped, 0)
})

t.test('a server that takes nothing costs the middle of the output after a minute', async (t) => {
  const clock = new TestClock()
  const told: string[] = []
  const spool = await aSpool(t, {
    clock,
    roomBytes: 100_000,
    limitBytes: 10_000_000,
    onDrop: (why) => told.push(why),
  })
  const line = Buffer.alloc(1000, 'x')
  while (!spool.isFull) spool.append(line)
  await clock.tick(59_999)
  t.equal(spool.isFull, true)
  t.same(told, [])
  await clock.tick(1)
  t.equal(spool.isFull, false)
  for (let n = 0; n < 500; n++) spool.append(line)
  const totals = await spool.end()
  t.same(told, ['server'])
  t.equal(totals.dropped, 580_000 - 100_000)
  const text = (await readAll(spool, 4096)).toString()
  t.equal(text.indexOf('\n[caravan: the server took no output for too long; 480000 bytes'), 25_000)
})

t.test('who is in a hurry waits for nobody', async (t) => {
  const hurry = new AbortController()
  const spool = await aSpool(t, { roomBytes: 10_000, hurry: hurry.signal, fullMs: 600_000 })
  while (!spool.isFull) spool.append(Buffer.alloc(1000, 'x'))
  hurry.abort()
  t.equal(spool.isFull, false)
  spool.append(Buffer.alloc(50_000, 'y'))
  t.ok((await spool.end()).dropped > 0)
})

t.test('a disk that takes nothing costs the output, not the step', async (t) => {
  const dropped: unknown[] = []
  const path = join(t.testdir(), 'full')
  await symlink('/dev/full', path)
  const spool = await aSpool(t, {
    path,
    fullMs: 0,
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
    ...QUIET,
    path: changes.path ?? join(t.testdir(), 'out'),
    limitBytes: 1024 ** 3,
    roomBytes: 1024 ** 3,
    fullMs: 60_000,
    ...changes,
  })
  t.teardown(async () => spool.close({ remove: false }))
  return spool
}

async function until(condition: () => boolean): Promise<void> {
  const late = AbortSignal.timeout(5000)
  while (!condition()) {
    late.throwIfAborted()
    await systemTurn()
  }
}

async function systemTurn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
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
