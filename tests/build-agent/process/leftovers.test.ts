import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, rmdirSync, utimesSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { createCgroup } from '../../../src/build-agent/process/cgroup.ts'
import { launch } from '../../../src/build-agent/process/launch.ts'
import { killMarked } from '../../../src/build-agent/process/leftovers.ts'
import { sleep, systemClock as clock } from '../../../src/platform/index.ts'
import { isGone } from '../support/agent.ts'

t.test(
  'processes are found by their mark, also outside the group, and others are left alone',
  async (t) => {
    const value = t.testdir()
    const file = join(value, 'pid')
    const marked = spawn(
      '/bin/sh',
      ['-c', `setsid sh -c 'echo $$ > ${file}; exec sleep 600' & exec sleep 600`],
      {
        env: { PATH: process.env['PATH'], MARK: value },
        stdio: 'ignore',
      },
    )
    const other = spawn('sleep', ['600'], {
      env: { PATH: process.env['PATH'], MARK: `${value}-2` },
    })
    t.teardown(() => other.kill())
    await Promise.all([once(marked, 'spawn'), once(other, 'spawn')])
    const escaped = Number(await readWhenThere(file))
    t.equal(await killMarked({ name: 'MARK', value }, clock), true)
    t.ok(await isGone(escaped))
    t.ok(await isGone(marked.pid ?? 0))
    t.equal(other.exitCode ?? other.signalCode, null)
  },
)

t.test('a search that takes too long is ended, and says that it did not see all', async (t) => {
  let ms = 0
  const slow = { ...clock, monotonic: () => (ms += 1000) }
  const mark = { name: 'MARK', value: t.testdir() }
  t.equal(await killMarked(mark, slow), false)
  t.ok(ms < 20_000, 'right then')
})

t.test('a cgroup takes everything with it, where the machine has one', async (t) => {
  const cgroup = await createCgroup({ name: `test-${process.pid}`, clock, killedMs: 5000 })
  if (cgroup === null) {
    t.comment('there is no cgroup v2 that this user may use')
    return
  }
  const file = join(t.testdir(), 'pid')
  const running = await launch(
    {
      argv: ['/bin/sh', '-c', `env -i setsid sh -c 'echo $$ > ${file}; exec sleep 600' & wait`],
      cwd: '/',
      env: { PATH: process.env['PATH'] ?? '' },
    },
    { outputFd: 2, cgroupProcs: cgroup.procsFile, clock, killedMs: 1000 },
  )
  const escaped = Number(await readWhenThere(file))
  t.equal(await cgroup.destroy(), true)
  t.same(await running.exited, { exitCode: 137, signal: 'SIGKILL' })
  t.ok(await isGone(escaped))
  t.equal(await cgroup.destroy(), true, 'twice does no harm')
})

t.test('who joins a cgroup while it is being removed is killed, too', async (t) => {
  const asleep = Promise.withResolvers<() => void>()
  let sleeps = 0
  const place = {
    name: `late-${process.pid}`,
    killedMs: 5000,
    clock: {
      ...clock,
      after(delayMs: number, run: () => void) {
        sleeps += 1
        if (sleeps > 1) return clock.after(delayMs, run)
        asleep.resolve(run)
        return clock.after(0, () => undefined)
      },
    },
  }
  const cgroup = await createCgroup(place)
  if (cgroup === null) {
    t.comment('there is no cgroup v2 that this user may use')
    return
  }
  // A group below it keeps it from being gone at once.
  const below = join(cgroup.folder, 'below')
  mkdirSync(below)
  const destroyed = cgroup.destroy()
  const wake = await asleep.promise
  const script = `echo 0 > ${cgroup.procsFile}; echo in; exec sleep 600`
  const late = spawn('/bin/sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => void late.kill('SIGKILL'))
  const ended = once(late, 'exit')
  await once(late.stdout, 'data')
  rmdirSync(below)
  wake()
  t.equal(await destroyed, true)
  t.same(await ended, [null, 'SIGKILL'])
})

t.test('a cgroup that nobody uses any more is removed by the next agent', async (t) => {
  const place = { clock, killedMs: 5000 }
  const stale = await createCgroup({ ...place, name: `stale-${process.pid}` })
  if (stale === null) {
    t.comment('there is no cgroup v2 that this user may use')
    return
  }
  const next = await createCgroup({ ...place, name: `next-${process.pid}` })
  t.ok(existsSync(stale.folder), 'it may be in use in a moment')
  await next?.destroy()
  utimesSync(stale.folder, 0, 0)
  const last = await createCgroup({ ...place, name: `last-${process.pid}` })
  t.notOk(existsSync(stale.folder))
  await last?.destroy()
})

async function readWhenThere(file: string): Promise<string> {
  const late = AbortSignal.timeout(5000)
  for (;;) {
    const text = await readFile(file, 'utf8').catch(() => '')
    if (text !== '' || late.aborted) return text
    await sleep(clock, 10)
  }
}
