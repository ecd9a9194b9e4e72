/** How a backend behaves beside its rate: alone, with many, and towards the loop of its process. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { silentLog, systemRandom, type Clock } from '../../src/platform/index.ts'
import { openBackend } from '../../src/scheduler/store/backend.ts'
import { parseStoreUrl } from '../../src/scheduler/store/location.ts'
import { takeBuildNumber, type Store } from '../../src/scheduler/store/index.ts'
import { createWriteLane, type WriteLane } from '../../src/scheduler/store/write-lane.ts'
import type { Row } from '../harness/table.ts'
import { eachOf } from './life.ts'

const ALONE = 200
const MANY = 5000
const CONCURRENCY = 64

/** Transactions of the quiet hour: two hundred a second for two seconds. */
const STEADY = 400
const STEADY_PAUSE_MS = 5

/** In ms; the third one is what the store has. */
const WINDOWS = [0, 1, 5, 20]

export interface Gauge extends Row {
  'alone, ms': number
}

export async function gaugeOf(name: string, store: Store, clock: Clock): Promise<Gauge> {
  const startMs = clock.monotonic()
  for (let at = 0; at < ALONE; at++) await store.write(takeBuildNumber)
  const alone = (clock.monotonic() - startMs) / ALONE
  const lag = monitorEventLoopDelay({ resolution: 1 })
  lag.enable()
  for (let at = 0; at < STEADY; at++) {
    const pause = new Promise((resolve) => clock.after(STEADY_PAUSE_MS, () => resolve(null)))
    await Promise.all([store.write(takeBuildNumber), pause])
  }
  lag.disable()
  return {
    store: name,
    'alone, ms': alone,
    'loop p99, ms': lag.percentile(99) / 1e6,
    'loop max, ms': lag.max / 1e6,
  }
}

/** @param url of a store that nobody has open. @returns transactions a second, by window. */
export async function windowsOf(name: string, url: string, clock: Clock): Promise<Row> {
  const deps = { clock, random: systemRandom, log: silentLog }
  const backend = await openBackend(parseStoreUrl(url, ''), deps)
  try {
    const row: Record<string, string | number> = { store: name }
    for (const groupMs of WINDOWS) {
      const { dialect } = backend
      const lane = createWriteLane({ connect: () => backend.connect(), dialect, clock, groupMs })
      row[`${groupMs} ms`] = await rateOf(lane, clock)
      await lane.close()
    }
    return row
  } finally {
    await backend.close()
  }
}

async function rateOf(lane: WriteLane, clock: Clock): Promise<number> {
  const startMs = clock.monotonic()
  const items = Array.from({ length: MANY }, (_, at) => at)
  await eachOf(items, CONCURRENCY, async () => {
    await lane.write(takeBuildNumber)
  })
  return MANY / ((clock.monotonic() - startMs) / 1000)
}
