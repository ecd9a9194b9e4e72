/**
 * Facts that come at the same time go into the same transaction.
 *
 * Most of what happens to slices is one fact at a time, and thousands of them a second. Whatever comes
 * while other transactions have their turn is written together, its statements one right after the
 * other; a fact alone waits for nobody.
 */
import { CaravanError, toSliceKey, type SliceKey } from '../model/index.ts'
import type { Ledger, LedgerEntry } from './ledger.ts'
import type { SliceFact } from './slice-machine.ts'
import type { SlicePlace, SliceRow } from './store/index.ts'

/** A transaction that fails is lost as a whole, so it may not grow without end. */
const BATCH_MAX = 200

/** Far more than one fact of each slice of a large cluster. */
const WAITING_MAX = 50_000

interface Waiting {
  place: SlicePlace
  fact: SliceFact
  resolve: (row: SliceRow | null) => void
  reject: (cause: unknown) => void
}

export function createFactBatch(write: Ledger['write']): Ledger['record'] {
  const waiting: Waiting[] = []
  let hasTurn = false

  const takeTurn = async (): Promise<void> => {
    hasTurn = true
    const batch: Waiting[] = []
    try {
      const rows = await write((entry) => {
        // When the turn comes, not before; and the same ones if it has to be done once more.
        if (batch.length === 0) batch.push(...take())
        return recordAll(entry, batch)
      })
      batch.forEach(({ resolve }, at) => resolve(rows[at] ?? null))
    } catch (cause) {
      // Without a turn, because the store is away: those who wait would wait in vain.
      for (const { reject } of batch.length === 0 ? take() : batch) reject(cause)
    }
  }

  /** One fact for each slice, each slice's in their order. */
  const take = (): Waiting[] => {
    const keys = new Set<SliceKey>()
    const batch: Waiting[] = []
    for (const each of waiting.splice(0)) {
      const key = toSliceKey(each.place.build, each.place.index)
      const isNext = batch.length < BATCH_MAX && !keys.has(key)
      if (isNext) batch.push(each)
      else waiting.push(each)
      keys.add(key)
    }
    hasTurn = false
    if (waiting.length > 0) void takeTurn()
    return batch
  }

  return (place, fact) => {
    if (waiting.length >= WAITING_MAX) {
      const message = `the store is overloaded: ${waiting.length} changes wait for their turn`
      return Promise.reject(new CaravanError('STORE_FAILED', message))
    }
    return new Promise((resolve, reject) => {
      waiting.push({ place, fact, resolve, reject })
      if (!hasTurn) void takeTurn()
    })
  }
}

function recordAll(entry: LedgerEntry, batch: readonly Waiting[]): Promise<(SliceRow | null)[]> {
  return Promise.all(batch.map(({ place, fact }) => entry.record(place, fact)))
}
