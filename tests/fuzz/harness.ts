/** Throws many hostile inputs at something, and says with which seed it gave way. */
import * as fc from 'fast-check'
import type { Test } from 'tap'

export interface FuzzOptions {
  /** Inputs for each target. */
  runs: number
  seed: number
}

export interface Target<Input> {
  name: string
  input: fc.Arbitrary<Input>
  /** @throws what is wrong about how the input was taken. */
  check: (input: Input) => Promise<void> | void
  /** Inputs at once. */
  lanes?: number
}

/** How `tests/fuzz/main.ts` says what to do; by itself, what `npm run test:fuzz` does. */
export function readOptions(): FuzzOptions {
  const { CARAVAN_FUZZ_RUNS, CARAVAN_FUZZ_SEED } = process.env
  return { runs: Number(CARAVAN_FUZZ_RUNS ?? 10_000), seed: Number(CARAVAN_FUZZ_SEED ?? 1) }
}

/** Generated at once; more would only wait in memory. */
const BATCH = 500

/** An input that takes longer hangs: the slowest known takes a third of a second on an idle machine. */
const PATIENCE_MS = 20_000

/** Several times what any target needs: a leak of 100 KiB an input is far beyond it after 10,000. */
const RSS_MAX = 1024 ** 3

export async function fuzz<Input>(
  t: Test,
  { name, input, check, lanes = 1 }: Target<Input>,
  { runs, seed }: FuzzOptions,
): Promise<void> {
  const failures: string[] = []
  let slowestMs = 0
  const run = async (value: Input): Promise<void> => {
    const startedMs = performance.now()
    try {
      await within(PATIENCE_MS, check(value))
    } catch (cause) {
      failures.push(`${describe(cause)}\n  input: ${show(value)}`)
    }
    slowestMs = Math.max(slowestMs, performance.now() - startedMs)
  }
  for (let done = 0; done < runs && failures.length === 0; done += BATCH) {
    const count = Math.min(BATCH, runs - done)
    const inputs = fc.sample(input, { numRuns: count, seed: seed + done })
    const next = inputs.values()
    const lane = async () => {
      for (const value of next) await run(value)
    }
    await Promise.all(Array.from({ length: lanes }, lane))
  }
  const text = `${name}: ${runs} inputs, seed ${seed}, the slowest ${slowestMs.toFixed(0)} ms`
  t.same(failures.slice(0, 3), [], text)
  t.comment(text)
  const { rss } = process.memoryUsage()
  t.ok(rss < RSS_MAX, `${name}: ${Math.round(rss / 1024 ** 2)} MiB of memory`)
}

async function within(ms: number, work: Promise<void> | void): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`took longer than ${ms} ms`)), ms)
  })
  await Promise.race([work, late]).finally(() => clearTimeout(timer))
}

function describe(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
}

function show(value: unknown): string {
  const text = fc.stringify(value)
  return text.length > 2000 ? `${text.slice(0, 2000)}...` : text
}
