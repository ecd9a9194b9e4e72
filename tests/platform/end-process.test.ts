/** Programs that end, as processes of their own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t, { type Test } from 'tap'

const PLATFORM = new URL('../../src/platform/index.ts', import.meta.url).href

/** Far more than a pipe holds. */
const BYTES = 3_000_000

function start(t: Test, script: string) {
  const args = ['--input-type=module', '-e', `import { endProcess } from '${PLATFORM}'\n${script}`]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = once(child, 'exit').then(([code]) => code as number | null)
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
  })
  return { child, exited }
}

const WRITES = `process.stdout.write('x'.repeat(${BYTES}))\nprocess.stderr.write('written')`

t.test('a slow reader gets all that was written, and the exit code is kept', async (t) => {
  const { child, exited } = start(t, `${WRITES}\nawait endProcess(7)`)
  await once(child.stderr, 'data')
  let length = 0
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) length += chunk.length
  t.equal(length, BYTES)
  t.equal(await exited, 7)
})

t.test('a reader who takes nothing is waited for no longer than it was said', async (t) => {
  const { exited } = start(t, `${WRITES}\nawait endProcess(3, 50)`)
  t.equal(await exited, 3)
})

t.test('a reader who goes away is waited for no longer', async (t) => {
  const gone = "process.stdout.on('error', () => undefined)"
  const { child, exited } = start(t, `${gone}\n${WRITES}\nawait endProcess(0)`)
  await once(child.stderr, 'data')
  child.stdout.destroy()
  t.equal(await exited, 0)
})

t.test('nothing that is still open holds a program whose work is done', async (t) => {
  const { exited } = start(
    t,
    `import { createServer } from 'node:net'
     import { spawn } from 'node:child_process'
     createServer().listen(0, '127.0.0.1')
     setInterval(() => undefined, 1000)
     const children = Array.from({ length: 30 }, () => spawn('sleep', ['60']))
     for (const child of children) child.kill('SIGKILL')
     await endProcess(0)`,
  )
  t.equal(await exited, 0)
})
