import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import t from 'tap'
import { systemRandom } from '../../../src/platform/index.ts'
import {
  findBuild,
  insertBuild,
  insertNotice,
  insertSlices,
  listBuilds,
  openStore,
  readBuildTexts,
  readSlices,
  readSteps,
  saveStep,
  takeBuildNumber,
  updateSlice,
  type StepRow,
} from '../../../src/scheduler/store/index.ts'
import { NOW_MS, aBuild, aSlice, aSpec, someTexts } from '../support/rows.ts'

const deps = { nowMs: NOW_MS, random: systemRandom }

t.test('a store keeps its install id and its numbers over a restart', async (t) => {
  const file = join(t.testdir(), 'caravan.db')
  const first = await openStore(file, deps)
  t.match(first.installId, /^[0-9a-f]{16}$/)
  t.equal(await first.write(takeBuildNumber), 1)
  await t.rejects(
    first.write(async (writer) => {
      t.equal(await takeBuildNumber(writer), 2)
      throw new Error('the build was refused')
    }),
  )
  await first.close()

  const second = await openStore(file, deps)
  t.teardown(() => second.close())
  t.equal(second.installId, first.installId)
  t.equal(await second.write(takeBuildNumber), 2, 'a number that was taken back is given again')
})

t.test('a store of a newer version is refused', async (t) => {
  const file = join(t.testdir(), 'caravan.db')
  const store = await openStore(file, deps)
  await store.close()
  const database = new DatabaseSync(file)
  database.exec(`insert into kysely_migration values ('9999_from_the_future', '2026-01-01')`)
  database.close()
  await t.rejects(openStore(file, deps), {
    code: 'STORE_FAILED',
    message: /written by a newer version/,
  })
})

t.test('builds are found by id and by number, and listed newest first', async (t) => {
  const store = await openStore(':memory:', deps)
  t.teardown(() => store.close())
  const builds = [1, 2, 3].map((number) => aBuild({ number }))
  const texts = someTexts({ spec: aSpec({ name: 'lint' }), warnings: ['careful'] })
  await store.write(async (writer) => {
    for (const build of builds) await insertBuild(writer, build, texts)
  })
  t.strictSame({ ...(await findBuild(store.read, '2')) }, builds[1])
  t.strictSame({ ...(await findBuild(store.read, builds[2]!.id)) }, builds[2])
  t.equal(await findBuild(store.read, '4'), null)
  t.equal(await findBuild(store.read, 'main'), null)
  t.equal(await findBuild(store.read, '99999999999999999999'), null)
  const page = await listBuilds(store.read, { limit: 2 })
  t.strictSame(
    page.map((build) => build.number),
    [3, 2],
  )
  const rest = await listBuilds(store.read, { limit: 2, before: 2 })
  t.strictSame(
    rest.map((build) => build.number),
    [1],
  )
  t.strictSame(await readBuildTexts(store.read, builds[0]!.id), texts)
})

t.test('an update needs the state and version it was decided on', async (t) => {
  const store = await openStore(':memory:', deps)
  t.teardown(() => store.close())
  const build = aBuild({ parallelism: 1200 })
  const slices = Array.from({ length: 1200 }, (_, slice_index) => aSlice(build, { slice_index }))
  await store.write(async (writer) => {
    await insertBuild(writer, build, someTexts())
    await insertSlices(writer, slices)
  })
  const [before] = await readSlices(store.read, build.id)
  const change = { state: 'submitting' } as const
  const after = await store.write((writer) => updateSlice(writer, before!, change))
  t.match(after, { state: 'submitting', version: 2 })
  t.equal(await store.write((writer) => updateSlice(writer, before!, change)), null)
  t.equal((await readSlices(store.read, build.id)).length, 1200)
})

t.test('a step is one row however often it is told, notices are counted and bounded', async (t) => {
  const store = await openStore(':memory:', deps)
  t.teardown(() => store.close())
  const build = aBuild()
  const place = { build_id: build.id, slice_index: 0, epoch: 1 }
  const step: StepRow = {
    ...place,
    step_index: 0,
    attempt: 1,
    state: 'running',
    shell: '/bin/bash -eo pipefail',
    exit_code: null,
    signal: null,
    reason: null,
    started_ms: NOW_MS,
    finished_ms: null,
    duration_ms: null,
    output_length: null,
    output_sha256: null,
    output_dropped: 0,
    output_state: null,
  }
  const notice = { ...place, step_index: 0, at_ms: NOW_MS, text: 'slow disk' }
  await store.write(async (writer) => {
    await insertBuild(writer, build, someTexts())
    await saveStep(writer, step)
    await saveStep(writer, { ...step, state: 'succeeded', exit_code: 0 })
    t.equal(await insertNotice(writer, notice, 2), true)
    t.equal(await insertNotice(writer, notice, 2), true)
    t.equal(await insertNotice(writer, notice, 2), false)
  })
  const steps = await readSteps(store.read, { build: build.id, index: 0, epoch: 1 })
  t.strictSame(
    steps.map(({ state, exit_code }) => ({ state, exit_code })),
    [{ state: 'succeeded', exit_code: 0 }],
  )
})

t.test('a statement that fails names itself and keeps the store usable', async (t) => {
  const store = await openStore(':memory:', deps)
  t.teardown(() => store.close())
  const build = aBuild()
  await store.write((writer) => insertBuild(writer, build, someTexts()))
  await t.rejects(
    store.write((writer) => insertBuild(writer, build, someTexts())),
    { code: 'STORE_FAILED', detail: { sql: /insert into "builds"/ } },
  )
  t.equal(await store.write(takeBuildNumber), 1)
})

t.test('transactions take turns, in the order in which they were asked for', async (t) => {
  const store = await openStore(':memory:', deps)
  t.teardown(() => store.close())
  const order: string[] = []
  const work = (name: string) =>
    store.write(async (writer) => {
      order.push(`${name} begins`)
      await takeBuildNumber(writer)
      await new Promise((resolve) => setImmediate(resolve))
      order.push(`${name} ends`)
    })
  const failing = () => store.write(() => Promise.reject(new Error('no')))
  await Promise.all([
    work('one'),
    failing().catch(() => undefined),
    work('two'),
    findBuild(store.read, '1'),
    work('three'),
  ])
  const turns = ['one begins', 'one ends', 'two begins', 'two ends']
  t.strictSame(order, [...turns, 'three begins', 'three ends'])
})

t.test('whoever still waits when the store is closed is told so', async (t) => {
  const store = await openStore(':memory:', deps)
  const reads = Array.from({ length: 3 }, () => findBuild(store.read, '1'))
  const results = Promise.allSettled(reads)
  await store.close()
  await t.rejects(findBuild(store.read, '1'))
  t.equal((await results).length, 3, 'nobody waits for ever')
})
