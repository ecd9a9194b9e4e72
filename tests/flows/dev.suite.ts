/** `caravan dev` and the commands that talk to it. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import type { Started } from '../support/caravan.ts'
import { caravan, lastLine, makeCheckout, startCaravan, toBuildLine } from '../support/caravan.ts'

const CONFIG = `version: 2.1
jobs:
  bytes:
    machine: true
    steps:
      - run: printf 'a\\000\\377b'
      - run: printf 'second'
  slow:
    machine: true
    steps:
      - run: echo begun; sleep 50
`

function startDev(folder: string): Started {
  return startCaravan(['dev', '--port', '0', '--nomad-port', '0', '--data', 'data'], folder)
}

t.test('dev prints one line when ready, serves builds, and leaves nothing behind', async (t) => {
  const folder = makeCheckout(t.testdir(), { '.circleci/config.yml': CONFIG })
  const dev = startDev(folder)
  t.teardown(() => dev.child.kill('SIGKILL'))
  const ready = JSON.parse(await dev.firstLine) as { api: string; nomad: string; data: string }
  t.match(ready.api, /^http:\/\/127\.0\.0\.1:\d+$/)
  t.match(ready.nomad, /^http:\/\/127\.0\.0\.1:\d+$/)
  t.equal(ready.data, join(folder, 'data'))
  const server = ['--server', ready.api]

  const done = await caravan(['run', '--job', 'bytes', '--json', ...server], folder)
  t.equal(done.code, 0, done.stderr)
  const build = toBuildLine(done.stdout)

  const raw = execFileSync(
    process.execPath,
    [join(import.meta.dirname, '../../bin/caravan.mjs')].concat(
      ['builds', 'output', '1', '--slice', '0', '--step', '0', '--raw'],
      server,
    ),
  )
  t.same(raw, Buffer.from([0x61, 0x00, 0xff, 0x62]), 'exactly the bytes the step wrote')

  const detached = await caravan(['run', '--job', 'slow', '--detach', ...server], folder)
  t.equal(detached.code, 0, detached.stderr)
  const list = await caravan(['builds', 'list', '--json', ...server], folder)
  const builds = JSON.parse(list.stdout) as { id: string; number: number; job: string }[]
  t.same(
    builds.map(({ number, job }) => [number, job]),
    [
      [2, 'slow'],
      [1, 'bytes'],
    ],
    'newest first',
  )
  t.equal(builds[1]?.id, build.id)

  const jobs = (await (await fetch(`${ready.nomad}/v1/jobs`)).json()) as { ID: string }[]
  t.ok(
    jobs.some((job) => job.ID === build.slices[0]?.nomad_job_id),
    'Nomad still shows the job of the finished slice',
  )

  const second = await startDev(folder).ended
  t.equal(second.code, 2)
  t.match(second.stderr, /data/, 'a second start on the same data directory is refused')

  const again = await caravan(['builds', 'rerun', '1', '--json', ...server], folder)
  t.equal(again.code, 0, again.stderr)
  t.match(JSON.parse(lastLine(again.stdout)), { number: 3, rerun_of: 1, state: 'succeeded' })
  const nothing = await caravan(['builds', 'rerun', '1', '--failed', ...server], folder)
  t.equal(nothing.code, 2)
  t.match(nothing.stderr, /every slice of build 1 succeeded/)

  const canceled = await caravan(['builds', 'cancel', '2', ...server], folder)
  t.equal(canceled.code, 0)
  const shown = await caravan(['builds', 'show', '1', ...server], folder)
  t.match(shown.stdout, build.slices[0]?.nomad_job_id ?? 'a job id')

  const stopped = Date.now()
  dev.child.kill('SIGTERM')
  const { code, stdout } = await dev.ended
  t.equal(code, 0)
  t.equal(stdout.trimEnd().split('\n').length, 1, 'exactly one line on stdout')
  t.ok(Date.now() - stopped < 8000, 'it stops soon')
  t.equal(processesNaming(folder), '', 'no process is left behind')
})

t.test('builds outlive a restart of dev', async (t) => {
  const folder = makeCheckout(t.testdir(), { '.circleci/config.yml': CONFIG })
  const first = startDev(folder)
  t.teardown(() => first.child.kill('SIGKILL'))
  const before = JSON.parse(await first.firstLine) as { api: string }
  await caravan(['run', '--job', 'bytes', '--server', before.api], folder)
  const slow = startCaravan(['run', '--job', 'slow', '--server', before.api], folder)
  t.equal(await slow.firstLine, '[0] -- echo begun; sleep 50')
  first.child.kill('SIGTERM')
  await first.ended

  const again = startDev(folder)
  t.teardown(() => again.child.kill('SIGKILL'))
  const after = JSON.parse(await again.firstLine) as { api: string }
  const run = await caravan(['run', '--job', 'bytes', '--server', after.api], folder)
  t.match(lastLine(run.stdout), /^build 3 succeeded/)
  const shown = await caravan(['builds', 'show', '2', '--json', '--server', after.api], folder)
  t.match(JSON.parse(shown.stdout), {
    state: 'running',
    slices: [{ epoch: 2, earlier_attempts: [{ epoch: 1, reason: 'drained' }] }],
  })
  slow.child.kill('SIGKILL')
  const output = await caravan(
    ['builds', 'output', '1', '--step', '1', '--raw', '--server', after.api],
    folder,
  )
  t.equal(output.stdout, 'second')
  again.child.kill('SIGTERM')
  await again.ended
})

/** Command lines of processes that have to do with this folder. */
function processesNaming(folder: string): string {
  const all = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' })
  return all
    .split('\n')
    .filter((line) => line.includes(folder))
    .join('\n')
}
