import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { packCaravan, unpackCaravan } from '../../scripts/package.ts'
import { exec } from '../../src/platform/index.ts'
import { startSink } from '../metrics/support/sink.ts'
import { makeCheckout, toBuildLine } from '../support/caravan.ts'
import { installNode } from './support/node-versions.ts'

const RUN_TIMEOUT_MS = 120_000

// Far from the checkout: whatever the package lacks must not be found above it.
const folder = mkdtempSync(join(tmpdir(), 'caravan-package-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const tarball = await packCaravan(join(folder, 'one'))
const launcher = await unpackCaravan(tarball, join(folder, 'unpacked'))
const root = join(folder, 'unpacked')

t.test('the same sources make the same bytes', async (t) => {
  const again = await packCaravan(join(folder, 'two'))
  t.equal(sha256(again), sha256(tarball))
})

t.test('the package holds bundles and what they read, and no sources', (t) => {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  t.strictSame(readdirSync(root).sort(), [
    'LICENSE',
    'README.md',
    'bin',
    'dashboards',
    'dist',
    'nomad',
    'package.json',
  ])
  t.strictSame(
    files.filter((name) => /\.ts$|node_modules/.test(name)),
    [],
  )
  for (const name of ['dist/NOTICES', 'nomad/jobs/build-slice.nomad.hcl']) {
    t.ok(existsSync(join(root, name)), name)
  }
  t.end()
})

t.test('the package needs no other one', (t) => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as object
  for (const kind of ['dependencies', 'optionalDependencies', 'peerDependencies']) {
    t.notOk(kind in manifest, `${kind}: what is bundled is a development dependency`)
  }
  t.end()
})

t.test('each bundled package has its licence in NOTICES', (t) => {
  const notices = readFileSync(join(root, 'dist/NOTICES'), 'utf8')
  for (const name of ['fastify', 'hcl2-parser', 'kysely', 'pg', 'undici', 'zod']) {
    t.match(notices, new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(`, 'm'))
  }
  t.end()
})

for (const major of ['24', '26']) {
  t.test(`installed without a registry, it runs a build on Node.js ${major}`, async (t) => {
    const home = join(folder, major)
    await mkdir(home)
    const node = await installNode(major, home)
    if (node === null) {
      t.pass(`tried on Node.js ${major}`, { skip: `npm can not be reached: NOTHING was tried` })
      return
    }
    const app = join(home, 'app')
    await mkdir(app)
    const install = ['install', '--offline', '--silent', '--prefix', app, tarball]
    const installed = await exec('npm', install, { cwd: app, timeoutMs: RUN_TIMEOUT_MS })
    t.equal(installed.code, 0, installed.stderr)
    t.strictSame(
      readdirSync(join(app, 'node_modules')).filter((name) => !name.startsWith('.')),
      ['caravan'],
    )
    const caravan = join(app, 'node_modules/.bin/caravan')

    const { stdout } = await runCaravan(node, [caravan, 'version', '--json'], app)
    t.match(JSON.parse(stdout), { caravan: /^\d/, node: new RegExp(`^${major}[.]`) })

    const checkout = makeCheckout(join(home, 'checkout'), {
      'config.yml': configFor(major),
      ...TESTS,
    })
    const args = [caravan, 'run', '--config', 'config.yml', '--json']
    const ended = await runCaravan(node, args, checkout)
    t.equal(ended.code, 0, ended.stderr)
    const build = toBuildLine(ended.stdout)
    t.equal(build.state, 'succeeded')
    t.equal(build.slices.length, 2)
  })
}

t.test('a checkout runs its sources, never a bundle', async (t) => {
  // The version of a bundle is that of its package; a source that throws is seen at once.
  const checkout = join(folder, 'checkout')
  await unpackCaravan(tarball, checkout)
  await mkdir(join(checkout, 'src/cli'), { recursive: true })
  const ended = await runCaravan(process.execPath, [join(checkout, 'bin/caravan.mjs')], checkout)
  t.not(ended.code, 0)
  t.match(ended.stderr, 'src/cli/main.ts')
})

for (const { what, args, main } of [
  {
    what: 'the agent',
    args: [launcher, 'build-agent', 'sweep', '--allocations-dir', join(folder, 'none')],
    main: 'agent-main',
  },
  {
    what: 'nomad-metrics',
    args: [join(root, 'bin/nomad-metrics.mjs'), 'start', '--help'],
    main: 'metrics-main',
  },
]) {
  t.test(`${what} of the package loads nothing of the server`, async (t) => {
    const profiles = join(folder, main)
    const profiled = ['--cpu-prof', `--cpu-prof-dir=${profiles}`, ...args]
    const ended = await runCaravan(process.execPath, profiled, folder)
    t.equal(ended.code, 0, ended.stderr)
    const [name = ''] = readdirSync(profiles)
    const profile = readFileSync(join(profiles, name), 'utf8')
    t.match(profile, `dist/cli/${main}.js`)
    t.notMatch(profile, 'dist/cli/part-')
  })
}

t.test('nomad-metrics of the package looks up names and reads certificates', async (t) => {
  const sink = await startSink(t)
  const certificate = fileURLToPath(new URL('../platform/fixtures/tls-ca.pem', import.meta.url))
  const { PATH = '' } = process.env
  const args = ['start', '--server', '--interval=1', '--nomad-uri=https://127.0.0.1:9']
  const child = spawn(
    process.execPath,
    [
      join(root, 'bin/nomad-metrics.mjs'),
      ...args,
      '--statsd-host=localhost',
      `--statsd-port=${sink.port}`,
    ],
    { env: { PATH, NOMAD_CACERT: certificate }, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  t.teardown(() => child.kill('SIGKILL'))
  let told = ''
  child.stderr.on('data', (bytes: Buffer) => (told += bytes.toString()))
  t.equal((await sink.next(1))[0], 'circle.nomad.server_agent.poll_failure:1|g')
  child.kill('SIGTERM')
  await once(child, 'exit')
  t.match(told, /^nomad-metrics: poll for --server failed: .*ECONNREFUSED.*\n$/, 'and nothing else')
})

t.test('nomad-metrics has no schema in it, whose making would take most of its memory', (t) => {
  const dist = join(root, 'dist/cli')
  const own = readdirSync(dist).filter((name) => name.startsWith('metrics-'))
  t.ok(own.length >= 3, 'in parts')
  for (const name of own) t.notMatch(readFileSync(join(dist, name), 'utf8'), 'node_modules/zod')
  t.end()
})

/** The last step is satisfied when the agent runs on the server's own Node.js. */
const configFor = (major: string) => `version: 2.1
jobs:
  test:
    machine: true
    parallelism: 2
    steps:
      - checkout
      - run: circleci tests glob "tests/*.txt" | circleci tests split > mine
      - run: test "$(wc -l < mine)" -eq 2
      - run: test "$(/proc/$PPID/exe --version | cut -d. -f1)" = v${major}
`
const TESTS = Object.fromEntries(
  ['a', 'b', 'c', 'd'].map((name) => [`tests/${name}.txt`, `${name}\n`]),
)

async function runCaravan(node: string, args: readonly string[], cwd: string) {
  const { PATH = '' } = process.env
  const ended = await exec(node, args, {
    cwd,
    env: { PATH, HOME: folder, LANG: 'C.UTF-8', CI: 'true' },
    timeoutMs: RUN_TIMEOUT_MS,
  })
  return { ...ended, stdout: ended.stdout.toString('utf8') }
}

function sha256(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}
