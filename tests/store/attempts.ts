/** Attempts at slices: how one ends and the next begins in the rows. */
import type { Test } from 'tap'
import { TestClock, systemRandom } from '../../src/platform/index.ts'
import { createChanges } from '../../src/scheduler/changes.ts'
import { createLedger, placeOf } from '../../src/scheduler/ledger.ts'
import {
  closeEarlierAttempt,
  findBuild,
  findNewerBuild,
  insertBuild,
  openStore,
  readEarlierAttempts,
  readNotices,
  readOpenEarlierAttempts,
  readSlice,
  type Store,
} from '../../src/scheduler/store/index.ts'
import { storeBuild } from '../scheduler/support/ledger.ts'
import { NOW_MS, aBuild, someTexts } from '../scheduler/support/rows.ts'
import { open, type TestBackend } from './backend.ts'

const RUNNING = {
  state: 'running',
  job_open: 1,
  job_modify_index: 7,
  allocation_id: 'a1',
  node_id: 'n1',
  node_name: 'worker-1',
  submitted_ms: NOW_MS,
  started_ms: NOW_MS,
} as const

const LOST = { kind: 'ended', epoch: 1, reason: 'node_lost', detail: 'it is down' } as const

async function withRetries(store: Store) {
  const changes = createChanges((cause) => {
    throw cause
  })
  const policy = { limit: 2, random: () => 0 }
  const ledger = createLedger({ store, clock: new TestClock(NOW_MS), changes, policy })
  await ledger.load()
  return ledger
}

export async function testAttempts(t: Test, backend: TestBackend): Promise<void> {
  t.test('the end of one attempt and the start of the next are one transaction', async (t) => {
    const store = await open(t, await backend.fresh(t))
    const ledger = await withRetries(store)
    const { build, slices } = await storeBuild(ledger, { slices: 3, slice: RUNNING })
    const places = slices.map(placeOf)
    // One of them is taken back as a whole.
    const failing = ledger.write(async (entry) => {
      await entry.record(places[1]!, LOST)
      throw new Error('changed my mind')
    })
    await t.rejects(failing)
    t.match(ledger.open.get(`${build.id}-1` as never)?.slice, { epoch: 1, state: 'running' })
    t.strictSame(await readEarlierAttempts(store.read, { build: build.id }), [])

    // Told many times at once, alone and together with others: it happens once.
    const told = await Promise.all([
      ...Array.from({ length: 5 }, () => ledger.record(places[0]!, LOST)),
      ledger.write((entry) => entry.record(places[0]!, LOST)),
    ])
    t.equal(told.filter((row) => row !== null).length, 1)
    t.match(await readSlice(store.read, places[0]!), {
      state: 'waiting_run',
      epoch: 2,
      retries: 1,
      due_ms: NOW_MS + 500,
      nomad_job_id: `${build.id}-0-build-acme-site-1-r2`,
      job_open: 0,
      allocation_id: null,
      started_ms: null,
    })
    const place = { build: build.id, index: 0 }
    t.match(await readEarlierAttempts(store.read, place), [
      {
        ...LOST,
        kind: undefined,
        nomad_job_id: slices[0]?.nomad_job_id,
        job_open: 1,
        node_id: 'n1',
      },
    ])
    t.match(await readNotices(store.read, build.id, 10), [{ text: /^node lost, tried again/ }])
    t.equal((await readNotices(store.read, build.id, 10)).length, 1)
    for (const other of places.slice(1)) await ledger.record(other, LOST)
    const begun = { state: 'running', started_ms: NOW_MS }
    t.match(await findBuild(store.read, build.id), begun, 'it has begun, though all wait now')
  })

  t.test('after a restart the attempts go on from the rows', async (t) => {
    const url = await backend.fresh(t)
    const before = await open(t, url)
    const { build, slices } = await storeBuild(await withRetries(before), { slice: RUNNING })
    const place = placeOf(slices[0]!)
    await (await withRetries(before)).record(place, LOST)
    await before.close()

    const store = await openStore(url, { nowMs: NOW_MS, random: systemRandom })
    t.teardown(() => store.close())
    const ledger = await withRetries(store)
    const [entry] = [...ledger.open]
    t.match(entry?.slice, { epoch: 2, retries: 1, due_ms: NOW_MS + 500 })
    t.equal(await ledger.record(place, LOST), null, 'the old epoch has no say any more')
    t.match(await readOpenEarlierAttempts(store.read, 10), [
      { build_id: build.id, epoch: 1, job_modify_index: 7 },
    ])
    await store.write((writer) => closeEarlierAttempt(writer, { ...place, epoch: 1 }))
    t.strictSame(await readOpenEarlierAttempts(store.read, 10), [])

    for (const epoch of [2, 3]) {
      await ledger.record(place, { kind: 'submitting', epoch, specHash: 'h' })
      await ledger.record(place, { ...LOST, epoch })
    }
    t.match(await readSlice(store.read, place), {
      state: 'infrastructure_failed',
      epoch: 3,
      retries: 2,
      detail: 'it is down (attempt 3 of 3)',
    })
    t.equal((await readEarlierAttempts(store.read, place)).length, 2)
    t.equal(ledger.open.ofJob(slices[0]!.nomad_job_id), undefined)
  })

  t.test('the newest build of a branch and job is found', async (t) => {
    const store = await open(t, await backend.fresh(t))
    const build = aBuild({ number: 5 })
    const others = [{ branch: 'b' }, { job: 'j' }, { repo: 'r' }, { org: 'o' }]
    const all = [build, aBuild({ number: 4 })]
    others.forEach((other, at) => all.push(aBuild({ ...other, number: 10 + at })))
    await store.write(async (writer) => {
      for (const each of all) await insertBuild(writer, each, someTexts())
    })
    t.equal(await findNewerBuild(store.read, build), null)
    await store.write(async (writer) => {
      for (const number of [6, 8]) await insertBuild(writer, aBuild({ number }), someTexts())
    })
    const rerun = aBuild({ number: 20, rerun_of: 4 })
    await store.write((writer) => insertBuild(writer, rerun, someTexts()))
    t.equal(await findNewerBuild(store.read, build), 8, 'a rerun is of an older commit')
  })
}
