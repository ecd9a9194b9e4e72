import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { sweep } from '../../src/build-agent/index.ts'
import { silentLog, systemClock, systemRandom } from '../../src/platform/index.ts'
import { aTask, startAgent } from './support/agent.ts'
import { ProtocolServer, SLICE, TOKEN } from './support/protocol-server.ts'

const CARAVAN = fileURLToPath(new URL('../../bin/caravan.mjs', import.meta.url))

t.test(
  'C-48: what an agent that was killed has spooled is delivered by the next sweep',
  async (t) => {
    let isAway = false
    const server = await ProtocolServer.start(t, {
      task: aTask({
        steps: [
          'echo done',
          'echo begun; while [ ! -e go ]; do sleep 0.02; done; seq 1 20000; sleep 60',
        ],
      }),
      trouble: ({ name }) => (isAway && name === 'output' ? { status: 503 } : undefined),
    })
    const dir = await aFolder(t)
    const agent = spawnAgent(server, dir)
    await server.until(() => server.output(1).toString() === 'begun\n')
    isAway = true
    await writeFile(join(dir, 'a/local/home/project/go'), '')
    const calls = server.calls.output
    await server.until(() => server.calls.output > calls + 1)
    agent.kill('SIGKILL')
    await new Promise((resolve) => agent.once('exit', resolve))
    t.equal(server.output(1).toString(), 'begun\n')

    isAway = false
    t.same(await sweepDir(dir), { delivered: 1, removed: 0, kept: 0 })
    const text = server.output(1).toString()
    t.match(text, /^begun\n1\n2\n/)
    t.match(text, /\n20000\n\n\[caravan: the agent was killed here; what followed is lost\]\n$/)
    t.same(server.violations, [])
    t.same(await readdir(join(dir, 'a/alloc/caravan/spool')), [], 'nothing is left')
    t.same(await sweepDir(dir), { delivered: 0, removed: 0, kept: 0 })
  },
)

t.test(
  'an agent that has to end with output left says so, and the sweep completes it',
  async (t) => {
    let isAway = true
    const server = await ProtocolServer.start(t, {
      task: aTask({ steps: ['seq 1 5000'] }),
      trouble: ({ name }) => (isAway && name === 'output' ? { status: 503 } : undefined),
    })
    const dir = await aFolder(t)
    const agent = spawnAgent(server, dir)
    await server.until(() => server.finished(0) !== undefined)
    agent.kill('SIGTERM')
    await server.until(() => server.calls.why > 0)
    agent.kill('SIGTERM')
    const code = await new Promise((resolve) => agent.once('exit', resolve))
    t.equal(code, 30)
    t.same(await sweepDir(dir, 500), { delivered: 0, removed: 0, kept: 1 }, 'not taken yet: kept')
    isAway = false
    t.same(await sweepDir(dir), { delivered: 1, removed: 0, kept: 0 })
    t.same(server.checkOutputs(), [], 'byte by byte what the agent announced')
  },
)

t.test('the spool of a slice that has gone to another agent is removed', async (t) => {
  const server = await ProtocolServer.start(t, {
    task: aTask({ steps: ['echo begun; sleep 60'] }),
    flushMs: 60_000,
  })
  const dir = await aFolder(t)
  const agent = spawnAgent(server, dir)
  await server.until(() => server.output(0).length > 0)
  t.same(await sweepDir(dir), { delivered: 0, removed: 0, kept: 0 }, 'one in use is left alone')
  agent.kill('SIGKILL')
  await new Promise((resolve) => agent.once('exit', resolve))
  server.fence()
  t.same(await sweepDir(dir), { delivered: 0, removed: 1, kept: 0 })
})

t.test('an agent sweeps what others have left beside it', async (t) => {
  const server = await ProtocolServer.start(t, { task: aTask({ steps: ['true'] }) })
  const agent = await startAgent(t, server)
  t.equal(await agent.exit, 0)
  t.notMatch(agent.log(), /was not swept/)
})

async function aFolder(t: Test): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'caravan-sweep-'))
  t.teardown(async () => rm(dir, { recursive: true, force: true }))
  return dir
}

function spawnAgent(server: ProtocolServer, dir: string) {
  const { PATH = '' } = process.env
  return spawn(process.execPath, [CARAVAN, 'build-agent'], {
    stdio: 'ignore',
    env: {
      PATH,
      CARAVAN_URL: server.url,
      CARAVAN_SLICE: SLICE,
      CARAVAN_EPOCH: '1',
      CARAVAN_CLAIM_TOKEN: TOKEN,
      NOMAD_ALLOC_ID: 'allocation-1',
      NOMAD_ALLOC_DIR: join(dir, 'a/alloc'),
      NOMAD_TASK_DIR: join(dir, 'a/local'),
    },
  })
}

async function sweepDir(allocationsDir: string, limitMs = 20_000) {
  return await sweep({
    spoolRoots: [],
    allocationsDir,
    spoolsMax: 10,
    limitMs,
    signal: new AbortController().signal,
    clock: systemClock,
    log: silentLog,
    random: systemRandom,
  })
}

t.test('a spool that was never used is removed, once nobody can be about to use it', async (t) => {
  const dir = await aFolder(t)
  const root = join(dir, 'a/alloc/caravan/spool')
  const unused = `${SLICE}-epoch-1-00c0ffee`
  for (const name of [unused, 'somebody-elses']) await mkdir(join(root, name), { recursive: true })
  await writeFile(join(root, unused, 'spool.json.new'), '')
  t.same(await sweepDir(dir), { delivered: 0, removed: 0, kept: 0 })
  const longAgo = new Date(systemClock.now() - 61_000)
  for (const name of await readdir(root)) await utimes(join(root, name), longAgo, longAgo)
  t.same(await sweepDir(dir), { delivered: 0, removed: 1, kept: 0 })
  t.same(await readdir(root), ['somebody-elses'])
})
