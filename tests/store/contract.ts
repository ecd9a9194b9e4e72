/** What every backend of the store has to do, told the same way to each. */
import type { Test } from 'tap'
import { isResult, type Reason } from '../../src/model/index.ts'
import { placeOf } from '../../src/scheduler/ledger.ts'
import {
  findBuild,
  insertBuild,
  insertNotice,
  insertSlices,
  listBuilds,
  readBuildTexts,
  readSlice,
  readSlices,
  readSteps,
  saveStep,
  takeBuildNumber,
  updateSlice,
} from '../../src/scheduler/store/index.ts'
import { NOW_MS, aBuild, aSlice, aSpec, someTexts } from '../scheduler/support/rows.ts'
import { storeBuild } from '../scheduler/support/ledger.ts'
import { testAttempts } from './attempts.ts'
import { open, openWithLedger, type TestBackend } from './backend.ts'
import { testBackups } from './backups.ts'
import { testCrashes } from './crash.ts'
import { testDurations } from './durations.ts'
import { testMigrations } from './migrating.ts'
import { testReports } from './reports.ts'

export function testContract(t: Test, backend: TestBackend): void {
  t.test('numbers and names', (t) => testNumbers(t, backend))
  t.test('transactions', (t) => testTransactions(t, backend))
  t.test('slices', (t) => testSlices(t, backend))
  t.test('texts', (t) => testTexts(t, backend))
  t.test('reports of agents', (t) => testReports(t, backend))
  t.test('attempts', (t) => testAttempts(t, backend))
  t.test('durations', (t) => testDurations(t, backend))
  t.test('migrations', (t) => testMigrations(t, backend))
  t.test('crashes', (t) => testCrashes(t, backend))
  t.test('backups', (t) => testBackups(t, backend))
}

async function testNumbers(t: Test, backend: TestBackend): Promise<void> {
  t.test('a store keeps its install id and its numbers when it is opened again', async (t) => {
    const url = await backend.fresh(t)
    const first = await open(t, url)
    t.match(first.installId, /^[0-9a-f]{16}$/)
    t.equal(await first.write(takeBuildNumber), 1)
    await first.close()
    const second = await open(t, url)
    t.equal(second.installId, first.installId)
    t.equal(await second.write(takeBuildNumber), 2)
  })

  t.test('build numbers are unique and without gaps, however many ask at once', async (t) => {
    const store = await open(t, await backend.fresh(t))
    const numbers = await Promise.all(
      Array.from({ length: 300 }, () => store.write(takeBuildNumber)),
    )
    const sorted = numbers.toSorted((a, b) => a - b)
    t.strictSame(
      sorted,
      Array.from({ length: 300 }, (_, at) => at + 1),
    )
  })

  t.test('builds are listed newest first, page by page, each once', async (t) => {
    const store = await open(t, await backend.fresh(t))
    await store.write(async (writer) => {
      // Stored in another order than they are numbered.
      for (let at = 0; at < 25; at++) {
        await insertBuild(writer, aBuild({ number: ((at * 7) % 25) + 1 }), someTexts())
      }
    })
    const seen: number[] = []
    for (let before = 100; ;) {
      const page = await listBuilds(store.read, { before, limit: 10 })
      seen.push(...page.map(({ number }) => number))
      if (page.length < 10) break
      before = page.at(-1)?.number ?? 0
    }
    t.strictSame(
      seen,
      Array.from({ length: 25 }, (_, at) => 25 - at),
    )
  })
}

