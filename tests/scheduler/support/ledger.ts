/** A ledger on a real store, with a clock that stands still. */
import type { Test } from 'tap'
import { TestClock, systemRandom } from '../../../src/platform/index.ts'
import { createChanges } from '../../../src/scheduler/changes.ts'
import { createLedger, type Ledger } from '../../../src/scheduler/ledger.ts'
import {
  insertBuild,
  insertSlices,
  openStore,
  type BuildRow,
  type BuildTexts,
  type SliceRow,
} from '../../../src/scheduler/store/index.ts'
import { NOW_MS, aBuild, aSlice, someTexts } from './rows.ts'

export async function openLedger(t: Test, file: string) {
  const clock = new TestClock(NOW_MS)
  const store = await openStore(file, { nowMs: NOW_MS, random: systemRandom })
  t.teardown(() => store.close())
  const changes = createChanges((cause) => {
    throw cause
  })
  const ledger = createLedger({ store, clock, changes })
  await ledger.load()
  return { ledger, store, clock, changes }
}

/** Stores a build with this many slices, all alike. */
export async function storeBuild(
  ledger: Ledger,
  options: {
    slices?: number
    build?: Partial<BuildRow>
    slice?: Partial<SliceRow>
    texts?: Partial<BuildTexts>
  } = {},
): Promise<{ build: BuildRow; slices: SliceRow[] }> {
  const count = options.slices ?? 1
  const build = aBuild({ parallelism: count, ...options.build })
  const slices = Array.from({ length: count }, (_, slice_index) =>
    aSlice(build, { slice_index, ...options.slice }),
  )
  await ledger.write(async (entry) => {
    await insertBuild(entry.writer, build, someTexts(options.texts))
    await insertSlices(entry.writer, slices)
    entry.opened(build, slices)
  })
  return { build, slices }
}
