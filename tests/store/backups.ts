/** A store as a backup, and back. Only the rows: files are the same on every backend. */
import { join } from 'node:path'
import type { Test } from 'tap'
import { systemRandom } from '../../src/platform/index.ts'
import { backUp } from '../../src/scheduler/backup/back-up.ts'
import { restore } from '../../src/scheduler/backup/restore.ts'
import { placeOf } from '../../src/scheduler/ledger.ts'
import {
  insertNotice,
  readBuildTexts,
  readSlices,
  saveStep,
  takeBuildNumber,
  type Store,
} from '../../src/scheduler/store/index.ts'
import { NOW_MS } from '../scheduler/support/rows.ts'
import { storeBuild } from '../scheduler/support/ledger.ts'
import { open, openWithLedger, sqliteBackend, type TestBackend } from './backend.ts'

export async function testBackups(t: Test, backend: TestBackend): Promise<void> {
  const sqlite = sqliteBackend()
  for (const [from, to] of [
    [backend, sqlite],
    [sqlite, backend],
  ] as const) {
    t.test(`a backup of ${from.name} is restored to ${to.name}`, async (t) => {
      const url = await from.fresh(t)
      const dir = t.testdir({ data: {}, other: {} })
      const { store, ledger } = await openWithLedger(t, url)
      await fill(ledger)
      const file = join(dir, 'caravan.backup')
      // The server of it runs on, and writes on: neither is noticed in the backup.
      const report = await backUp({ ...options(dir), storeUrl: url, file })
      const before = await dump(store)
      t.match(report, { builds: 3, slices: 1202 })
      await store.write(takeBuildNumber)

      const target = await to.fresh(t)
      const restored = await restore({
        storeUrl: target,
        dataDir: join(dir, 'other'),
        file,
        force: false,
        nowMs: NOW_MS + 1,
        random: systemRandom,
        takeKey: () => Promise.resolve(),
      })
      t.match(restored, { builds: 3, slices: 1202, install_id: store.installId })
      const again = await open(t, target)
      t.equal(again.installId, store.installId)
      t.equal(again.restoredMs, NOW_MS + 1)
      t.strictSame(await dump(again), before)
    })
  }
}

type Ledger = Awaited<ReturnType<typeof openWithLedger>>['ledger']

async function fill(ledger: Ledger): Promise<void> {
  const sizes = [1200, 1, 1]
  for (const [at, slices] of sizes.entries()) {
    await ledger.write((entry) => takeBuildNumber(entry.writer))
    const texts = { warnings: ['\u{1F69A}', 'it\'s \\ "quoted"'] }
    const stored = await storeBuild(ledger, { slices, build: { number: at + 1 }, texts })
    const place = { build_id: stored.build.id, slice_index: 0, epoch: 1 }
    const nothing = { shell: null, exit_code: null, signal: null, reason: null }
    const times = { started_ms: NOW_MS, finished_ms: null, duration_ms: null }
    const output = {
      output_length: 2 ** 40,
      output_sha256: '',
      output_dropped: 0,
      output_state: null,
    }
    await ledger.write(async ({ writer }) => {
      for (let step_index = 0; step_index < 12; step_index++) {
        const step = { ...place, step_index, attempt: 1, state: 'running' } as const
        await saveStep(writer, { ...step, ...nothing, ...times, ...output })
      }
      await insertNotice(writer, { ...place, step_index: null, at_ms: NOW_MS, text: 'slow' }, 9)
    })
    const [first] = stored.slices
    if (first) await ledger.record(placeOf(first), { kind: 'submitting', epoch: 1, specHash: 'h' })
  }
}

/** Everything that is in it, but for how often it was opened. */
async function dump(store: Store) {
  const { read } = store
  const builds = await read.selectFrom('builds').selectAll().orderBy('id').execute()
  const slices = await Promise.all(builds.map(({ id }) => readSlices(read, id)))
  const texts = await Promise.all(builds.map(({ id }) => readBuildTexts(read, id)))
  const steps = await read
    .selectFrom('steps')
    .selectAll()
    .orderBy('build_id')
    .orderBy('step_index')
    .execute()
  const notices = await read.selectFrom('notices').selectAll().orderBy('build_id').execute()
  return { builds, slices, texts, steps, notices }
}

const options = (dir: string) => ({
  dataDir: join(dir, 'data'),
  force: false,
  withOutput: false,
  withSources: false,
  masterKey: null,
  withMasterKey: false,
  version: '0.0.0',
  nowMs: NOW_MS,
  random: systemRandom,
})
