import { createHash, randomBytes } from 'node:crypto'
import { appendFile, readdir, readFile, readlink, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import * as fc from 'fast-check'
import t, { type Test } from 'tap'
import { type BuildId, type SliceKey, toSliceKey } from '../../../src/model/index.ts'
import { createLog, silentLog } from '../../../src/platform/index.ts'
import { createOutputStore } from '../../../src/scheduler/output/index.ts'
import type { OutputKey, OutputStore } from '../../../src/scheduler/index.ts'

const BUILD = '5a4ea06b7d560d000116830f' as BuildId
const SLICE = toSliceKey(BUILD, 3)

function aKey(given: Partial<OutputKey> = {}): OutputKey {
  return { slice: SLICE, epoch: 1, step: 0, attempt: 1, ...given }
}

function openStore(t: Test, directory: string, openMax?: number): OutputStore {
  const store = createOutputStore({
    directory,
    log: silentLog,
    ...(openMax === undefined ? {} : { openMax }),
  })
  t.teardown(() => store.close())
  return store
}

async function readAll(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

t.test('a stream lies in a file named by build, slice, epoch, step and attempt', async (t) => {
  const directory = t.testdir()
  const store = openStore(t, directory)
  const key = aKey({ epoch: 2, step: 7, attempt: 3 })
  t.equal(await store.append(key, 0, Buffer.from('hello ')), 6)
  t.equal(await store.append(key, 6, Buffer.from('world')), 11)
  t.equal(await readFile(join(directory, BUILD, '3', '2', '7-3.out'), 'utf8'), 'hello world')
})

t.test('the answer to every append says how much there is', async (t) => {
  const store = openStore(t, t.testdir())
  const key = aKey()
  t.equal(await store.append(key, 0, Buffer.from('0123')), 4, 'next')
  t.equal(await store.append(key, 0, Buffer.from('0123')), 4, 'a duplicate')
  t.equal(await store.append(key, 2, Buffer.from('2345')), 6, 'an overlap')
  t.equal(await store.append(key, 9, Buffer.from('9')), 6, 'beyond the end')
  t.equal(await store.append(key, 6, Buffer.alloc(0)), 6, 'nothing')
  t.equal((await readAll(await store.read(key, { offset: 0 }))).toString(), '012345')
})

t.test('bytes that are not kept leave no file behind', async (t) => {
  const directory = t.testdir()
  const store = openStore(t, directory)
  t.equal(await store.append(aKey(), 5, Buffer.from('late')), 0)
  t.equal(await store.length(aKey()), 0)
  t.equal(await store.sha256(aKey()), sha256(Buffer.alloc(0)))
  t.equal((await readAll(await store.read(aKey(), { offset: 0 }))).length, 0)
  t.same(await readdir(directory), [])
})

t.test('any order of parts, duplicates and restarts gives the exact bytes', async (t) => {
  const part = fc.record({
    stream: fc.nat(2),
    offset: fc.nat(400),
    length: fc.nat(200),
    restart: fc.boolean(),
  })
  const root = t.testdir()
  let run = 0
  const property = fc.asyncProperty(fc.array(part, { maxLength: 40 }), async (parts) => {
    const directory = join(root, `${run++}`)
    const contents = [0, 1, 2].map(() => randomBytes(500))
    let store = createOutputStore({ directory, log: silentLog, openMax: 1 })
    let sent: Promise<number>[] = []
    for (const { stream, offset, length, restart } of parts) {
      const bytes = contents[stream]?.subarray(offset, offset + length) ?? Buffer.alloc(0)
      // Not awaited: parts of one stream arrive at the same time, too.
      sent.push(store.append(aKey({ step: stream }), offset, bytes))
      if (!restart) continue
      await Promise.all(sent)
      sent = []
      await store.close()
      store = createOutputStore({ directory, log: silentLog, openMax: 1 })
    }
    await Promise.all(sent)
    for (const [step, content] of contents.entries()) {
      const key = aKey({ step })
      const have = await store.length(key)
      const held = await readAll(await store.read(key, { offset: 0 }))
      t.ok(held.equals(content.subarray(0, have)), 'what is held is a prefix')
      await store.append(key, have, content.subarray(have))
      t.ok((await readAll(await store.read(key, { offset: 0 }))).equals(content))
      t.equal(await store.sha256(key), sha256(content))
    }
    await store.close()
  })
  await fc.assert(property, { numRuns: 40 })
})

t.test('a stream goes on after a restart, and what a crash left half written counts', async (t) => {
  const directory = t.testdir()
  const first = openStore(t, directory)
  await first.append(aKey(), 0, Buffer.from('before '))
  await first.close()
  await appendFile(join(directory, BUILD, '3', '1', '0-1.out'), 'the cr')
  const second = openStore(t, directory)
  t.equal(await second.length(aKey()), 13)
  t.equal(await second.append(aKey(), 7, Buffer.from('the crash')), 16)
  t.equal(await second.sha256(aKey()), sha256(Buffer.from('before the crash')))
})

t.test('a range is read while the stream grows', async (t) => {
  const store = openStore(t, t.testdir())
  const content = randomBytes(600_000)
  await store.append(aKey(), 0, content.subarray(0, 500_000))
  const whole = await store.read(aKey(), { offset: 0 })
  const middle = await store.read(aKey(), { offset: 100, length: 1000 })
  const tail = await store.read(aKey(), { offset: 499_990, length: 1000 })
  const beyond = await store.read(aKey(), { offset: 500_000 })
  await store.append(aKey(), 500_000, content.subarray(500_000))
  t.ok((await readAll(whole)).equals(content.subarray(0, 500_000)), 'to the end as it was')
  t.ok((await readAll(middle)).equals(content.subarray(100, 1100)))
  t.ok((await readAll(tail)).equals(content.subarray(499_990, 500_000)))
  t.equal((await readAll(beyond)).length, 0)
})

t.test('more streams than open files all keep their bytes', async (t) => {
  const directory = t.testdir()
  const store = openStore(t, directory, 3)
  const steps = Array.from({ length: 20 }, (_, step) => step)
  let openMost = 0
  for (let round = 0; round < 5; round += 1) {
    const appends = steps.map((step) =>
      store.append(aKey({ step }), round * 4, Buffer.from(`${step}`.padEnd(4, '.'))),
    )
    for (const append of appends) {
      await append
      openMost = Math.max(openMost, await countOpen(directory))
    }
  }
  t.ok(openMost > 0 && openMost <= 3, `at most 3 files are open, not ${openMost}`)
  for (const step of steps) {
    const held = await readAll(await store.read(aKey({ step }), { offset: 0 }))
    t.equal(held.toString(), `${step}`.padEnd(4, '.').repeat(5))
  }
  await store.close()
  t.equal(await countOpen(directory), 0, 'close leaves none open')
})

t.test(
  'a watcher hears of every append to its slice, and of nothing after it stopped',
  async (t) => {
    const lines: string[] = []
    const store = createOutputStore({
      directory: t.testdir(),
      log: createLog((_level, message) => lines.push(message)),
    })
    t.teardown(() => store.close())
    const heard: string[] = []
    const stop = store.watch(SLICE, (key, have) => heard.push(`${key.step}:${have}`))
    store.watch(SLICE, () => {
      throw new Error('a bad watcher')
    })
    await store.append(aKey(), 0, Buffer.from('abc'))
    await store.append(aKey(), 0, Buffer.from('abc'))
    await store.append(aKey({ step: 4 }), 0, Buffer.from('d'))
    await store.append(aKey({ slice: toSliceKey(BUILD, 4) }), 0, Buffer.from('other'))
    stop()
    await store.append(aKey(), 3, Buffer.from('def'))
    t.same(heard, ['0:3', '4:1'])
    t.same(new Set(lines), new Set(['a watcher of output failed']))
  },
)

t.test('a key that names no stream is refused before it touches the disk', async (t) => {
  const directory = t.testdir()
  const store = openStore(t, directory)
  const bad: Partial<OutputKey>[] = [
    { slice: '../../etc' as SliceKey },
    { slice: `${BUILD}-0/../..` as SliceKey },
    { slice: '' as SliceKey },
    { epoch: 0 },
    { epoch: 1.5 },
    { step: -1 },
    { step: Number.NaN },
    { attempt: 2 ** 60 },
  ]
  for (const given of bad) {
    const append = store.append(aKey(given), 0, Buffer.from('x'))
    await t.rejects(append, { code: 'INPUT_INVALID' }, JSON.stringify(given))
  }
  await t.rejects(store.append(aKey(), -1, Buffer.from('x')), { code: 'INPUT_INVALID' })
  t.same(await readdir(directory), [])
})

t.test('a link in place of the file is not written through', async (t) => {
  const directory = t.testdir({ victim: 'safe', [BUILD]: { '3': { '1': {} } } })
  await symlink(join(directory, 'victim'), join(directory, BUILD, '3', '1', '0-1.out'))
  const store = openStore(t, directory)
  await t.rejects(store.append(aKey(), 4, Buffer.from('x')), { code: 'STORE_FAILED' })
  t.equal(await readFile(join(directory, 'victim'), 'utf8'), 'safe')
})

t.test('a disk that refuses is told as such, and the stream works again afterwards', async (t) => {
  const directory = t.testdir({ [BUILD]: 'a file where a folder should be' })
  const store = openStore(t, directory)
  await t.rejects(store.append(aKey(), 0, Buffer.from('x')), { code: 'STORE_FAILED' })
  const other = aKey({ slice: toSliceKey('0'.repeat(24) as BuildId, 0) })
  t.equal(await store.append(other, 0, Buffer.from('x')), 1)
  await store.close()
  await t.rejects(store.append(other, 1, Buffer.from('y')), { code: 'STORE_FAILED' })
})

/** Open descriptors of this process below the folder, as the kernel sees them. */
async function countOpen(directory: string): Promise<number> {
  const numbers = await readdir('/proc/self/fd')
  const targets = await Promise.all(
    numbers.map((number) => readlink(`/proc/self/fd/${number}`).catch(() => '')),
  )
  return targets.filter((target) => target.startsWith(directory)).length
}
