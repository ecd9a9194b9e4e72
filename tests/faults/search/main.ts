/** `npm run test:faults -- --seeds N [--seed S]`: searches for a storm that loses or doubles anything. */
import { parseArgs } from 'node:util'
import { runSeed, type Verdict } from './seed.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10' },
    /** The first one; alone, it is replayed with all that happened. */
    seed: { type: 'string' },
    /** How many at a time. */
    jobs: { type: 'string', default: '1' },
    /** Path of a real Nomad program, in the place of the embedded engine. */
    nomad: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
})

process.on('SIGTERM', () => process.exit(143)).on('SIGINT', () => process.exit(130))

const first = Number(values.seed ?? 1)
const isReplay =
  values.seed !== undefined && !process.argv.some((each) => each.startsWith('--seeds'))
const count = isReplay ? 1 : Number(values.seeds)
const say = (line: string) => void process.stdout.write(`${line}\n`)

const began = performance.now()
const bad: number[] = []
let next = first
const work = async () => {
  while (next < first + count) {
    const verdict = await runSeed(next++, values)
    if (verdict.violations.length > 0) bad.push(verdict.seed)
    report(verdict)
  }
}
await Promise.all(Array.from({ length: Number(values.jobs) }, work))

const seconds = Math.round((performance.now() - began) / 1000)
say(`${count} seeds from ${first} in ${seconds} s: ${count - bad.length} clean`)
if (bad.length > 0) say(`violated by: ${bad.sort((a, b) => a - b).join(', ')}`)
// Nothing that a killed program left open keeps the search from its end.
process.stdout.write('', () => process.exit(bad.length > 0 ? 1 : 0))

function report({
  seed,
  violations,
  notes,
  seconds: took,
  reasons,
  isSlow,
  folder,
}: Verdict): void {
  const counts = Object.entries(reasons).map(([reason, many]) => `${reason} ${many}`)
  say(
    `seed ${seed} ${violations.length === 0 ? 'clean' : 'VIOLATED'} in ${took.all} s ` +
      `(start ${took.start}, storm ${took.storm}, settle ${took.settle}): ${counts.join(', ')}`,
  )
  if (violations.length === 0 && !isSlow && !isReplay) return
  for (const note of notes) say(`  ${note}`)
  for (const violation of violations.slice(0, 40)) say(`  ! ${violation}`)
  if (violations.length > 40) say(`  ! and ${violations.length - 40} more`)
  if (folder !== null) say(`  logs: ${folder}`)
  if (violations.length > 0) say(`  replay: npm run test:faults -- --seed ${seed}`)
}
