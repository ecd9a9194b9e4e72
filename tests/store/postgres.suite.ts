import t, { type Test } from 'tap'
import { isCaravanError } from '../../src/model/index.ts'
import { placeOf } from '../../src/scheduler/ledger.ts'
import {
  findBuild,
  openStore,
  readSlice,
  takeBuildNumber,
} from '../../src/scheduler/store/index.ts'
import { until } from '../scheduler/support/scheduler.ts'
import { storeBuild } from '../scheduler/support/ledger.ts'
import { deps, open, openWithLedger, type TestBackend } from './backend.ts'
import { execute, startCluster } from './cluster.ts'
import { testContract } from './contract.ts'
import { startProxy } from './proxy.ts'

const cluster = await startCluster()
if (cluster === null) {
  const message = 'no PostgreSQL: install one, or name one in CARAVAN_TEST_POSTGRES'
  if (process.env['CI'] === 'true') t.fail(message)
  else t.pass(`SKIPPED, nothing was tried on PostgreSQL: ${message}`, { skip: message })
} else {
  t.teardown(() => cluster.close())
  const backend = postgresBackend(cluster.url)
  t.test('PostgreSQL keeps the contract', (t) => {
    testContract(t, backend)
    t.end()
  })
  t.test('PostgreSQL, and nothing but PostgreSQL', (t) => testConnections(t, backend))
}

function postgresBackend(url: string): TestBackend {
  let counter = 0
  const schemaOf = (address: string) => new URL(address).searchParams.get('schema') ?? ''
  return {
    name: 'PostgreSQL',
    fresh(t) {
      counter += 1
      const schema = `caravan_test_${process.pid}_${counter}`
      t.teardown(() => execute(url, `drop schema if exists ${schema} cascade`))
      return Promise.resolve(`${url}${url.includes('?') ? '&' : '?'}schema=${schema}`)
    },
    async execute(address, sql) {
      const schema = schemaOf(address)
      await execute(
        url,
        `create schema if not exists ${schema}; set search_path to ${schema}; ${sql}`,
      )
    },
  }
}

async function testConnections(t: Test, backend: TestBackend): Promise<void> {
  t.test('a second server is refused while the first one runs', async (t) => {
    const url = await backend.fresh(t)
    const first = await open(t, url)
    await t.rejects(openStore(url, deps), {
      code: 'STORE_FAILED',
      message: /another Caravan server uses schema .*: caravan [0-9a-f]{16}, connected from/,
    })
    await first.close()
    await open(t, url)
  })

  t.test('a connection that is cut is told, and opened again', async (t) => {
    const url = await backend.fresh(t)
    const store = await open(t, url)
    const busy = store.write(async (writer) => {
      await takeBuildNumber(writer)
      await cut()
      await takeBuildNumber(writer)
    })
    await t.rejects(busy, { code: 'STORE_FAILED' })
    await until(() => store.write(takeBuildNumber).catch(() => null), 'the store is back')
    t.equal(await store.write(takeBuildNumber), 2, 'what was cut off left nothing')
    t.equal(store.fault(), null)
  })

  t.test('whoever had the store meanwhile shuts the old server out', async (t) => {
    const url = await backend.fresh(t)
    const old = await open(t, url)
    await execute(
      cluster?.url ?? '',
      `update ${schemaIn(url)}.installation set generation = generation + 1`,
    )
    await cut()
    await until(() => old.fault() === null, 'the connection is back')
    await t.rejects(old.write(takeBuildNumber), {
      code: 'STORE_FAILED',
      message: /another Caravan server has used the store meanwhile: restart this one/,
    })
  })

  t.test('a commit whose answer is lost is no success, and memory follows the rows', async (t) => {
    const direct = await backend.fresh(t)
    const url = cluster?.control ? cluster.url : null
    if (url === null) return t.pass('not ours to stand in front of')
    const proxy = await startProxy(t, url)
    const { ledger, store } = await openWithLedger(t, `${proxy.url}&schema=${schemaIn(direct)}`)
    const { slices } = await storeBuild(ledger, { slices: 2 })
    const places = slices.map(placeOf)
    const end = { kind: 'ended', epoch: 1, reason: 'oom', detail: '' } as const
    const seen: number[] = []
    ledger.onCommit((changed) => seen.push(changed.length))
    proxy.loseNextCommit()
    await t.rejects(ledger.record(places[0]!, end), {
      code: 'STORE_FAILED',
      detail: { outcome: 'unknown' },
    })
    t.equal(ledger.open.size, 2, 'nobody was told')
    await until(
      () =>
        ledger.catchUp().then(
          () => true,
          () => false,
        ),
      'the store is back',
    )
    t.equal(ledger.open.size, 1)
    t.strictSame(seen, [1], 'now they are')
    t.match(await readSlice(store.read, places[0]!), { reason: 'oom', version: 2 })
    t.equal(await ledger.record(places[0]!, end), null, 'once is enough')
  })

  t.test('a deadlock with somebody else is tried again', async (t) => {
    const url = await backend.fresh(t)
    const store = await open(t, url)
    let tries = 0
    await store.write(async (writer) => {
      tries += 1
      await takeBuildNumber(writer)
      if (tries === 1) throw Object.assign(new Error('deadlock detected'), { code: '40P01' })
    })
    t.equal(tries, 2)
    t.equal(await store.write(takeBuildNumber), 2)
  })

  t.test('a wrong password is not told to anybody', async (t) => {
    const url = 'postgres://caravan:open-sesame@127.0.0.1:1/nowhere'
    const failure = await openStore(url, deps).catch((cause: unknown) => cause)
    t.ok(isCaravanError(failure, 'STORE_FAILED'))
    t.match(failure, { message: /PostgreSQL at postgres:\/\/127\.0\.0\.1:1\/nowhere/ })
    t.notMatch(JSON.stringify(failure) + String(failure), /sesame/)
  })

  const control = cluster?.control ?? null
  t.test(
    'when PostgreSQL dies, nothing that was acknowledged is lost',
    { skip: control === null },
    async (t) => {
      const url = await backend.fresh(t)
      const { ledger, store } = await openWithLedger(t, url)
      const stored: string[] = []
      let number = 0
      const writeOn = async (): Promise<void> => {
        number += 1
        const { build } = await storeBuild(ledger, { build: { number } })
        stored.push(build.id)
        return writeOn()
      }
      const writers = Promise.allSettled(Array.from({ length: 8 }, writeOn))
      await until(() => stored.length >= 50, 'fifty builds')
      await control?.stop('immediate')
      await writers
      await t.rejects(findBuild(store.read, '1'), { code: 'STORE_FAILED' })
      await t.rejects(store.write(takeBuildNumber), { code: 'STORE_FAILED' })
      t.type(store.fault(), 'string', 'it says so')
      await control?.start()
      await until(() => store.write(takeBuildNumber).catch(() => null), 'the store is back')
      for (const id of stored) t.ok(await findBuild(store.read, id))
    },
  )
}

/** Ends the connections that write. */
async function cut(): Promise<void> {
  const writers = `application_name ~ '^caravan [0-9a-f]{16}$'`
  const sql = `select pg_terminate_backend(pid) from pg_stat_activity where ${writers}`
  await execute(cluster?.url ?? '', sql)
}

const schemaIn = (url: string) => new URL(url).searchParams.get('schema') ?? ''
