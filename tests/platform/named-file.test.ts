import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { readNamedFile } from '../../src/platform/index.ts'
import { aSocketPath } from '../support/socket-path.ts'

const run = promisify(execFile)

function makePipe(t: Test): string {
  const pipe = join(t.testdir(), 'pipe')
  execFileSync('mkfifo', [pipe])
  return pipe
}

t.test('a file is read as it is', async (t) => {
  const file = join(t.testdir({ file: 'words: ä\n', empty: '' }), 'file')
  t.equal(await readNamedFile(file), 'words: ä\n')
  t.equal(await readNamedFile(join(t.testdirName, 'empty')), '')
  t.equal(await readNamedFile('/dev/null'), '')
  await t.rejects(readNamedFile(join(t.testdirName, 'gone')), { code: 'ENOENT' })
})

t.test('a pipe that nobody writes to is waited for no longer than it may be', async (t) => {
  const pipe = makePipe(t)
  await t.rejects(readNamedFile(pipe, { withinMs: 50 }), {
    message: 'it is a pipe that nobody wrote to its end within 0.05 s',
  })
  // Opens it, and says nothing.
  const writer = spawn('sh', ['-c', 'exec sleep 60 >"$1"', 'sh', pipe], { stdio: 'ignore' })
  t.teardown(() => end(writer))
  await t.rejects(readNamedFile(pipe, { withinMs: 300 }), /nobody wrote to its end/)
})

t.test(
  'what somebody writes into a pipe is read to its end, also when he comes late',
  async (t) => {
    const pipe = makePipe(t)
    const reading = readNamedFile(pipe)
    const text = 'a line\n'.repeat(50_000)
    await Promise.all([writeFile(pipe, text), reading])
    t.equal(await reading, text)
  },
)

t.test(
  'a pipe that a shell has made of a command, and standard input, are read by name',
  async (t) => {
    const platform = new URL('../../src/platform/index.ts', import.meta.url).href
    const script = `const { readNamedFile } = await import('${platform}')
    for (const name of process.argv.slice(1)) console.log(await readNamedFile(name))`
    const { stdout } = await run('bash', [
      '-c',
      'printf input | "$0" --input-type=module -e "$1" <(sleep 0.1; printf late) <(true) /dev/stdin',
      process.execPath,
      script,
    ])
    t.equal(stdout, 'late\n\ninput\n')
  },
)

t.test('what is no file of words is told in words', async (t) => {
  const folder = t.testdir({ binary: Buffer.from([127, 69, 76, 70, 0, 1]) })
  await t.rejects(readNamedFile(folder), { message: 'it is a folder' })
  await t.rejects(readNamedFile(join(folder, 'binary')), { message: 'it is no text in UTF-8' })
  await t.rejects(readNamedFile('/dev/zero'), { message: 'it is larger than 4 MiB' })
  const socket = aSocketPath(t)
  const server = createServer().listen(socket)
  await once(server, 'listening')
  t.teardown(() => server.close())
  await t.rejects(readNamedFile(socket), { message: /^it is a socket: / })
})

async function end(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close')
  child.kill('SIGKILL')
  await closed
}
