/** `npm run test:fuzz [-- --runs N --seed S]`: all targets. What a seed found, it finds again. */
import { spawn } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { runs: { type: 'string' }, seed: { type: 'string' } } })
const { runs = '10000', seed = String(Date.now() % 1_000_000_000) } = values
if (!/^\d{1,9}$/.test(runs) || !/^\d{1,9}$/.test(seed)) {
  process.stderr.write('usage: npm run test:fuzz [-- --runs N --seed S], both whole numbers\n')
  process.exit(2)
}
process.stdout.write(
  `${runs} inputs a target, seed ${seed}: replay with --runs ${runs} --seed ${seed}\n`,
)
const child = spawn('tap', ['--include', 'tests/fuzz/**/*.suite.ts', '--timeout', '600'], {
  stdio: 'inherit',
  env: { ...process.env, CARAVAN_FUZZ_RUNS: runs, CARAVAN_FUZZ_SEED: seed },
})
child.on('close', (code) => (process.exitCode = code ?? 1))