export async function testTransactions(t: Test, backend: TestBackend): Promise<void> {
  t.test('one that fails takes back what it did, and nothing of its neighbours', async (t) => {
    const store = await open(t, await backend.fresh(t))
    const builds = Array.from({ length: 9 }, (_, at) => aBuild({ number: at + 1 }))
    const results = await Promise.allSettled(
      builds.map((build) =>
        store.write(async (writer) => {
          await insertBuild(writer, build, someTexts())
          if (build.number % 3 === 0) throw new Error('changed my mind')
        }),
      ),
    )
    t.equal(results.filter(({ status }) => status === 'rejected').length, 3)
    const kept = await listBuilds(store.read, { limit: 20 })
    t.strictSame(
      kept.map(({ number }) => number),
      [8, 7, 5, 4, 2, 1],
    )
  })

  t.test('a statement that fails fails its transaction, and names itself', async (t) => {
    const store = await open(t, await backend.fresh(t))
    const build = aBuild()
    await store.write((writer) => insertBuild(writer, build, someTexts()))
    const again = store.write(async (writer) => {
      await takeBuildNumber(writer)
      await insertBuild(writer, build, someTexts())
    })
    await t.rejects(again, { code: 'STORE_FAILED', detail: { sql: /insert into "builds"/ } })
    const orphan = aSlice(aBuild())
    await t.rejects(
      store.write((writer) => insertSlices(writer, [orphan])),
      { code: 'STORE_FAILED', detail: { sql: /insert into "slices"/ } },
      'a slice needs its build',
    )
    t.equal(await store.write(takeBuildNumber), 1, 'the number was taken back')
  })

  t.test(
    'they are one after the other: what one reads stays true until it has written',
    async (t) => {
      const store = await open(t, await backend.fresh(t))
      const build = aBuild()
      await store.write((writer) => insertBuild(writer, build, someTexts()))
      const notice = {
        build_id: build.id,
        slice_index: 0,
        epoch: 1,
        step_index: null,
        at_ms: NOW_MS,
      }
      const kept = await Promise.all(
        Array.from({ length: 60 }, (_, at) =>
          store.write((writer) => insertNotice(writer, { ...notice, text: `notice ${at}` }, 50)),
        ),
      )
      t.equal(kept.filter(Boolean).length, 50, 'each counted those before it')
    },
  )

  t.test('reads see what is committed, and nothing else', async (t) => {
    const store = await open(t, await backend.fresh(t))
    const build = aBuild()
    const writing = store.write(async (writer) => {
      await insertBuild(writer, build, someTexts())
      t.ok(await findBuild(writer, build.id), 'the transaction sees its own')
    })
    await writing
    t.ok(await findBuild(store.read, build.id), 'everybody sees it when the write has returned')
    await t.rejects(
      store.write(async (writer) => {
        await insertBuild(writer, aBuild({ number: 2 }), someTexts())
        throw new Error('changed my mind')
      }),
    )
    t.equal(await findBuild(store.read, '2'), null)
  })

  t.test('closing finishes what was begun, and takes nothing more', async (t) => {
    const url = await backend.fresh(t)
    const store = await open(t, url)
    const writes = Array.from({ length: 50 }, (_, at) =>
      store.write((writer) => insertBuild(writer, aBuild({ number: at + 1 }), someTexts())),
    )
    await store.close()
    await Promise.all(writes)
    await t.rejects(store.write(takeBuildNumber), { code: 'STORE_FAILED' })
    const again = await open(t, url)
    t.equal((await listBuilds(again.read, { limit: 100 })).length, 50)
  })
}

