/**
 * The only place where a slice changes.
 *
 * Every change is a fact, applied to the stored row by compare-and-set inside a transaction. The build
 * follows from its slices in the same transaction. After the commit, and only then, the index in memory
 * is brought up to date, followers are told, and whoever reacts to changes is called.
 */
import { isCaravanError, type BuildId } from '../model/index.ts'
import type { Clock } from '../platform/index.ts'
import type { Changes } from './changes.ts'
import { Entry, type AppliedFact, type Committed, type LedgerEntry } from './ledger-entry.ts'
import { createOpenSlices, type OpenSlices } from './open-slices.ts'
import type { ChangeFeed } from './ports.ts'
import type { RetryPolicy } from './retries.ts'
import { createSharedWrites } from './shared-writes.ts'
import type { SliceFact } from './slice-machine.ts'
import type { Reader, SlicePlace, SliceRow, Store } from './store/index.ts'

export type { AppliedFact, LedgerEntry } from './ledger-entry.ts'

export interface Ledger {
  readonly read: Reader
  readonly open: OpenSlices
  readonly changes: ChangeFeed
  /** Fills the index from the rows. */
  load(): Promise<void>
  /**
   * One transaction; see `Store.write` for what its work may await and do.
   *
   * @param only the slice that all of it is about. It may then be done together with works about other
   * slices, which makes many of them an order of magnitude cheaper.
   */
  write<T>(work: (entry: LedgerEntry) => Promise<T>, only?: SlicePlace): Promise<T>
  /** A transaction for this fact. @returns the row after it, or null when it changed nothing. */
  record(place: SlicePlace, fact: SliceFact): Promise<SliceRow | null>
  /** Brings the index in step with the rows again, after a commit of which nobody knows whether it was. */
  catchUp(): Promise<void>
  /** Calls back with the slices of each commit. */
  onCommit(listener: (slices: readonly SliceRow[]) => void): void
  /** Calls back with each fact that changed a slice, after its commit and before the index has it. */
  onFact(listener: (applied: AppliedFact) => void): void
}

/** Whoever does not say how often slices are tried again does not want it. */
const NO_RETRIES: RetryPolicy = { limit: 0, random: () => 0 }

export function createLedger(deps: {
  store: Store
  clock: Clock
  changes: Changes
  policy?: RetryPolicy
}): Ledger {
  const { store, clock, changes, policy = NO_RETRIES } = deps
  const open = createOpenSlices()
  const listeners: ((slices: readonly SliceRow[]) => void)[] = []
  const factListeners: ((applied: AppliedFact) => void)[] = []
  let isBehind = false

  const tell = (committed: Committed): void => {
    const { added, attempts, changed, announcements, applied } = committed
    for (const [build, state] of committed.states) open.setBuildState(build, state)
    for (const { build, slices } of added) slices.forEach((slice) => open.add(build, slice))
    for (const fact of applied) for (const listener of factListeners) listener(fact)
    for (const attempt of attempts) open.setAttempt(attempt)
    for (const row of changed) open.update(row)
    for (const { build, change } of announcements) changes.announce(build, change)
    for (const listener of listeners) listener(changed)
  }

  const write = async <T>(work: (entry: LedgerEntry) => Promise<T>): Promise<T> => {
    try {
      const { entry, value } = await store.write(async (writer) => {
        const making = new Entry(writer, { open, policy, nowMs: clock.now() })
        const done = await work(making)
        await making.finish()
        return { entry: making, value: done }
      })
      tell(entry)
      return value
    } catch (cause) {
      if (isCaravanError(cause, 'STORE_FAILED') && cause.detail['outcome'] === 'unknown') {
        isBehind = true
      }
      throw cause
    }
  }

  const share = createSharedWrites(write, clock)

  return {
    read: store.read,
    open,
    changes,
    load: () => open.load(store.read),
    write: (work, only) => (only === undefined ? write(work) : share(only, work)),
    record: (place, fact) => share(place, (entry) => entry.record(place, fact)),
    async catchUp() {
      if (!isBehind) return
      isBehind = false
      try {
        // In a transaction: nothing is committed between the reading and what is made of it.
        const rows = await store.write((writer) => open.read(writer))
        const changed = open.merge(rows)
        const announcements = changed.flatMap(({ build_id: build, slice_index: slice }) => [
          { build, change: { kind: 'slice' as const, slice } },
          { build, change: { kind: 'build' as const } },
        ])
        tell({ added: [], attempts: [], changed, announcements, applied: [], states: new Map() })
      } catch (cause) {
        isBehind = true
        throw cause
      }
    },
    onCommit: (listener) => listeners.push(listener),
    onFact: (listener) => factListeners.push(listener),
  }
}

/** The place of a row's slice. */
export function placeOf(row: { build_id: BuildId; slice_index: number }): SlicePlace {
  return { build: row.build_id, index: row.slice_index }
}
