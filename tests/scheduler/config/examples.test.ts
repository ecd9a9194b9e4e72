import { spawnSync } from 'node:child_process'
import { cpSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { compiled, refusals } from './support.ts'

const TOP = join(import.meta.dirname, '../../..')

const read = (path: string) => readFileSync(join(TOP, path), 'utf8')

/** Runs the command of a `run` step as a slice would. */
function runCommand(command: string, cwd: string, environment: Record<string, string> = {}) {
  const env = { PATH: process.env['PATH'] ?? '', ...environment }
  const shell = ['-eo', 'pipefail', '-c', command]
  return spawnSync('/bin/bash', shell, { cwd, env, encoding: 'utf8', timeout: 20_000 })
}

function commands(file: string): string[] {
  return compiled(read(file)).steps.flatMap((step) => (step.kind === 'run' ? [step.command] : []))
}

t.test('the slices of the parallel example share its test files among them', async (t) => {
  const file = 'examples/parallel/.circleci/config.yml'
  t.match(compiled(read(file)), { name: 'test', parallelism: 4, steps: [{ kind: 'checkout' }] })
  const [choose = '', run = ''] = commands(file)
  const shares: string[] = []
  for (let index = 0; index < 4; index++) {
    const folder = t.testdir()
    cpSync(join(TOP, 'examples/parallel'), folder, { recursive: true })
    const slice = { CIRCLE_NODE_INDEX: `${index}`, CIRCLE_NODE_TOTAL: '4' }
    t.equal(runCommand(choose, folder, slice).status, 0)
    shares.push(...readFileSync(join(folder, 'share.txt'), 'utf8').trim().split('\n'))
    if (index === 0) {
      const { status, stdout } = runCommand(run, folder)
      t.equal(status, 0)
      t.match(stdout, /36524 days agree/)
    }
  }
  const all = readdirSync(join(TOP, 'examples/parallel/test')).filter((name) =>
    /\.test\./.test(name),
  )
  t.strictSame(shares.sort(), all.map((name) => `test/${name}`).sort())
})

t.test('the failing example fails in its middle step', async (t) => {
  const file = 'examples/failing/.circleci/config.yml'
  const { steps } = compiled(read(file), { job: 'test' })
  t.match(steps, [{}, {}, { when: 'on_success' }, { when: 'on_fail' }, { when: 'always' }])
  const folder = t.testdir()
  const [prepare = '', check = '', , show = '', clean = ''] = commands(file)
  t.equal(runCommand(prepare, folder).status, 0)
  t.match(runCommand(check, folder), { status: 3, stderr: 'wrong: 3 + 4 is 7, not 8\n' })
  t.match(runCommand(show, folder), { status: 0, stdout: '3 + 4 = 8\n' })
  t.equal(runCommand(clean, folder).status, 0)
  t.strictSame(readdirSync(folder), [])
})

t.test('the broken example is refused with both of its mistakes', async (t) => {
  const text = read('examples/broken/.circleci/config.yml')
  const problems = refusals(text)
  t.match(problems, [
    /^\d+:5: unknown key `paralelism` .*: did you mean `parallelism`\?$/,
    /^\d+:9: not supported yet: `store_artifacts` /,
  ])
  const lines = text.split('\n')
  const [misspelt, unsupported] = problems.map((each) => lines[Number.parseInt(each, 10) - 1])
  t.match(misspelt, 'paralelism:')
  t.match(unsupported, 'store_artifacts:')
})

t.test('the jobs that build Caravan compile', async (t) => {
  const text = read('.circleci/config.yml')
  t.equal(compiled(text, { job: 'test' }).parallelism, 2)
  t.equal(compiled(text, { job: 'check' }).parallelism, 1)
})
