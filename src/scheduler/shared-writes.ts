/**
 * Transactions about one slice each, made as one.
 *
 * Nearly all that happens is about one slice, thousands of times a second. Whatever comes while other
 * transactions have their turn is done together: works about different slices can not get in each
 * other's way, so their statements go to the store side by side. What comes alone waits for nobody; what
 * comes right after another transaction waits a moment for company, since a transaction costs the same
 * whether it is about one slice or about many.
 */
import { CaravanError, isCaravanError, toSliceKey, type SliceKey } from '../model/index.ts'
import { sleep, type Clock } from '../platform/index.ts'
import type { LedgerEntry } from './ledger-entry.ts'
import type { SlicePlace } from './store/index.ts'

type Work<T> = (entry: LedgerEntry) => Promise<T>

/** A transaction that fails is lost as a whole, so it may not grow without end. */
const TOGETHER_MAX = 200

/** After a transaction the next one begins no sooner than after as long as it took, and this at most. */
const PAUSE_MAX_MS = 5

/** Far more than something about each slice of a large cluster. */
const WAITING_MAX = 50_000

interface Waiting {
  key: SliceKey
  work: Work<unknown>
  resolve: (value: unknown) => void
  reject: (cause: unknown) => void
}

/** @param write a transaction that nobody shares. */
export function createSharedWrites(write: <T>(work: Work<T>) => Promise<T>, clock: Clock) {
  const waiting: Waiting[] = []
  let hasTurn = false
  /** No turn before; monotonic. */
  let pauseToMs = Number.NEGATIVE_INFINITY

  const takeTurn = async (): Promise<void> => {
    hasTurn = true
    const pauseMs = pauseToMs - clock.monotonic()
    if (pauseMs > 0) await sleep(clock, pauseMs)
    const startedMs = clock.monotonic()
    const group: Waiting[] = []
    try {
      const values = await write((entry) => {
        // When the turn comes, not before; and the same ones if it has to be done once more.
        if (group.length === 0) group.push(...take())
        return runAll(entry, group)
      })
      group.forEach(({ resolve }, at) => resolve(values[at]))
    } catch (cause) {
      // Without a turn, because the store is away: those who wait would wait in vain.
      if (group.length === 0) group.push(...take())
      if (group.length === 1 || isOpen(cause)) group.forEach(({ reject }) => reject(cause))
      // Whose fault it was shows when each is on its own.
      else for (const each of group) write(each.work).then(each.resolve, each.reject)
    } finally {
      const endedMs = clock.monotonic()
      pauseToMs = endedMs + Math.min(endedMs - startedMs, PAUSE_MAX_MS)
      hasTurn = false
      if (waiting.length > 0) void takeTurn()
    }
  }

  /** One for each slice, each slice's in their order. */
  const take = (): Waiting[] => {
    const keys = new Set<SliceKey>()
    const group: Waiting[] = []
    for (const each of waiting.splice(0)) {
      const isNext = group.length < TOGETHER_MAX && !keys.has(each.key)
      if (isNext) group.push(each)
      else waiting.push(each)
      keys.add(each.key)
    }
    return group
  }

  return <T>(place: SlicePlace, work: Work<T>): Promise<T> => {
    if (waiting.length >= WAITING_MAX) {
      const message = `the store is overloaded: ${waiting.length} changes wait for their turn`
      return Promise.reject(new CaravanError('STORE_FAILED', message))
    }
    return new Promise<T>((resolve, reject) => {
      const key = toSliceKey(place.build, place.index)
      waiting.push({ key, work, resolve: resolve as Waiting['resolve'], reject })
      if (!hasTurn) void takeTurn()
    })
  }
}

/** Waits for all of them, also when one fails: the transaction is not over before. */
async function runAll(entry: LedgerEntry, group: readonly Waiting[]): Promise<unknown[]> {
  const outcomes = await Promise.allSettled(group.map(({ work }) => work(entry)))
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value
  })
}

/** It may have been kept: doing it once more could do it twice. */
function isOpen(cause: unknown): boolean {
  return isCaravanError(cause, 'STORE_FAILED') && cause.detail['outcome'] === 'unknown'
}
