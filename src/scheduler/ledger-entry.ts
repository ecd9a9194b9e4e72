/** A transaction of the ledger in the making: what it changed, and what follows from that. */
import {
  CaravanError,
  isResult,
  toBuildState,
  toSliceKey,
  type BuildId,
  type SliceKey,
  type SliceState,
} from '../model/index.ts'
import type { OpenSlices } from './open-slices.ts'
import type { Change } from './ports.ts'
import { applyFact, type SliceFact } from './slice-machine.ts'
import {
  findBuild,
  readReason,
  readSlice,
  readSliceStates,
  updateBuild,
  updateSlice,
  type AttemptRow,
  type BuildRow,
  type SlicePlace,
  type SliceRow,
  type Writer,
} from './store/index.ts'

/** What the work of a transaction may do. */
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

/** What there is to do after the commit. */
export interface Committed {
  readonly added: readonly { build: BuildRow; slices: readonly SliceRow[] }[]
  readonly attempts: readonly AttemptRow[]
  readonly changed: readonly SliceRow[]
  readonly announcements: readonly { build: BuildId; change: Change }[]
}

/** A row that changes again between each read and update: only a fault of the store can do that. */
const COMPARE_AND_SET_TRIES_MAX = 8

export class Entry implements LedgerEntry, Committed {
  readonly writer: Writer
  readonly added: { build: BuildRow; slices: readonly SliceRow[] }[] = []
  readonly attempts: AttemptRow[] = []
  readonly changed: SliceRow[] = []
  readonly announcements: { build: BuildId; change: Change }[] = []
  readonly #open: OpenSlices
  readonly #nowMs: number
  /** Rows as they are in this transaction. Nobody else writes until it is over. */
  readonly #rows = new Map<SliceKey, SliceRow>()
  /** Builds that may be in another state now. */
  readonly #touched = new Set<BuildId>()

  constructor(writer: Writer, open: OpenSlices, nowMs: number) {
    this.writer = writer
    this.#open = open
    this.#nowMs = nowMs
  }

  async record(place: SlicePlace, fact: SliceFact): Promise<SliceRow | null> {
    const key = toSliceKey(place.build, place.index)
    // What is in memory is mostly what is stored: then the update alone does, which checks that it is.
    let before = this.#rows.get(key) ?? this.#open.get(key)?.slice ?? null
    let isCertain = this.#rows.has(key)
    for (let tries = 0; tries < COMPARE_AND_SET_TRIES_MAX; tries++) {
      const change = before === null ? null : applyFact(before, fact, this.#nowMs)
      const row = before && change && (await updateSlice(this.writer, before, change))
      if (row && before) {
        this.#keep(key, before, row, fact)
        return row
      }
      if (isCertain && change === null) return null
      before = await readSlice(this.writer, place)
      isCertain = true
      if (before !== null) this.#rows.set(key, before)
    }
    throw new CaravanError('STORE_FAILED', 'a slice changed again before every try to change it')
  }

  opened(build: BuildRow, slices: readonly SliceRow[]): void {
    this.added.push({ build, slices })
    this.changed.push(...slices)
    this.#touched.add(build.id)
  }

  attempted(attempt: AttemptRow): void {
    this.attempts.push(attempt)
  }

  announce(build: BuildId, change: Change): void {
    this.announcements.push({ build, change })
  }

  /** Lets the builds follow their slices. */
  async finish(): Promise<void> {
    const refreshes = [...this.#touched].map(async (build) => {
      if (await refreshBuild(this.writer, build, this.#nowMs)) {
        this.announce(build, { kind: 'build' })
      }
    })
    await Promise.all(refreshes)
  }

  #keep(key: SliceKey, before: SliceRow, row: SliceRow, fact: SliceFact): void {
    this.#rows.set(key, row)
    this.changed.push(row)
    if (toPhase(before.state) !== toPhase(row.state)) this.#touched.add(row.build_id)
    if (fact.kind === 'job_closed') return
    this.announce(row.build_id, { kind: 'slice', slice: row.slice_index })
  }
}

/** A build is in another state only when one of its slices is in another of these. */
function toPhase(state: SliceState): 'waiting' | 'live' | 'over' {
  if (isResult(state)) return 'over'
  return state === 'waiting_usage' || state === 'waiting_run' ? 'waiting' : 'live'
}

/** @returns whether the build changed with its slices. */
async function refreshBuild(writer: Writer, id: BuildId, nowMs: number): Promise<boolean> {
  const [build, states] = await Promise.all([findBuild(writer, id), readSliceStates(writer, id)])
  if (build === null || isResult(build.state)) return false
  const state = toBuildState(states)
  if (state === build.state) return false
  const over = isResult(state)
  await updateBuild(writer, id, {
    state,
    ...(build.started_ms === null && state === 'running' ? { started_ms: nowMs } : {}),
    ...(over ? { finished_ms: nowMs, reason: await readReason(writer, id, state) } : {}),
  })
  return true
}
