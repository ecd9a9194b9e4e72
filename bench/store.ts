/** A slice's life in rows, on every backend, against how fast Nomad takes jobs. */
import { join } from 'node:path'
import { silentLog, systemRandom, type Clock } from '../src/platform/index.ts'
import { openStore, type Store } from '../src/scheduler/store/index.ts'
import { execute, startCluster } from '../tests/store/cluster.ts'
import type { Bench, BenchContext, BenchResult } from './harness/bench.ts'
import type { Samples } from './harness/samples.ts'
import { gaugeOf, windowsOf, type Gauge } from './store/gauge.ts'
import { createLives, eachOf, ROWS_PER_LIFE, TRANSACTIONS_PER_LIFE } from './store/life.ts'
import { startRegister } from './store/register.ts'

const SLICES = 1000
const JOBS = 1000
const ROUNDS = 5
/** Agents that report and jobs that are watched, at the same time. */
const CONCURRENCY = 64

export const store: Bench = {
  name: 'store',
  against: 'a bare loop that registers jobs with the embedded engine',
  reach: 'rows of a submission at least as fast: never the bound; the aim is ten times `submit`',
  async run(context) {
    const { clock, dir, note } = context
    const cluster = await startCluster()
    if (cluster === null) note('no PostgreSQL on this machine: SQLite alone is measured')
    const postgres = cluster === null ? null : withSchema(cluster.url)
    const urls: Record<string, string> = {
      sqlite: `sqlite:${join(dir, 'normal.db')}`,
      sqlite_full: `sqlite:${join(dir, 'full.db')}?synchronous=full`,
      ...(postgres === null ? {} : { postgres }),
    }
    const register = await startRegister(join(dir, 'nomad'), clock)
    try {
      return await measure(context, urls, () => register.measure(JOBS))
    } finally {
      await register.close()
      if (cluster !== null) await execute(cluster.url, `drop schema if exists ${SCHEMA} cascade`)
      await cluster?.close()
    }
  },
}

const SCHEMA = 'caravan_bench'

function withSchema(url: string): string {
  return `${url}${url.includes('?') ? '&' : '?'}schema=${SCHEMA}`
}

async function measure(
  { clock, interleave, note, table }: BenchContext,
  urls: Readonly<Record<string, string>>,
  register: () => Promise<number>,
): Promise<BenchResult> {
  const stores = new Map<string, Store>()
  try {
    const contenders: Record<string, () => Promise<number>> = { register }
    for (const [name, url] of Object.entries(urls)) {
      const deps = { nowMs: clock.now(), random: systemRandom, log: silentLog }
      const opened = await openStore(url, deps)
      stores.set(name, opened)
      Object.assign(contenders, runsOf(name, opened, clock))
    }
    note(`${SLICES} slices at a time, ${CONCURRENCY} at once, in builds of 10`)
    note(`a life is ${TRANSACTIONS_PER_LIFE} transactions and ${ROWS_PER_LIFE} rows`)
    const rates = await interleave(contenders, { rounds: ROUNDS, warmups: 1, unit: 'slices/s' })
    const gauges: Gauge[] = []
    for (const [name, each] of stores) gauges.push(await gaugeOf(name, each, clock))
    table(gauges)
    for (const each of stores.values()) await each.close()
    note('transactions/s of 64 writers, by how long a commit waits for company:')
    const windows = []
    for (const [name, url] of Object.entries(urls)) windows.push(await windowsOf(name, url, clock))
    table(windows)
    return toResult([...stores.keys()], rates, gauges)
  } finally {
    for (const each of stores.values()) await each.close()
  }
}

function runsOf(name: string, each: Store, clock: Clock): Record<string, () => Promise<number>> {
  const lives = createLives(each, clock)
  const perSecond = (startMs: number) => SLICES / ((clock.monotonic() - startMs) / 1000)
  return {
    async [`${name}: submission`]() {
      const startMs = clock.monotonic()
      await eachOf(await lives.accept(SLICES), CONCURRENCY, (slice) => lives.submit(slice))
      return perSecond(startMs)
    },
    async [`${name}: life`]() {
      const startMs = clock.monotonic()
      await eachOf(await lives.accept(SLICES), CONCURRENCY, async (slice) => {
        await lives.submit(slice)
        await lives.finish(slice)
      })
      return perSecond(startMs)
    },
  }
}

function toResult(
  names: readonly string[],
  rates: Readonly<Record<string, Samples>>,
  gauges: readonly Gauge[],
): BenchResult {
  const rateOf = (name: string): Samples => {
    const samples = rates[name]
    if (samples === undefined) throw new Error(`${name} was not measured`)
    return samples
  }
  const register = rateOf('register')
  const missed: string[] = []
  const figures: Record<string, number> = { register_per_s: register.median }
  const ratios = names.map((name, at) => {
    const life = rateOf(`${name}: life`)
    const submission = rateOf(`${name}: submission`)
    const times = submission.ratioTo(register)
    figures[`${name}_times`] = times
    figures[`${name}_submissions_per_s`] = submission.median
    figures[`${name}_lives_per_s`] = life.median
    figures[`${name}_rows_per_s`] = life.median * ROWS_PER_LIFE
    figures[`${name}_commit_ms`] = gauges[at]?.['alone, ms'] ?? Number.NaN
    if (times < 1)
      missed.push(`${name}: rows of a submission at ${times.toFixed(2)} times the rate`)
    return times
  })
  return { ratio: Math.min(...ratios), missed, figures }
}
