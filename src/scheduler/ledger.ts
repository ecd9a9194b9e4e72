/**
 * The only place where a slice changes.
 *
 * Every change is a fact, applied to the stored row by compare-and-set inside a transaction. The build
 * follows from its slices in the same transaction. After the commit, and only then, the index in memory
 * is brought up to date, followers are told, and whoever reacts to changes is called.
 */
import {
  CaravanError,
  isResult,
  toBuildState,
  type BuildId,
  type SliceState,
} from '../model/index.ts'
import type { Clock } from '../platform/index.ts'
import type { Changes } from './changes.ts'
import { createOpenSlices, type OpenSlices } from './open-slices.ts'
import type { Change, ChangeFeed } from './ports.ts'
import { applyFact, type SliceFact } from './slice-machine.ts'
import {
  findBuild,
  hasLiveSlices,
  readReason,
  readSlice,
  readSliceStates,
  updateBuild,
  updateSlice,
  type AttemptRow,
  type BuildRow,
  type Reader,
  type SlicePlace,
  type SliceRow,
  type Store,
  type Writer,
} from './store/index.ts'

export interface Ledger {
  readonly read: Reader
  readonly open: OpenSlices
  readonly changes: ChangeFeed
  /** Fills the index from the rows. */
  load(): Promise<void>
  /** One transaction; see `Store.write` for what its work may await. */
  write<T>(work: (entry: LedgerEntry) => Promise<T>): Promise<T>
  /** A transaction of one fact. @returns the row after it, or null when it changed nothing. */
  record(place: SlicePlace, fact: SliceFact): Promise<SliceRow | null>
  /** Calls back with the slices of each commit. */
  onCommit(listener: (slices: readonly SliceRow[]) => void): void
}

/** A transaction in the making. */
export interface LedgerEntry {
  readonly writer: Writer
  /** @returns the row after the fact, or null when it changed nothing. */
  record(place: SlicePlace, fact: SliceFact): Promise<SliceRow | null>
  /** Tells the index of slices that were inserted. */
  opened(build: BuildRow, slices: readonly SliceRow[]): void
  /** Tells the index of an attempt that was written. */
  attempted(attempt: AttemptRow): void
  /** Tells followers, after the commit. */
  announce(build: BuildId, change: Change): void
}

/** A row that changes again between each read and update: only a fault of the store can do that. */
const COMPARE_AND_SET_TRIES_MAX = 8

export function createLedger(deps: { store: Store; clock: Clock; changes: Changes }): Ledger {
  const { store, clock, changes } = deps
  const open = createOpenSlices()
  const listeners: ((slices: readonly SliceRow[]) => void)[] = []

  const write = async <T>(work: (entry: LedgerEntry) => Promise<T>): Promise<T> => {
    const after: (() => void)[] = []
    const changed: SliceRow[] = []
    const announcements: { build: BuildId; change: Change }[] = []
    const touched = new Set<BuildId>()
    const result = await store.write(async (writer) => {
      const entry: LedgerEntry = {
        writer,
        async record(place, fact) {
          const row = await recordFact(writer, place, fact, clock.now())
          if (row === null) return null
          changed.push(row)
          if (fact.kind === 'job_closed') return row
          if (movesBuild(row.state)) touched.add(place.build)
          entry.announce(place.build, { kind: 'slice', slice: place.index })
          return row
        },
        opened(build, slices) {
          after.push(() => slices.forEach((slice) => open.add(build, slice)))
          changed.push(...slices)
          touched.add(build.id)
        },
        attempted: (attempt) => after.push(() => open.setAttempt(attempt)),
        announce: (build, change) => announcements.push({ build, change }),
      }
      const value = await work(entry)
      for (const build of touched) {
        if (await refreshBuild(writer, build, clock.now())) {
          entry.announce(build, { kind: 'build' })
        }
      }
      return value
    })
    for (const run of after) run()
    for (const row of changed) open.update(row)
    for (const { build, change } of announcements) changes.announce(build, change)
    for (const listener of listeners) listener(changed)
    return result
  }

  return {
    read: store.read,
    open,
    changes,
    load: () => open.load(store.read),
    write,
    record: (place, fact) => write((entry) => entry.record(place, fact)),
    onCommit: (listener) => listeners.push(listener),
  }
}

/** The place of a row's slice. */
export function placeOf(row: { build_id: BuildId; slice_index: number }): SlicePlace {
  return { build: row.build_id, index: row.slice_index }
}

async function recordFact(
  writer: Writer,
  place: SlicePlace,
  fact: SliceFact,
  nowMs: number,
): Promise<SliceRow | null> {
  for (let tries = 0; tries < COMPARE_AND_SET_TRIES_MAX; tries++) {
    const before = await readSlice(writer, place)
    const change = before === null ? null : applyFact(before, fact, nowMs)
    if (before === null || change === null) return null
    const row = await updateSlice(writer, before, change)
    if (row !== null) return row
  }
  throw new CaravanError('STORE_FAILED', 'a slice changed again before every try to change it')
}

/** A build changes when a slice leaves the queue, and when one is over. */
function movesBuild(state: SliceState): boolean {
  return state === 'submitting' || isResult(state)
}

/** @returns whether the build changed with its slices. */
async function refreshBuild(writer: Writer, id: BuildId, nowMs: number): Promise<boolean> {
  const build = await findBuild(writer, id)
  if (build === null || isResult(build.state)) return false
  if (build.state === 'running' && (await hasLiveSlices(writer, id))) return false
  const state = toBuildState(await readSliceStates(writer, id))
  if (state === build.state) return false
  const over = isResult(state)
  await updateBuild(writer, id, {
    state,
    ...(build.started_ms === null && state === 'running' ? { started_ms: nowMs } : {}),
    ...(over ? { finished_ms: nowMs, reason: await readReason(writer, id, state) } : {}),
  })
  return true
}