async function testSlices(t: Test, backend: TestBackend): Promise<void> {
  t.test('an update needs the state and version it was decided on', async (t) => {
    const store = await open(t, await backend.fresh(t))
    const build = aBuild({ parallelism: 2 })
    const slices = [0, 1].map((slice_index) => aSlice(build, { slice_index }))
    await store.write(async (writer) => {
      await insertBuild(writer, build, someTexts())
      await insertSlices(writer, slices)
    })
    const [before] = await readSlices(store.read, build.id)
    const change = { state: 'submitting', job_open: 1, submitted_ms: NOW_MS } as const
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () =>
        store.write((writer) => updateSlice(writer, before!, change)),
      ),
    )
    const done = outcomes.filter((row) => row !== null)
    t.equal(done.length, 1)
    t.match(done[0], { state: 'submitting', version: 2, submitted_ms: NOW_MS, slice_index: 0 })
    t.match(await readSlice(store.read, { build: build.id, index: 1 }), { version: 1 })
  })

  t.test('of many results at the same time the first is kept', async (t) => {
    const { store, ledger } = await openWithLedger(t, await backend.fresh(t))
    const { build, slices } = await storeBuild(ledger, { slices: 5 })
    const reasons: Reason[] = ['succeeded', 'exit_code', 'node_lost', 'canceled_by_user', 'oom']
    const attempts = slices.flatMap((slice) =>
      reasons.map((reason, at) => {
        const fact = { kind: 'ended' as const, epoch: 1, reason, detail: reason }
        // Alone, and inside a transaction of its own: both go the same way.
        if (at % 2 === 0) return ledger.record(placeOf(slice), fact)
        return ledger.write((entry) => entry.record(placeOf(slice), fact))
      }),
    )
    const written = (await Promise.all(attempts)).filter((row) => row !== null)
    t.equal(written.length, 5)
    const rows = await readSlices(store.read, build.id)
    t.ok(rows.every((row) => row.version === 2 && row.reason === row.detail))
    t.ok(isResult((await findBuild(store.read, build.id))?.state ?? ''))
  })

  t.test('ten thousand slices of one build go their way', async (t) => {
    const { store, ledger } = await openWithLedger(t, await backend.fresh(t))
    const { build, slices } = await storeBuild(ledger, { slices: 10_000 })
    t.equal((await readSlices(store.read, build.id)).length, 10_000)
    t.equal((await findBuild(store.read, build.id))?.state, 'queued')
    const end = { kind: 'ended', epoch: 1, reason: 'succeeded', detail: '' } as const
    const [last, ...others] = slices
    await Promise.all(others.map((slice) => ledger.record(placeOf(slice), end)))
    t.equal((await findBuild(store.read, build.id))?.state, 'running')
    await ledger.record(placeOf(last!), end)
    t.match(await findBuild(store.read, build.id), { state: 'succeeded', finished_ms: NOW_MS })
    t.equal(ledger.open.size, 0)
  })
}

async function testTexts(t: Test, backend: TestBackend): Promise<void> {
  t.test('texts come back as they were; what no backend can keep is marked', async (t) => {
    const store = await open(t, await backend.fresh(t))
    const branch = `"quoted" 'twice' \\ %_ ; -- \n\t \u{1F69A} \u4E2D\u6587 e\u0301 \u05D0\u05D1 \uFFFF`
    const build = aBuild({ branch, repo: 'nul \0 inside', job: 'half \uD83D of a pair' })
    const command = 'printf "\\0" \0 | tr -d "\u0001"'
    const steps = aSpec().steps.map((step) => ({ ...step, command }))
    const texts = someTexts({ spec: aSpec({ steps }) })
    await store.write((writer) => insertBuild(writer, build, texts))
    t.match(await findBuild(store.read, build.id), {
      branch,
      repo: 'nul \uFFFD inside',
      job: 'half \uFFFD of a pair',
    })
    t.strictSame(await readBuildTexts(store.read, build.id), texts, 'JSON keeps all of it')
  })

  t.test('texts may be large', async (t) => {
    const store = await open(t, await backend.fresh(t))
    const build = aBuild()
    const warnings = ['\u{1F69A}'.repeat(2 * 1024 * 1024), 'x'.repeat(8 * 1024 * 1024)]
    await store.write((writer) => insertBuild(writer, build, someTexts({ warnings })))
    t.ok(
      (await readBuildTexts(store.read, build.id)).warnings.every(
        (text, at) => text === warnings[at],
      ),
    )
  })

  t.test('numbers come back as numbers', async (t) => {
    const store = await open(t, await backend.fresh(t))
    const build = aBuild()
    const place = { build_id: build.id, slice_index: 0, epoch: 1 }
    const large = 2 ** 52 + 1
    const step = { ...place, step_index: 0, attempt: 1, state: 'succeeded', shell: null } as const
    const outcome = { exit_code: 137, signal: 'SIGKILL', reason: 'signal' } as const
    const times = { started_ms: NOW_MS, finished_ms: NOW_MS + 1, duration_ms: large }
    const output = {
      output_length: large,
      output_sha256: '',
      output_dropped: 0,
      output_state: null,
    }
    await store.write(async (writer) => {
      await insertBuild(writer, build, someTexts())
      await saveStep(writer, { ...step, ...outcome, ...times, ...output })
    })
    const [row] = await readSteps(store.read, { build: build.id, index: 0, epoch: 1 })
    t.match(row, { exit_code: 137, duration_ms: large, output_length: large, signal: 'SIGKILL' })
  })
}
