import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { aTask, runToEnd } from './support/agent.ts'

const REPORT =
  'git rev-parse HEAD --abbrev-ref HEAD; cat file.txt; echo "clean:$(git status --porcelain)"'
const CHECKOUT = { kind: 'checkout', name: 'Checkout code' } as const

t.test('a bundle is checked out on its branch, as a repository of its own', async (t) => {
  const { sha, bundle } = aRepository(t)
  const { server, code } = await runToEnd(t, aBuild({ sha, bundle, steps: [CHECKOUT, REPORT] }), {
    source: bundle,
  })
  t.equal(code, 0)
  t.match(server.output(0).toString(), /\$ git init.*\$ git checkout --force -B main/s)
  t.equal(server.output(1).toString(), `${sha}\nmain\nhello\nclean:\n`)
})

t.test('a second checkout brings a changed working directory back', async (t) => {
  const { sha, bundle } = aRepository(t)
  const { server } = await runToEnd(
    t,
    aBuild({
      sha,
      bundle,
      steps: [CHECKOUT, 'echo changed > file.txt; git checkout -q -b other', CHECKOUT, REPORT],
    }),
    { source: bundle },
  )
  t.equal(server.output(3).toString(), `${sha}\nmain\nhello\nclean:\n`)
  t.equal(server.calls.source, 1, 'the bundle is fetched once')
})

t.test(
  'path puts the checkout elsewhere, and nothing is checked out over other files',
  async (t) => {
    const { sha, bundle } = aRepository(t)
    const { server } = await runToEnd(
      t,
      aBuild({
        sha,
        bundle,
        steps: [{ ...CHECKOUT, path: 'sub/code' }, 'ls sub/code; touch mine', CHECKOUT],
      }),
      { source: bundle },
    )
    t.equal(server.output(1).toString(), 'file.txt\n')
    t.match(server.output(2).toString(), /project is not empty and no git repository/)
    t.match(server.finished(2), { state: 'failed', reason: 'checkout' })
    t.match(server.sliceFinished, { result: 'failed', reason: 'checkout' })
  },
)

t.test('a bundle that arrives damaged is fetched again, and given up as our fault', async (t) => {
  const { sha, bundle } = aRepository(t)
  const task = aBuild({ sha, bundle, steps: [CHECKOUT, { command: 'echo never', when: 'always' }] })
  const { server } = await runToEnd(t, task, { source: Buffer.concat([bundle, Buffer.from('x')]) })
  t.equal(server.calls.source, 5)
  t.match(
    server.output(0).toString(),
    /the source of the build could not be fetched .*: the bundle arrived damaged/,
  )
  t.match(server.finished(1), { state: 'skipped' })
  t.match(server.sliceFinished, { result: 'infrastructure_failed', reason: 'agent_crashed' })
})

t.test('a server that is away when the source is wanted delays the checkout only', async (t) => {
  const { sha, bundle } = aRepository(t)
  const { server } = await runToEnd(t, aBuild({ sha, bundle, steps: [CHECKOUT] }), {
    source: bundle,
    trouble: ({ name, count }) => (name === 'source' && count <= 8 ? { status: 503 } : undefined),
  })
  t.equal(server.calls.source, 9)
  t.match(server.sliceFinished, { result: 'succeeded' })
})

t.test('a repository is fetched by its address, and the commit by its name', async (t) => {
  const { sha, folder } = aRepository(t)
  const { server } = await runToEnd(
    t,
    aTask({
      source: { kind: 'git', url: `file://${folder}` },
      build: { ...aTask().build, sha, branch: 'feature/x' },
      environment: [{ layer: 'job', values: { GIT_DIR: '/nonexistent' } }],
      steps: [
        CHECKOUT,
        'unset GIT_DIR; git rev-parse HEAD --abbrev-ref HEAD; git remote get-url origin; git config gc.auto; git tag',
      ],
    }),
  )
  t.match(server.output(0).toString(), /\$ git fetch --filter=blob:none --force --tags origin\n/)
  t.equal(server.output(1).toString(), `${sha}\nfeature/x\nfile://${folder}\n0\nv1\n`)
})

