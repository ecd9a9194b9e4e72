import { closeSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  listLogs,
  logFile,
  openLog,
  rotateLogs,
} from '../../../../src/dev/nomad-engine/client/log-files.ts'
import { readFrames } from '../../../../src/dev/nomad-engine/http/frames.ts'
import { TestClock } from '../../../../src/platform/index.ts'

const limits = { filesMax: 3, bytesMax: 10 }

t.test('a writer that knows nothing of it goes on in a new file', (t) => {
  const folder = t.testdir()
  const output = openLog(logFile(folder, 'main', 'stdout'))
  t.teardown(() => closeSync(output))
  const state = () =>
    listLogs(folder, 'main', 'stdout').map(({ name, path }) => [name, readFileSync(path, 'utf8')])

  writeSync(output, 'too short')
  rotateLogs(folder, 'main', 'stdout', limits)
  t.same(state(), [['main.stdout.0', 'too short']])

  writeSync(output, ', now not')
  rotateLogs(folder, 'main', 'stdout', limits)
  writeSync(output, 'second')
  t.same(state(), [
    ['main.stdout.0', 'too short, now not'],
    ['main.stdout.1', 'second'],
  ])

  for (const text of ['5678901234', '5678901234']) {
    writeSync(output, text)
    rotateLogs(folder, 'main', 'stdout', limits)
  }
  const names = state().map(([name]) => name)
  t.same(names, ['main.stdout.1', 'main.stdout.2', 'main.stdout.3'], 'the oldest is gone')
  t.end()
})

t.test('files of another task or stream are not touched', (t) => {
  const folder = t.testdir({
    'main.stdout.0': 'x'.repeat(20),
    'main.stderr.0': 'x'.repeat(20),
    'main.stdout.0.bak': '',
    'other.stdout.0': 'x'.repeat(20),
  })
  rotateLogs(folder, 'main', 'stdout', limits)
  t.same(
    listLogs(folder, 'main', 'stderr').map((file) => file.name),
    ['main.stderr.0'],
  )
  t.same(
    listLogs(folder, 'other', 'stdout').map((file) => file.name),
    ['other.stdout.0'],
  )
  t.equal(listLogs(join(folder, 'nowhere'), 'main', 'stdout').length, 0)
  t.end()
})

t.test('a follower reads across rotations without losing or repeating a byte', async (t) => {
  const folder = t.testdir()
  const output = openLog(logFile(folder, 'main', 'stdout'))
  t.teardown(() => closeSync(output))
  const clock = new TestClock()
  const abort = new AbortController()
  const source = {
    list: () => listLogs(folder, 'main', 'stdout'),
    label: (file: { path: string }) => file.path,
  }
  const options = { origin: 'start', offset: 0, follow: true } as const
  const frames = readFrames(clock, source, options, abort.signal)
  let seen = ''
  const reading = (async () => {
    for await (const frame of frames) if (frame && 'data' in frame) seen += frame.data.toString()
  })()
  let written = ''
  for (let line = 0; line < 12; line++) {
    const text = `line ${line}\n`
    writeSync(output, text)
    written += text
    // Sometimes read before the rotation, sometimes only after it.
    if (line % 3 === 0) await clock.tick(100)
    rotateLogs(folder, 'main', 'stdout', { filesMax: 20, bytesMax: 10 })
  }
  await clock.tick(1000)
  abort.abort()
  await clock.tick(100)
  await reading
  t.equal(seen, written)
})
