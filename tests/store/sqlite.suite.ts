import { readdirSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { sql } from 'kysely'
import t from 'tap'
import { exec, sleep, systemClock } from '../../src/platform/index.ts'
import {
  findBuild,
  insertBuild,
  openStore,
  takeBuildNumber,
} from '../../src/scheduler/store/index.ts'
import { startSqliteThread } from '../../src/scheduler/store/sqlite/thread.ts'
import { aBuild, someTexts } from '../scheduler/support/rows.ts'
import { deps, open, sqliteBackend } from './backend.ts'
import { testContract, testTransactions } from './contract.ts'

t.test('SQLite keeps the contract', (t) => {
  testContract(t, sqliteBackend())
  t.end()
})

t.test('SQLite in the main thread has the same transactions', (t) =>
  testTransactions(t, sqliteBackend('?thread=main')),
)

t.test('nobody else on the machine can read it', async (t) => {
  const folder = t.testdir()
  const store = await open(t, `sqlite:${join(folder, 'caravan.db')}`)
  await store.write(takeBuildNumber)
  const files = readdirSync(folder)
  t.ok(files.length >= 3, files.join())
  for (const name of files) t.equal(statSync(join(folder, name)).mode & 0o077, 0, name)
})

t.test('a commit that has to wait holds up nobody else', async (t) => {
  const file = join(t.testdir(), 'caravan.db')
  const store = await open(t, `sqlite:${file}?synchronous=full`)
  // As somebody at the prompt of sqlite3 may do.
  const other = new DatabaseSync(file)
  other.exec('BEGIN IMMEDIATE')
  const writing = store.write(takeBuildNumber)
  const startMs = systemClock.monotonic()
  let turns = 0
  for (; systemClock.monotonic() - startMs < 200; turns++) await sleep(systemClock, 1)
  t.ok(turns > 10, `${turns} turns of the loop while the store waited`)
  other.exec('COMMIT')
  other.close()
  t.equal(await writing, 1)
})

t.test('a full disk fails whoever shares the commit, and nothing is half there', async (t) => {
  const store = await open(t, await sqliteBackend().fresh(t))
  const grow = (pages: number) =>
    store.write((writer) => sql`pragma max_page_count = ${sql.lit(pages)}`.execute(writer))
  await grow(60)
  const large = someTexts({ warnings: ['x'.repeat(1_000_000)] })
  const results = await Promise.allSettled([
    store.write((writer) => insertBuild(writer, aBuild({ number: 1 }), someTexts())),
    store.write((writer) => insertBuild(writer, aBuild({ number: 2 }), large)),
    store.write((writer) => insertBuild(writer, aBuild({ number: 3 }), someTexts())),
  ])
  const kept = results.map(({ status }) => status === 'fulfilled')
  t.equal(kept[1], false)
  for (const [at, isKept] of kept.entries()) {
    t.equal((await findBuild(store.read, `${at + 1}`)) !== null, isKept, 'as it was told')
  }
  await grow(100_000)
  await store.write((writer) => insertBuild(writer, aBuild({ number: 4 }), large))
  t.ok(await findBuild(store.read, '4'), 'and it goes on when there is room again')
})

t.test('a thread that is gone is told to everybody, and to nobody too late', async (t) => {
  const options = { file: ':memory:', synchronous: 'normal', readOnly: false } as const
  const breaking = new URL('./breaking-worker.ts', import.meta.url)
  const thread = await startSqliteThread(options, systemClock, breaking)
  await thread.writer.control('BEGIN')
  t.equal(thread.writer.lost(), null)
  const asked = [
    thread.writer.control('COMMIT'),
    thread.reader.send({ sql: '', parameters: [] }).then(() => undefined),
  ]
  for (const each of asked) {
    await t.rejects(each, {
      code: 'STORE_FAILED',
      message: 'the thread of the store failed: restart the server',
      cause: { message: 'out of memory' },
    })
  }
  await t.rejects(thread.writer.control('BEGIN'), { code: 'STORE_FAILED' })
  t.match(thread.writer.lost(), { code: 'STORE_FAILED' })
  await thread.close()
})

t.test('a file that cannot be opened is named', async (t) => {
  const url = `sqlite:${join(t.testdir(), 'no', 'such', 'folder.db')}`
  for (const each of [url, `${url}?thread=main`]) {
    await t.rejects(openStore(each, deps), {
      code: 'STORE_FAILED',
      message: /can not be opened: .*folder\.db$/,
      cause: { message: /no such file or directory/ },
    })
  }
})

t.test('a store that nobody closes does not keep its process', async (t) => {
  const url = `sqlite:${join(t.testdir(), 'caravan.db')}`
  const program = `
    import { systemRandom } from '${href('../../src/platform/index.ts')}'
    import { openStore, takeBuildNumber } from '${href('../../src/scheduler/store/index.ts')}'
    const store = await openStore(process.argv[1], { nowMs: 0, random: systemRandom })
    console.log(await store.write(takeBuildNumber))`
  const args = ['--input-type=module-typescript', '--eval', program, url]
  const { stdout } = await exec(process.execPath, args, { timeoutMs: 20_000 })
  t.equal(stdout.toString(), '1\n')
})

t.test('a thread that answers when it was given up can still be closed', async (t) => {
  const program = `
    import { startSqliteThread } from '${href('../../src/scheduler/store/sqlite/thread.ts')}'
    let nowMs = 0
    let watch
    const timer = { cancel: () => undefined, unref: () => timer }
    const clock = { monotonic: () => nowMs, after: (_ms, run) => ((watch = run), timer) }
    const options = { file: ':memory:', synchronous: 'normal', readOnly: false }
    const thread = await startSqliteThread(options, clock)
    const asked = thread.writer.control('BEGIN').catch(({ message }) => console.log(message))
    await Promise.resolve()
    // Its answer is on the way, and the clock moves before anybody reads it.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500)
    nowMs = 400_000
    watch()
    await asked
    await thread.close()
    console.log('closed')`
  const args = ['--input-type=module-typescript', '--eval', program]
  const { stdout } = await exec(process.execPath, args, { timeoutMs: 20_000 })
  t.match(stdout.toString(), /^the store has not answered for 300 s: .*\nclosed\n$/)
})

const href = (path: string) => new URL(path, import.meta.url).href
