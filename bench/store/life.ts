/** What the scheduler writes about slices, from the accepted build on, as it writes it. */
import type { Clock } from '../../src/platform/index.ts'
import { createChanges } from '../../src/scheduler/changes.ts'
import { createLedger, placeOf, type Ledger } from '../../src/scheduler/ledger.ts'
import type { SliceFact } from '../../src/scheduler/slice-machine.ts'
import {
  insertAttempt,
  insertBuild,
  insertSlices,
  readAttempt,
  readSlice,
  readSteps,
  saveStep,
  takeBuildNumber,
  updateAttempt,
  type AttemptRow,
  type SliceRow,
  type StepRow,
  type Store,
} from '../../src/scheduler/store/index.ts'
import { aBuild, aSlice, someTexts } from '../../tests/scheduler/support/rows.ts'

/** Rows written for one slice: its own once and eight times more, its attempt, and its step. */
export const ROWS_PER_LIFE = 1 + 8 + 3 + 3

/** Transactions of one life, the tenth of its build's included. */
export const TRANSACTIONS_PER_LIFE = 10

const SLICES_PER_BUILD = 10

export function createLives(store: Store, clock: Clock) {
  const changes = createChanges((cause) => {
    throw cause
  })
  const ledger = createLedger({ store, clock, changes })
  return {
    /** Builds come one after the other, as people send them. */
    async accept(slices: number): Promise<SliceRow[]> {
      const all: SliceRow[] = []
      while (all.length < slices) all.push(...(await acceptBuild(ledger)))
      return all
    },
    /** What is written until the job of the slice is registered. */
    submit: (slice: SliceRow) => submit(ledger, slice),
    /** What is written from then on. */
    finish: (slice: SliceRow) => finish(ledger, slice),
  }
}

/** Calls back with each, so many at the same time. */
export async function eachOf<T>(
  items: readonly T[],
  concurrency: number,
  run: (item: T) => Promise<void>,
): Promise<void> {
  const left = items.values()
  const work = async (): Promise<void> => {
    for (const item of left) await run(item)
  }
  await Promise.all(Array.from({ length: concurrency }, work))
}

function acceptBuild(ledger: Ledger): Promise<SliceRow[]> {
  return ledger.write(async (entry) => {
    const number = await takeBuildNumber(entry.writer)
    const build = aBuild({ number, parallelism: SLICES_PER_BUILD })
    const slices = Array.from({ length: SLICES_PER_BUILD }, (_, slice_index) =>
      aSlice(build, { slice_index }),
    )
    await insertBuild(entry.writer, build, someTexts())
    await insertSlices(entry.writer, slices)
    entry.opened(build, slices)
    return slices
  })
}

type Fact = SliceFact extends infer Each
  ? Each extends unknown
    ? Omit<Each, 'epoch'>
    : never
  : never

async function record(ledger: Ledger, slice: SliceRow, fact: Fact): Promise<void> {
  const row = await ledger.record(placeOf(slice), { ...fact, epoch: 1 })
  if (row === null) throw new Error(`${fact.kind} changed nothing`)
}

async function submit(ledger: Ledger, slice: SliceRow): Promise<void> {
  await record(ledger, slice, { kind: 'submitting', specHash: 'a'.repeat(64) })
  await record(ledger, slice, { kind: 'registered', jobModifyIndex: 42 })
}

async function finish(ledger: Ledger, slice: SliceRow): Promise<void> {
  const node = { nodeId: 'n'.repeat(36), nodeName: 'worker-1' }
  await record(ledger, slice, { kind: 'placed', allocationId: 'a'.repeat(36), ...node })
  await claim(ledger, slice)
  await record(ledger, slice, { kind: 'accepted' })
  await tell(ledger, slice, { state: 'running', started_ms: 1 })
  await tell(ledger, slice, { state: 'succeeded', finished_ms: 2, exit_code: 0 })
  await deliver(ledger, slice)
  await record(ledger, slice, { kind: 'job_closed' })
}

function claim(ledger: Ledger, slice: SliceRow): Promise<void> {
  return ledger.write(async (entry) => {
    const claimed = await entry.record(placeOf(slice), { kind: 'claimed', epoch: 1 })
    const { build_id, slice_index } = slice
    const attempt = { ...ATTEMPT, build_id, slice_index }
    if (claimed === null || !(await insertAttempt(entry.writer, attempt)))
      throw new Error('claimed')
    entry.attempted(attempt)
  }, placeOf(slice))
}

/** A batch of events, the last one with the agent's report. */
function tell(ledger: Ledger, slice: SliceRow, change: Partial<StepRow>): Promise<void> {
  return ledger.write(async (entry) => {
    const place = { ...placeOf(slice), epoch: 1 }
    const row = await readSlice(entry.writer, place)
    const attempt = await readAttempt(entry.writer, place)
    await readSteps(entry.writer, place)
    if (row === null || attempt === null) throw new Error('the slice is gone')
    await saveStep(entry.writer, { ...aStep(slice), ...change })
    if (change.state !== 'running') await entry.record(place, { kind: 'reported', epoch: 1 })
    await updateAttempt(entry.writer, place, { events_applied: attempt.events_applied + 1 })
  }, placeOf(slice))
}

function deliver(ledger: Ledger, slice: SliceRow): Promise<void> {
  return ledger.write(async (entry) => {
    await saveStep(entry.writer, { ...aStep(slice), state: 'succeeded', output_state: 'complete' })
    const end = { kind: 'ended', epoch: 1, reason: 'succeeded', detail: '' } as const
    await entry.record(placeOf(slice), end)
  }, placeOf(slice))
}

const ATTEMPT: Omit<AttemptRow, 'build_id' | 'slice_index'> = {
  epoch: 1,
  claim_id: 'c'.repeat(32),
  session_hash: 'f'.repeat(64),
  agent_version: '0.1.0',
  allocation_id: 'a'.repeat(36),
  claimed_ms: 1,
  events_applied: 0,
  reported_reason: null,
  reported_detail: '',
}

function aStep({ build_id, slice_index }: SliceRow): StepRow {
  return {
    build_id,
    slice_index,
    epoch: 1,
    step_index: 0,
    attempt: 1,
    state: 'running',
    shell: '/bin/bash -eo pipefail',
    exit_code: null,
    signal: null,
    reason: null,
    started_ms: 1,
    finished_ms: null,
    duration_ms: null,
    output_length: 100,
    output_sha256: 'e'.repeat(64),
    output_dropped: 0,
    output_state: null,
  }
}
