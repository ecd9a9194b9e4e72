/** `caravan run` as a user types it, on a stack of its own. */
import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { caravan, lastLine, makeCheckout, startCaravan, toBuildLine } from '../support/caravan.ts'

const PARALLEL = `version: 2.1
jobs:
  test:
    machine: true
    resource_class: small
    parallelism: 3
    environment:
      GREETING: hello
    steps:
      - checkout
      - run:
          name: greet
          command: echo "$GREETING from slice $CIRCLE_NODE_INDEX of $CIRCLE_NODE_TOTAL"; cat file
`

const FAILING = `version: 2.1
jobs:
  test:
    machine: true
    steps:
      - run: echo fine
      - run: {name: break, command: "echo about to fail; exit 7"}
      - run: {name: never, command: "echo not reached"}
      - run: {name: cleanup, command: "echo tidy", when: always}
`

t.test('a parallel build runs every slice on the checkout and ends with one result', async (t) => {
  const folder = makeCheckout(t.testdir(), { '.circleci/config.yml': PARALLEL, file: 'content\n' })
  const { code, stdout, stderr } = await caravan(['run'], folder)
  t.equal(code, 0, stderr)
  for (const index of [0, 1, 2]) {
    // Lines of other slices may stand between those of one.
    const own = stdout.split('\n').filter((line) => line.startsWith(`[${index}] `))
    t.match(own.join('\n'), `[${index}] hello from slice ${index} of 3\n[${index}] content\n`)
  }
  t.match(lastLine(stdout), /^build 1 succeeded: 3 slices, \d+\.\d s$/)
})

t.test('a failing step fails the build with exit code 1 and its output is shown', async (t) => {
  const folder = makeCheckout(t.testdir(), { '.circleci/config.yml': FAILING })
  const { code, stdout } = await caravan(['run', '--json'], folder)
  t.equal(code, 1)
  const build = toBuildLine(stdout)
  t.match(build, { type: 'build', number: 1, state: 'failed', reason: 'exit_code' })
  const steps = build.slices[0]?.steps.map((step) => [step.name, step.state, step.exit_code])
  t.same(steps, [
    ['echo fine', 'succeeded', 0],
    ['break', 'failed', 7],
    ['never', 'skipped', null],
    ['cleanup', 'succeeded', 0],
  ])
  t.match(
    build.slices[0]?.nomad_job_id,
    new RegExp(`^${build.id}-0-build-local-.+-1$`),
    'the job id has the form that operators know',
  )
  const written = stdout
    .split('\n')
    .filter((line) => line.includes('"type":"output"'))
    .map((line) => Buffer.from((JSON.parse(line) as { data: string }).data, 'base64').toString())
  t.match(written.join(''), 'about to fail\n')
})

t.test(
  'a configuration that can not run is refused with file and line, and exit code 2',
  async (t) => {
    const folder = makeCheckout(t.testdir(), {
      '.circleci/config.yml': 'version: 2.1\njobs:\n  test:\n    machine: true\n    stepps: []\n',
    })
    const { code, stderr } = await caravan(['run'], folder)
    t.equal(code, 2)
    t.match(stderr, /\.circleci\/config\.yml:5\b.*stepps/)
  },
)

t.test('several jobs and none chosen: the names are listed, exit code 2', async (t) => {
  const job = '{machine: true, steps: [checkout]}'
  const folder = makeCheckout(t.testdir(), {
    '.circleci/config.yml': `version: 2.1\njobs: {unit: ${job}, lint: ${job}}\n`,
  })
  const { code, stderr } = await caravan(['run'], folder)
  t.equal(code, 2)
  t.match(stderr, /unit/)
  t.match(stderr, /lint/)
})

t.test('a dry run prints every slice as Nomad would get it, and no token', async (t) => {
  const folder = makeCheckout(t.testdir(), { '.circleci/config.yml': PARALLEL, file: '' })
  const { code, stdout } = await caravan(['run', '--dry-run', '--parallelism', '2'], folder)
  t.equal(code, 0)
  const slices = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  t.equal(slices.length, 2)
  t.match(slices[1], {
    vars: { parallelism: 2, slice: 1 },
    job: { Type: 'batch', Priority: 50, TaskGroups: [{ Name: 'slice' }] },
    added: {},
  })
})

