/** `npm run test:fleet-race [-- --seeds N --seed S]`: what a seed found, it finds again. */
import { parseArgs } from 'node:util'
import { runScenario } from './scenario.ts'

const { values } = parseArgs({ options: { seeds: { type: 'string' }, seed: { type: 'string' } } })
const { seeds = values.seed === undefined ? '200' : '1', seed = '1' } = values
if (!/^[1-9]\d{0,6}$/.test(seeds) || !/^\d{1,9}$/.test(seed)) {
  process.stderr.write(
    'usage: npm run test:fleet-race [-- --seeds N --seed S], both whole numbers\n',
  )
  process.exit(2)
}
const startedMs = performance.now()
let slices = 0
let troubles = 0
const failed: number[] = []
for (let at = 0; at < Number(seeds); at++) {
  const verdict = await runScenario(Number(seed) + at)
  slices += verdict.slices
  troubles += verdict.troubles
  if ((at + 1) % 20 === 0) process.stderr.write(`${at + 1} runs, ${failed.length} failed\n`)
  if (verdict.violations.length === 0) continue
  failed.push(verdict.seed)
  process.stdout.write(
    `seed ${verdict.seed}:\n${verdict.violations.map((text) => `  ${text}\n`).join('')}`,
  )
}
const seconds = Math.round((performance.now() - startedMs) / 1000)
process.stdout.write(
  `${seeds} runs from seed ${seed} in ${seconds} s: ${slices} slices, ${troubles} disturbances, ` +
    `${failed.length} failed${failed.length > 0 ? `: --seed ${failed.slice(0, 20).join(', ')}` : ''}\n`,
)
process.exitCode = failed.length > 0 ? 1 : 0
