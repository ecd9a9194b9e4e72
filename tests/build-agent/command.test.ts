import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { aTask, isGone } from './support/agent.ts'
import { ProtocolServer, SLICE, TOKEN } from './support/protocol-server.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

t.test('the command reads its environment, hides the token and tells its story', async (t) => {
  const server = await ProtocolServer.start(t, { task: aTask({ steps: ['env', 'exit 3'] }) })
  const { child, stderr } = start(t, [], environmentOf(t, server))
  const [code] = await once(child, 'exit')
  t.equal(code, 0)
  t.notMatch(server.output(0).toString(), new RegExp(`${TOKEN}|CARAVAN_|NOMAD_`))
  t.match(server.sliceFinished, { result: 'failed', reason: 'exit_code' })
  const log = await stderr
  t.match(
    log,
    /slice claimed .*slice accepted.*step started step=0 .*step finished step=1 .*exit=3 seconds=.*slice finished/s,
  )
  t.notMatch(log, TOKEN)
})

t.test(
  'flags stand in for the environment, and all that is missing is named at once',
  async (t) => {
    const server = await ProtocolServer.start(t, { task: aTask({ steps: ['echo by hand'] }) })
    const flags = Object.entries({
      url: server.url,
      slice: SLICE,
      epoch: '1',
      token: TOKEN,
      'alloc-id': 'by-hand',
      'alloc-dir': join(t.testdirName, 'alloc'),
      'task-dir': join(t.testdirName, 'local'),
    }).map(([name, value]) => `--${name}=${value}`)
    t.testdir()
    const whole = start(t, flags, {})
    t.same(await once(whole.child, 'exit'), [0, null])
    t.equal(server.output(0).toString(), 'by hand\n')
    const part = start(t, flags.slice(0, 3), {})
    t.same(await once(part.child, 'exit'), [2, null])
    t.match(
      await part.stderr,
      /missing:\n {2}--token or CARAVAN_CLAIM_TOKEN.*\n {2}--alloc-id or NOMAD_ALLOC_ID/,
    )
  },
)

t.test('a real SIGTERM ends the steps, is reported, and has its exit code', async (t) => {
  const server = await ProtocolServer.start(t, {
    task: aTask({ steps: ['trap "echo bye; exit 0" TERM; echo up; while :; do sleep 0.05; done'] }),
  })
  const { child } = start(t, [], environmentOf(t, server))
  await server.until(() => server.output(0).length > 0)
  child.kill('SIGTERM')
  t.same(await once(child, 'exit'), [143, null])
  t.match(server.output(0).toString(), /^up\n(?:Terminated\n)?bye\n$/)
  t.match(server.sliceFinished, { result: 'infrastructure_failed', reason: 'drained' })
})

t.test('C-48: an agent that is killed takes the processes of its steps with it', async (t) => {
  const steps = ['setsid sh -c "echo \\$\\$; exec sleep 600" & echo $$; sleep 600']
  const server = await ProtocolServer.start(t, { task: aTask({ steps }) })
  const { child } = start(t, [], environmentOf(t, server))
  await server.until(() => server.output(0).toString().split('\n').length === 3)
  const pids = server.output(0).toString().trim().split('\n').map(Number)
  child.kill('SIGKILL')
  for (const pid of pids) t.ok(await isGone(pid), `${pid} is gone`)
})

function start(t: Test, args: readonly string[], environment: Record<string, string>) {
  const child = spawn(process.execPath, [MAIN, 'build-agent', ...args], {
    env: { PATH: process.env['PATH'], ...environment },
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  return { child, stderr: text(child.stderr) }
}

function environmentOf(t: Test, server: ProtocolServer): Record<string, string> {
  const folder = t.testdir()
  return {
    CARAVAN_URL: server.url,
    CARAVAN_SLICE: SLICE,
    CARAVAN_EPOCH: '1',
    CARAVAN_CLAIM_TOKEN: TOKEN,
    NOMAD_ALLOC_ID: 'allocation-1',
    NOMAD_ALLOC_DIR: join(folder, 'alloc'),
    NOMAD_TASK_DIR: join(folder, 'local'),
    NOMAD_TOKEN: 'secret',
  }
}