t.test('an interrupted run cancels the build and ends with 130', async (t) => {
  const folder = makeCheckout(t.testdir(), {
    '.circleci/config.yml':
      'version: 2.1\njobs: {slow: {machine: true, steps: [{run: "echo begun; sleep 50"}]}}\n',
  })
  const { child, ended } = startCaravan(['run', '--json'], folder)
  child.stdout?.on('data', (chunk: Buffer) => {
    if (chunk.toString().includes('"type":"output"')) child.kill('SIGINT')
  })
  const { code, stdout } = await ended
  t.equal(code, 130)
  t.match(toBuildLine(stdout), { state: 'canceled', reason: 'canceled_by_user' })
})

t.test('a run that nobody reads any more clears away what it began', async (t) => {
  const folder = t.testdir({ checkout: {}, temporary: {} })
  const checkout = makeCheckout(join(folder, 'checkout'), {
    '.circleci/config.yml':
      'version: 2.1\njobs: {loud: {machine: true, steps: [{run: "yes | head -c 3000000; sleep 50"}]}}\n',
  })
  const temporary = join(folder, 'temporary')
  const { child, ended } = startCaravan(['run'], checkout, { env: { TMPDIR: temporary } })
  child.stdout?.once('data', () => child.stdout?.destroy())
  const { code } = await ended
  t.equal(code, 130)
  const left = readdirSync(temporary).filter((name) => name.startsWith('caravan-'))
  t.same(left, [])
})

t.test('usage errors end with exit code 2 and a hint', async (t) => {
  const cases: [string[], RegExp][] = [
    [['run', '--detach'], /--detach needs --server/],
    [['run', '--repo-url', 'https://example.org/a.git'], /--repo-url needs --sha/],
    [['run', '--config', 'none.yml'], /there is no file none\.yml/],
    [['run', '--parallelism', '0'], /whole number from 1 to 1000/],
    [['bulids'], /unknown command 'bulids'/],
    [['builds', 'list', '--server', 'http://127.0.0.1:9'], /127\.0\.0\.1:9/],
  ]
  for (const [args, message] of cases) {
    const { code, stderr } = await caravan(args, t.testdir())
    t.match(stderr, message)
    t.equal(code, args[0] === 'builds' ? 3 : 2, args.join(' '))
  }
})

t.test('a shallow checkout is refused before it makes a broken build', async (t) => {
  const folder = makeCheckout(t.testdir({ origin: {} }) + '/origin', {
    '.circleci/config.yml': PARALLEL,
    file: '',
  })
  const git = (...args: string[]) => execFileSync('git', args, { cwd: folder })
  git('-c', 'user.name=t', '-c', 'user.email=t@e.org', 'commit', '-q', '--allow-empty', '-m', 'two')
  git('clone', '-q', '--depth', '1', `file://${folder}`, '../shallow')
  const { code, stderr } = await caravan(['run'], join(folder, '../shallow'))
  t.equal(code, 2)
  t.match(stderr, /git fetch --unshallow/)
})

t.test('a Nomad that is not there is said at once', async (t) => {
  const folder = makeCheckout(t.testdir(), { '.circleci/config.yml': PARALLEL, file: '' })
  const away = await caravan(['run', '--nomad', 'http://127.0.0.1:1'], folder)
  t.equal(away.code, 3)
  t.match(away.stderr, /127\.0\.0\.1:1/)
  const garbage = await caravan(['run', '--nomad', 'garbage'], folder)
  t.equal(garbage.code, 2)
  t.match(garbage.stderr, /--nomad garbage/)
})

t.test('help and version work without loading the world', async (t) => {
  const { code, stdout } = await caravan(['--help'], t.testdir())
  t.equal(code, 0)
  t.match(stdout, /build-agent/)
  const manifest = readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')
  const version = await caravan(['version', '--json'], t.testdir())
  t.match(JSON.parse(version.stdout), {
    caravan: (JSON.parse(manifest) as { version: string }).version,
  })
})
