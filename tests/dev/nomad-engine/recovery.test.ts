/** What is left when the engine is killed, and what the next one makes of it. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import {
  aJob,
  eventTypes,
  eventually,
  isRunning,
  startTestEngine,
  talkTo,
  untilStatus,
} from './support.ts'

const program = join(import.meta.dirname, 'engine-process.ts')

function makeFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'recovery-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function startProcess(dataDir: string) {
  const child = spawn(process.execPath, [program, dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer]
  return { child, ...talkTo(chunk.toString().trim()) }
}

async function killHard(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await once(child, 'exit')
}

t.test('running tasks are found again after the engine was killed', async (t) => {
  const [dataDir, marks] = [makeFolder(t), makeFolder(t)]
  const first = await startProcess(dataDir)
  const line = (name: string, code: number) =>
    `echo started >> ${marks}/${name}; while [ ! -e ${marks}/go-${name} ]; do sleep 0.05; done; echo bye; exit ${code}`
  await first.register(aJob('during', line('during', 7)))
  await first.register(aJob('after', line('after', 0)))
  await first.register(aJob('stopped', 'exec sleep 60'))
  for (const id of ['during', 'after', 'stopped']) await untilStatus(first, id, 'running')
  await eventually(
    () => ['during', 'after'].every((name) => existsSync(join(marks, name))),
    'both tasks to run',
  )
  await killHard(first.child)

  // This one ends while nobody looks.
  writeFileSync(join(marks, 'go-during'), '')
  const exitFile = async () => {
    const { globSync } = await import('node:fs')
    return globSync(join(dataDir, 'client', '*', 'main', 'exit')).length === 1
  }
  await eventually(exitFile, 'the first task to end')

  const second = await startTestEngine(t, { dataDir })
  const during = await untilStatus(second, 'during', 'failed')
  const told = during.TaskStates?.['main']?.Events.map((event) => event.DisplayMessage)
  t.ok(told?.includes('Exit Code: 7'))

  writeFileSync(join(marks, 'go-after'), '')
  const after = await untilStatus(second, 'after', 'complete')
  const log = `/v1/client/fs/logs/${after.ID}?task=main&type=stdout&plain=true`
  t.equal(await (await second.fetch(log)).text(), 'bye\n')

  await second.send('DELETE', '/v1/job/stopped')
  const stopped = await untilStatus(second, 'stopped', 'complete')
  t.same(eventTypes(stopped).slice(-3), ['Killing', 'Terminated', 'Killed'])

  for (const name of ['during', 'after']) {
    t.equal(readFileSync(join(marks, name), 'utf8'), 'started\n', `${name} ran once`)
    t.equal((await second.allocations(name)).length, 1)
  }
})

t.test('an answered registration survives, and so do indexes and ids', async (t) => {
  const dataDir = makeFolder(t)
  const first = await startProcess(dataDir)
  const { JobModifyIndex } = await first.register(aJob('kept', 'exec sleep 60'))
  await killHard(first.child)
  const second = await startTestEngine(t, { dataDir })
  t.match(await second.get('/v1/job/kept'), { JobModifyIndex, Version: 0 })
  const running = await untilStatus(second, 'kept', 'running')
  const [node] = await second.get<{ ID: string }[]>('/v1/nodes')
  t.equal(running.NodeID, node?.ID)
  t.equal((await second.allocations('kept')).length, 1)
})

t.test('a folder has one engine', async (t) => {
  const { dataDir } = await startTestEngine(t)
  await t.rejects(startTestEngine(t, { dataDir }), { code: 'DATA_DIR_LOCKED' })
})

t.test('a start that fails leaves the folder free', async (t) => {
  const { engine } = await startTestEngine(t)
  const dataDir = makeFolder(t)
  await t.rejects(startTestEngine(t, { dataDir, port: engine.port }), { code: 'EADDRINUSE' })
  await startTestEngine(t, { dataDir })
})

t.test('closing stops every task, the stubborn ones too', async (t) => {
  const dataDir = makeFolder(t)
  const { child, ...talk } = await startProcess(dataDir)
  const more = { task: { KillTimeout: 30e9 } }
  const line = 'trap "" INT TERM; setsid sleep 61.7 & echo $$ $!; while :; do sleep 0.05; done'
  await talk.register(aJob('stubborn', line, more))
  const { ID } = await untilStatus(talk, 'stubborn', 'running')
  const pids = await eventually(async () => {
    const path = `/v1/client/fs/logs/${ID}?task=main&type=stdout&plain=true`
    const text = await (await talk.fetch(path)).text()
    return text.endsWith('\n') && text.trim().split(' ').map(Number)
  }, 'the pids')
  t.equal(pids.length, 2)
  const begun = performance.now()
  child.kill('SIGTERM')
  await once(child, 'exit')
  t.ok(performance.now() - begun < 15_000, 'long before its own kill timeout')
  await eventually(() => !pids.some(isRunning), 'the processes to be gone')

  const second = await startTestEngine(t, { dataDir })
  const [stopped] = await second.allocations('stubborn')
  t.match(stopped, { ClientStatus: 'complete' })
  t.ok(stopped && eventTypes(stopped).includes('Killed'))
})

t.test('tasks go on when the engine is closed without stopping them', async (t) => {
  const dataDir = makeFolder(t)
  const one = await startTestEngine(t, { dataDir })
  await one.register(aJob('long', 'exec sleep 60'))
  const before = await untilStatus(one, 'long', 'running')
  await one.engine.close({ stopTasks: false })
  const two = await startTestEngine(t, { dataDir })
  const [after] = await two.allocations('long')
  t.match(after, { ID: before.ID, ClientStatus: 'running' })
  await two.send('DELETE', '/v1/job/long')
  await untilStatus(two, 'long', 'complete')
})
