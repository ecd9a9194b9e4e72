/** Runs one bench by its name and tells how it went: a table for people, a last line for scripts. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../../src/platform/index.ts'
import type { Bench, BenchContext, BenchResult, Figure } from './bench.ts'
import { interleave } from './samples.ts'
import { formatTable, round } from './table.ts'

export interface RunOptions {
  benches: readonly Bench[]
  clock: Clock
  /** Takes whole lines. */
  stdout: (line: string) => void
  stderr: (line: string) => void
  /** Aborts when whoever runs it has seen enough: the process must end then, which ends the rest. */
  signal?: AbortSignal
}

/** As the command line has them: a missed reach is no broken bench. */
export const BENCH_EXIT = { ok: 0, missed: 1, usage: 2, broken: 3, interrupted: 130 } as const

/**
 * @param args the name of a bench; without one, the benches are listed.
 * @returns one of BENCH_EXIT.
 */
export async function runBench(args: readonly string[], options: RunOptions): Promise<number> {
  const { benches, stdout, stderr } = options
  const [name, ...more] = args
  if (name === undefined) {
    for (const line of listBenches(benches)) stdout(line)
    return BENCH_EXIT.ok
  }
  const bench = benches.find((each) => each.name === name)
  if (bench === undefined || more.length > 0) {
    stderr(bench ? 'one bench at a time' : `there is no bench \`${name}\`; there are:`)
    for (const line of listBenches(benches)) stderr(line)
    return BENCH_EXIT.usage
  }
  const dir = await mkdtemp(join(tmpdir(), `caravan-bench-${bench.name}-`))
  try {
    stdout(`${bench.name}: measured against ${bench.against}; reach: ${bench.reach}`)
    const result = await orAborted(bench.run(createContext(dir, options)), options.signal)
    return tell(bench, result, stdout)
  } catch (cause) {
    if (options.signal?.aborted) return BENCH_EXIT.interrupted
    stderr(`the bench ${bench.name} could not be run: ${describe(cause)}`)
    return BENCH_EXIT.broken
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function orAborted<T>(running: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await running
  const aborted = new Promise<never>((_resolve, reject) => {
    const give = () => reject(signal.reason as Error)
    if (signal.aborted) give()
    else signal.addEventListener('abort', give, { once: true })
  })
  return await Promise.race([running, aborted])
}

function listBenches(benches: readonly Bench[]): string[] {
  return formatTable(benches.map(({ name, against, reach }) => ({ name, against, reach })))
}

function createContext(dir: string, { clock, stdout }: RunOptions): BenchContext {
  const table: BenchContext['table'] = (rows) => {
    for (const line of formatTable(rows)) stdout(line)
  }
  return {
    clock,
    dir,
    table,
    note: stdout,
    async interleave(contenders, options) {
      const samples = await interleave(contenders, options)
      table(
        (Object.keys(samples) as (keyof typeof samples)[]).map((name) => {
          const { median, min, max, p99, count } = samples[name]
          return { [options.unit]: name, median, min, max, p99, rounds: count }
        }),
      )
      return samples
    },
  }
}

function tell(bench: Bench, result: BenchResult, stdout: RunOptions['stdout']): number {
  const pass = result.missed.length === 0
  for (const sentence of result.missed) stdout(`missed: ${sentence}`)
  const figures = Object.entries({ ratio: result.ratio, ...result.figures })
  const shown = Object.fromEntries(figures.map(([name, value]) => [name, toShown(value)]))
  stdout(JSON.stringify({ bench: bench.name, ratio: shown['ratio'], pass, ...shown }))
  return pass ? BENCH_EXIT.ok : BENCH_EXIT.missed
}

function toShown(value: Figure): Figure {
  return typeof value === 'number' ? round(value) : value
}

function describe(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
}