t.test('git over ssh knows the common hosts, asks nobody, and takes no other key', async (t) => {
  const { sha, folder } = aRepository(t)
  // Stands in for ssh: checks what it was told about the host, then does what ssh would do there.
  const bin = join(folder, '.git', 'bin')
  mkdirSync(bin)
  writeFileSync(
    join(bin, 'ssh'),
    `#!/bin/sh
for word; do case $word in GlobalKnownHostsFile*) files=\${word#* };; esac; done
ssh-keygen -l -F github.com -f "$(eval "set -- $files"; echo "$3")" >&2
echo "options: $1 $2" >&2
for last; do :; done
exec sh -c "$last"
`,
    { mode: 0o755 },
  )
  const { server } = await runToEnd(
    t,
    aTask({
      source: { kind: 'git', url: `git@github.com:${folder}` },
      build: { ...aTask().build, sha },
      steps: [CHECKOUT, REPORT],
    }),
    { environment: { PATH: `${bin}:${process.env['PATH']}` } },
  )
  const shown = server.output(0).toString()
  t.match(shown, /ED25519 SHA256:\+DiY3wvvV6TuJJhbpZisF\/zLDA0zPMSvHdkr4UvCOqU/)
  t.match(shown, /options: -o BatchMode=yes/)
  t.match(server.output(1).toString(), sha)
})

t.test('a commit that no branch holds is asked for by name', async (t) => {
  const { folder } = aRepository(t)
  const git = gitIn(folder)
  git('checkout', '-q', '-b', 'gone')
  git('commit', '-q', '--allow-empty', '-m', 'of a pull request')
  const sha = git('rev-parse', 'HEAD')
  git('update-ref', 'refs/pull/1/head', sha)
  git('checkout', '-q', 'main')
  git('branch', '-q', '-D', 'gone')
  const { server } = await runToEnd(
    t,
    aTask({
      source: { kind: 'git', url: `file://${folder}` },
      build: { ...aTask().build, sha },
      steps: [CHECKOUT, 'git rev-parse HEAD'],
    }),
  )
  t.equal(server.output(1).toString(), `${sha}\n`)
})

t.test(
  'an address that can not be reached fails the checkout and shows no credentials',
  async (t) => {
    const { server, log } = await runToEnd(
      t,
      aTask({
        source: { kind: 'git', url: 'http://robot:hunter2-token@127.0.0.1:9/app.git' },
        build: { ...aTask().build, sha: 'a'.repeat(40) },
        steps: [CHECKOUT],
      }),
    )
    t.match(server.finished(0), { state: 'failed', reason: 'checkout', exit_code: 128 })
    t.match(server.output(0).toString(), /^origin is http:\/\/127\.0\.0\.1:9\/app\.git$/m)
    t.notMatch(server.output(0).toString() + log + JSON.stringify(server.events), /hunter2-token/)
  },
)

t.test('a build without a source or with a strange commit says so', async (t) => {
  const none = await runToEnd(t, aTask({ steps: [CHECKOUT] }))
  t.match(none.server.output(0).toString(), /this build has no source/)
  t.match(none.server.finished(0), { state: 'failed', reason: 'checkout' })
  const strange = await runToEnd(
    t,
    aTask({
      source: { kind: 'git', url: 'file:///x' },
      build: { ...aTask().build, sha: '--help' },
      steps: [CHECKOUT],
    }),
  )
  t.match(strange.server.output(0).toString(), /"--help" is no commit id of git/)
  t.match(strange.server.finished(0), { state: 'failed', reason: 'config_error' })
})

function aBuild({ sha, bundle, steps }: { sha: string; bundle: Buffer; steps: Steps }) {
  const id = createHash('sha256').update(bundle).digest('hex')
  return aTask({ source: { kind: 'bundle', id }, build: { ...aTask().build, sha }, steps })
}

type Steps = NonNullable<NonNullable<Parameters<typeof aTask>[0]>['steps']>

/** Two commits, a tag, and a bundle of HEAD. */
function aRepository(t: Test): { folder: string; sha: string; bundle: Buffer } {
  const folder = t.testdir({ 'file.txt': 'hello\n' })
  const git = gitIn(folder)
  git('init', '-q', '-b', 'main')
  git('add', 'file.txt')
  git('commit', '-q', '-m', 'one')
  git('tag', 'v1')
  git('commit', '-q', '--allow-empty', '-m', 'two')
  const file = join(folder, '.git', 'test.bundle')
  git('bundle', 'create', '-q', file, 'HEAD')
  return { folder, sha: git('rev-parse', 'HEAD'), bundle: readFileSync(file) }
}

function gitIn(cwd: string): (...args: string[]) => string {
  const identity = ['-c', 'user.name=test', '-c', 'user.email=test@example.org']
  return (...args) => execFileSync('git', [...identity, ...args], { cwd, encoding: 'utf8' }).trim()
}
