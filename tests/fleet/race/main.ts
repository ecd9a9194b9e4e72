/**
 * `npm run test:fleet-race [-- --seeds N --seed S --jobs J]`: what a seed found, it finds again. With `--seed`
 * alone all that happened is told.
 *
 * Exit code 1: something that must hold did not. 2: it was called wrongly.
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import type { Verdict } from './scenario.ts'
import { runSeeds } from './workers.ts'

const SEEDS = 200
const JOBS_MAX = 64
/** So often it is told how far it is. */
const TOLD_EVERY = 20

const { seeds, first, jobs, wantsStory } = readCommandLine()
const startedMs = performance.now()
const totals = { runs: 0, slices: 0, strikes: 0 }
const failed: number[] = []
const orders = Array.from({ length: seeds }, (_, at) => ({ seed: first + at, wantsStory }))
await runSeeds(orders, jobs, tell)
const seconds = Math.round((performance.now() - startedMs) / 1000)
process.stdout.write(
  `${seeds} runs from seed ${first} in ${seconds} s, ${jobs} at a time: ${totals.slices} slices, ` +
    `${totals.strikes} disturbances, ${failed.length} failed` +
    `${failed.length > 0 ? `: ${failed.slice(0, 50).join(', ')}` : ''}\n`,
)
process.exitCode = failed.length > 0 ? 1 : 0

function tell({ seed, violations, slices, strikes, story, fingerprint }: Verdict): void {
  totals.runs += 1
  totals.slices += slices
  totals.strikes += Object.values(strikes).reduce((sum, count) => sum + count, 0)
  for (const line of story) process.stdout.write(`${line}\n`)
  if (wantsStory) process.stdout.write(`the history of seed ${seed} is ${fingerprint}\n`)
  if (violations.length > 0) {
    failed.push(seed)
    const lines = violations.map((text) => `  ${text}\n`)
    process.stdout.write(`seed ${seed}:\n${lines.join('')}`)
  }
  if (totals.runs % TOLD_EVERY === 0) {
    process.stderr.write(`${totals.runs} runs, ${failed.length} failed\n`)
  }
}

function readCommandLine() {
  const cores = String(availableParallelism())
  try {
    const { values } = parseArgs({
      options: {
        seeds: { type: 'string' },
        seed: { type: 'string' },
        jobs: { type: 'string', default: cores },
      },
    })
    const isOne = values.seed !== undefined && values.seeds === undefined
    return {
      seeds: isOne ? 1 : toNumber('--seeds', values.seeds ?? String(SEEDS), 1, 1_000_000),
      first: toNumber('--seed', values.seed ?? '1', 0, 2 ** 31),
      jobs: toNumber('--jobs', values.jobs, 1, JOBS_MAX),
      wantsStory: isOne,
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    process.stderr.write(
      `${why}\nusage: npm run test:fleet-race [-- --seeds N --seed S --jobs J], all whole numbers\n`,
    )
    process.exit(2)
  }
}

/** @throws RangeError */
function toNumber(option: string, text: string, least: number, most: number): number {
  const number = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (number >= least && number <= most) return number
  throw new RangeError(`${option} takes a whole number from ${least} to ${most}, not "${text}"`)
}
