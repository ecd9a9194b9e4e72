/**
 * `npm run test:faults`: every failure that has a name, then the search for those that have none.
 *
 * With `--seeds N` both; with `--seed S` alone only that seed, once more. `--only-search` leaves the named
 * ones out. Whatever else is given goes to the search.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const TAP = fileURLToPath(new URL('../../node_modules/tap/dist/esm/run.mjs', import.meta.url))
const given = process.argv.slice(2)
const has = (flag: string) => given.some((each) => each === flag || each.startsWith(`${flag}=`))

const isReplay = has('--seed') && !has('--seeds')
const names = ['tests/faults/**/*.suite.ts', 'tests/faults/**/*.test.ts']
const suites = names.flatMap((name) => ['--include', name])
if (!isReplay && !has('--only-search'))
  await run(['--disable-warning=ExperimentalWarning', TAP, ...suites, '--timeout', '240'])
await run([
  fileURLToPath(new URL('search/main.ts', import.meta.url)),
  ...given.filter((each) => each !== '--only-search'),
])

async function run(args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, args, { stdio: 'inherit' })
  // Who ends this program ends what it runs.
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => child.kill(name))
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
  if (code !== 0) process.exitCode = 1
}
