/** A transaction of the ledger in the making: what it changed, and what follows from that. */
import {
  CaravanError,
  isResult,
  toBuildState,
  toSliceKey,
  type BuildId,
  type BuildState,
  type Reason,
  type SliceKey,
  type SliceState,
} from '../model/index.ts'
import type { OpenSlices } from './open-slices.ts'
import type { Change } from './ports.ts'
import { describeRetry, settleEnd, type RetryPolicy, type SliceEnd } from './retries.ts'
import { applyFact, type SliceFact } from './slice-machine.ts'
import {
  findBuild,
  insertEarlierAttempt,
  insertNotice,
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
  readonly applied: readonly AppliedFact[]
  /** Builds in the state that they were seen in. */
  readonly states: ReadonlyMap<BuildId, BuildState>
}

/** A fact and what it made of a slice. */
export interface AppliedFact {
  readonly before: SliceRow
  readonly after: SliceRow
  readonly fact: SliceFact
}

/** A row that changes again between each read and update: only a fault of the store can do that. */
const COMPARE_AND_SET_TRIES_MAX = 8

export class Entry implements LedgerEntry, Committed {
  readonly writer: Writer
  readonly added: { build: BuildRow; slices: readonly SliceRow[] }[] = []
  readonly attempts: AttemptRow[] = []
  readonly changed: SliceRow[] = []
  readonly announcements: { build: BuildId; change: Change }[] = []
  readonly applied: AppliedFact[] = []
  readonly states = new Map<BuildId, BuildState>()
  readonly #open: OpenSlices
  readonly #policy: RetryPolicy
  readonly #nowMs: number
  /** Rows as they are in this transaction. Nobody else writes until it is over. */
  readonly #rows = new Map<SliceKey, SliceRow>()
  /** Builds that may be in another state now. */
  readonly #touched = new Set<BuildId>()

  constructor(writer: Writer, known: { open: OpenSlices; policy: RetryPolicy; nowMs: number }) {
    this.writer = writer
    this.#open = known.open
    this.#policy = known.policy
    this.#nowMs = known.nowMs
  }

  async record(place: SlicePlace, fact: SliceFact): Promise<SliceRow | null> {
    const key = toSliceKey(place.build, place.index)
    // What is in memory is mostly what is stored: then the update alone does, which checks that it is.
    let before = this.#rows.get(key) ?? this.#open.get(key)?.slice ?? null
    let isCertain = this.#rows.has(key)
    for (let tries = 0; tries < COMPARE_AND_SET_TRIES_MAX; tries++) {
      const settled = before === null ? fact : await this.#settle(before, fact)
      const change = before === null ? null : applyFact(before, settled, this.#nowMs)
      const row = before && change && (await updateSlice(this.writer, before, change))
      if (row && before) {
        this.#keep(key, before, row, settled)
        if (settled.kind === 'retried') await this.#keepAttempt(before, row, settled)
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
      const { state, isChanged } = await refreshBuild(this.writer, build, this.#nowMs)
      if (state !== null) this.states.set(build, state)
      if (isChanged) this.announce(build, { kind: 'build' })
    })
    await Promise.all(refreshes)
  }

  /** What the end of an epoch comes to: whoever tells of it need not know. */
  async #settle(slice: SliceRow, fact: SliceFact): Promise<SliceFact> {
    if (fact.kind !== 'ended' || fact.epoch !== slice.epoch || isResult(slice.state)) return fact
    const known = this.#open.get(toSliceKey(slice.build_id, slice.slice_index))?.build
    const build = known ?? (await findBuild(this.writer, slice.build_id))
    if (build === null) return fact
    const attempt = { build, slice, end: fact satisfies SliceEnd }
    return settleEnd(this.writer, attempt, { policy: this.#policy, nowMs: this.#nowMs })
  }

  async #keepAttempt(
    before: SliceRow,
    row: SliceRow,
    { reason, detail }: { reason: Reason; detail: string },
  ): Promise<void> {
    const end = { reason, detail, finished_ms: this.#nowMs }
    await insertEarlierAttempt(this.writer, before, end)
    const { build_id, slice_index, epoch } = before
    const text = describeRetry(end, row, this.#policy)
    const notice = { build_id, slice_index, epoch, step_index: null, at_ms: this.#nowMs, text }
    // However much its agent had to say: of these there are no more than attempts.
    await insertNotice(this.writer, notice, Infinity)
    this.announce(build_id, { kind: 'notice', slice: slice_index, text })
  }

  #keep(key: SliceKey, before: SliceRow, row: SliceRow, fact: SliceFact): void {
    this.#rows.set(key, row)
    this.changed.push(row)
    this.applied.push({ before, after: row, fact })
    const phase = toPhase(row.state)
    // Once it has begun, only an end makes anything else of it.
    const isMoved = phase === 'over' || !this.#open.isRunning(row.build_id)
    if (phase !== toPhase(before.state) && isMoved) this.#touched.add(row.build_id)
    if (fact.kind === 'job_closed') return
    this.announce(row.build_id, { kind: 'slice', slice: row.slice_index })
  }
}

/** A build is in another state only when one of its slices is in another of these. */
function toPhase(state: SliceState): 'waiting' | 'live' | 'over' {
  if (isResult(state)) return 'over'
  return state === 'waiting_usage' || state === 'waiting_run' ? 'waiting' : 'live'
}

/** Lets a build follow its slices. @returns its state now; null when there is no such build. */
async function refreshBuild(
  writer: Writer,
  id: BuildId,
  nowMs: number,
): Promise<{ state: BuildState | null; isChanged: boolean }> {
  const [build, states] = await Promise.all([findBuild(writer, id), readSliceStates(writer, id)])
  const before = build?.state ?? null
  if (build === null || isResult(build.state)) return { state: before, isChanged: false }
  const state = toBuildState(states)
  // It has begun: it stays so while its slices wait for another attempt.
  if (state === before || state === 'queued') return { state: before, isChanged: false }
  const over = isResult(state)
  await updateBuild(writer, id, {
    state,
    ...(build.started_ms === null && state === 'running' ? { started_ms: nowMs } : {}),
    ...(over ? { finished_ms: nowMs, reason: await readReason(writer, id, state) } : {}),
  })
  return { state, isChanged: true }
}
