import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { isResult } from '../../src/model/index.ts'
import { agentOf, unwrap } from '../scheduler/support/agent.ts'
import { FakeCluster } from '../scheduler/support/cluster.ts'
import { aRequest, startScheduler, until, untilBuild } from '../scheduler/support/scheduler.ts'
import { startCaravan } from '../support/caravan.ts'

const KEY = 'ab'.repeat(32)

async function run(t: Test, ...args: string[]) {
  return startCaravan(args, t.testdirName).ended
}

/** A data directory with one build that is over and one that runs. */
async function someBuilds(t: Test) {
  const dir = t.testdir({ data: { 'master.key': `${KEY}\n` }, other: {} })
  const dataDir = join(dir, 'data')
  const cluster = new FakeCluster()
  const started = await startScheduler(t, { dataDir, nomad: cluster })
  const { scheduler } = started
  await scheduler.submit(aRequest())
  const agent = await agentOf(cluster, scheduler)
  await agent.begin()
  await agent.step(0, 'hello')
  unwrap(await agent.report('succeeded'))
  await untilBuild(scheduler, '1', ({ state }) => isResult(state))
  await scheduler.submit(aRequest())
  await until(() => cluster.jobs.size === 2, 'the second job')
  return { ...started, cluster, dir, dataDir, other: join(dir, 'other') }
}

t.test('a backup is taken while the server runs, and restored elsewhere', async (t) => {
  const { scheduler, cluster, dir, dataDir, other, close } = await someBuilds(t)
  const file = join(dir, 'caravan.backup')
  const taken = await run(t, 'backup', file, '--data', dataDir, '--with-output', '--json')
  t.equal(taken.code, 0, taken.stderr)
  t.match(JSON.parse(taken.stdout), { builds: 2, slices: 2, outputs: 1, bytes: 5 })
  t.match(taken.stderr, /The master key is not in it: keep .*data\/master\.key elsewhere/)
  t.notMatch(readFileSync(file, 'latin1'), KEY)
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.match(await run(t, 'backup', file, '--data', dataDir), { code: 2, stderr: /is there already/ })

  // What the backup does not know: a third build, with a job of its own.
  await scheduler.submit(aRequest())
  await until(() => cluster.jobs.size === 3, 'the third job')
  const third = [...cluster.jobs.keys()].at(-1) ?? ''
  const foreign = { ...cluster.jobs.get(third)!, ID: 'foreign', Meta: { install: 'other' } }
  cluster.jobs.set('foreign', foreign)
  await close()

  writeFileSync(join(other, 'master.key'), `${KEY}\n`)
  const restored = await run(t, 'restore', file, '--data', other)
  t.equal(restored.code, 0, restored.stderr)
  t.match(restored.stdout, /^Restored 2 builds with 2 slices and 1 files, as of /)
  t.match(restored.stderr, /stops and purges the Nomad jobs of this installation/)

  cluster.stopped.length = 0
  const again = await startScheduler(t, { dataDir: other, nomad: cluster })
  await until(() => cluster.stopped.includes(third), 'the newer job is stopped')
  t.strictSame(cluster.stopped, [third], 'and no other one')
  t.notOk(cluster.jobs.has(third))
  t.match(await again.scheduler.readBuild('1'), {
    state: 'succeeded',
    slices: [{ steps: [{ output: { have: 5 } }] }],
  })
  const next = await until(
    () => again.scheduler.submit(aRequest()).then((build) => build),
    'another build',
  )
  t.equal(next.number, 4, 'the number of a build that Nomad knew is not given again')
})

t.test('what is there is not overwritten unless that is asked for', async (t) => {
  const { dir, dataDir, close } = await someBuilds(t)
  await close()
  const file = join(dir, 'caravan.backup')
  t.match(await run(t, 'backup', file, '--data', dataDir, '--with-master-key'), {
    code: 0,
    stderr: /The master key is in it/,
  })
  const full = await run(t, 'restore', file, '--data', dataDir)
  t.match(full, { code: 2, stderr: /is not empty .*--force/ })
  t.match(await run(t, 'restore', file, '--data', dataDir, '--force'), { code: 0 })
  // Nobody is at the other end of it: to open it as a file would wait for ever.
  const pipe = join(dir, 'pipe')
  execFileSync('mkfifo', [pipe])
  const intoPipe = await run(t, 'backup', pipe, '--data', dataDir, '--force')
  t.match(intoPipe, { code: 2, stderr: /pipe can not be written/ })
  const fromPipe = await run(t, 'restore', pipe, '--data', join(dir, 'other'))
  t.match(fromPipe, { code: 2, stderr: /pipe is no backup: it is no regular file/ })

  const key = join(dir, 'other', 'master.key')
  writeFileSync(key, `${'cd'.repeat(32)}\n`)
  const otherKey = await run(t, 'restore', file, '--data', join(dir, 'other'))
  t.match(otherKey, { code: 2, stderr: /is not the master key the backup was made with/ })
  const fresh = join(dir, 'fresh')
  mkdirSync(fresh)
  t.match(await run(t, 'restore', file, '--data', fresh), { code: 0 })
  t.equal(readFileSync(join(fresh, 'master.key'), 'utf8'), `${KEY}\n`)
})

t.test('what is no backup is refused, and so is a missing store', async (t) => {
  const dir = t.testdir({ data: {}, 'no.backup': 'not a database at all' })
  const data = join(dir, 'data')
  const restored = await run(t, 'restore', join(dir, 'no.backup'), '--data', data)
  t.match(restored, { code: 3, stderr: /no\.backup/ })
  const taken = await run(t, 'backup', join(dir, 'x.backup'), '--data', data)
  t.match(taken, { code: 3, stderr: /the store can not be opened/ })
  const sqlite = await run(t, 'backup', join(dir, 'y'), '--store', 'postgres://nowhere/x')
  t.match(sqlite, { code: 2, stderr: /server\.master_key_file/ })
})
