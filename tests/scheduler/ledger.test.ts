import { join } from 'node:path'
import t from 'tap'
import { isResult, toSliceKey, type Reason } from '../../src/model/index.ts'
import { placeOf } from '../../src/scheduler/ledger.ts'
import type { Change } from '../../src/scheduler/ports.ts'
import type { SliceFact } from '../../src/scheduler/slice-machine.ts'
import { findBuild, readSlice, readSlices } from '../../src/scheduler/store/index.ts'
import { openLedger, storeBuild } from './support/ledger.ts'

t.test('of many results at the same time one is kept, and told once', async (t) => {
  const { ledger } = await openLedger(t, join(t.testdir(), 'caravan.db'))
  const { build, slices } = await storeBuild(ledger, { slices: 3 })
  const told: Change[] = []
  t.teardown(ledger.changes.subscribe(build.id, (change) => told.push(change)))

  const reasons: Reason[] = ['succeeded', 'exit_code', 'node_lost', 'canceled_by_user', 'oom']
  const attempts = slices.flatMap((slice) =>
    reasons.map((reason) =>
      ledger.record(placeOf(slice), { kind: 'ended', epoch: 1, reason, detail: reason }),
    ),
  )
  const written = (await Promise.all(attempts)).filter((row) => row !== null)

  t.equal(written.length, 3)
  const rows = await readSlices(ledger.read, build.id)
  t.ok(rows.every((row) => row.version === 2 && row.reason === row.detail && isResult(row.state)))
  t.equal(told.filter((change) => change.kind === 'slice').length, 3)
  t.strictSame(told.at(-1), { kind: 'build' })
  t.equal(ledger.open.size, 0, 'nobody has to look at them any more')
})

t.test('the build follows its slices in the same commit', async (t) => {
  const { ledger, clock } = await openLedger(t, ':memory:')
  const { build, slices } = await storeBuild(ledger, { slices: 2 })
  const [first, second] = slices.map(placeOf)
  if (!first || !second) throw new Error('two slices')
  const state = async () => (await findBuild(ledger.read, String(build.number)))?.state

  t.equal(await state(), 'queued')
  await ledger.record(first, { kind: 'submitting', epoch: 1, specHash: 'h' })
  t.equal(await state(), 'running')
  await ledger.record(second, { kind: 'ended', epoch: 1, reason: 'exit_code', detail: '' })
  t.equal(await state(), 'running')
  await clock.tick(5000)
  await ledger.record(first, { kind: 'ended', epoch: 1, reason: 'vanished', detail: '' })
  t.match(await findBuild(ledger.read, build.id), {
    state: 'infrastructure_failed',
    reason: 'vanished',
    started_ms: build.created_ms,
    finished_ms: build.created_ms + 5000,
  })
})

t.test('what fails is taken back, and nobody hears of it', async (t) => {
  const { ledger } = await openLedger(t, ':memory:')
  const { build, slices } = await storeBuild(ledger)
  const place = placeOf(slices[0]!)
  const told: Change[] = []
  t.teardown(ledger.changes.subscribe(build.id, (change) => told.push(change)))
  await t.rejects(
    ledger.write(async (entry) => {
      await entry.record(place, { kind: 'ended', epoch: 1, reason: 'succeeded', detail: '' })
      throw new Error('changed my mind')
    }),
    { message: 'changed my mind' },
  )
  t.match(await readSlice(ledger.read, place), { state: 'waiting_run', version: 1 })
  t.equal(ledger.open.get(toSliceKey(build.id, 0))?.slice.version, 1)
  t.strictSame(told, [])
})

t.test('a slice stays open after its result until its Nomad job is closed', async (t) => {
  const file = join(t.testdir(), 'caravan.db')
  const { ledger } = await openLedger(t, file)
  const { slices } = await storeBuild(ledger)
  const place = placeOf(slices[0]!)
  const facts: SliceFact[] = [
    { kind: 'submitting', epoch: 1, specHash: 'h' },
    { kind: 'cancel', epoch: 1, reason: 'canceled_by_user' },
  ]
  for (const fact of facts) await ledger.record(place, fact)
  const job = slices[0]!.nomad_job_id
  t.match(ledger.open.ofJob(job)?.slice, { state: 'canceled', job_open: 1 })

  const again = await openLedger(t, file)
  t.match(again.ledger.open.ofJob(job)?.slice, { state: 'canceled', job_open: 1 })
  await again.ledger.record(place, { kind: 'job_closed', epoch: 1 })
  t.equal(again.ledger.open.ofJob(job), undefined)
})
