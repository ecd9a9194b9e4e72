/** Networks that part, and agents that are one too many. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { spawnAgent, sweepCommand } from '../../build-agent/support/agent-process.ts'
import { aTask, isGone, startAgent } from '../../build-agent/support/agent.ts'
import { ProtocolServer } from '../../build-agent/support/protocol-server.ts'

t.test(
  'C-54: an allocation that is started again in place is told that it is too late',
  async (t) => {
    const server = await ProtocolServer.start(t, { task: aTask({ steps: ['echo once; exit 1'] }) })
    const dir = await mkdtemp(join(tmpdir(), 'caravan-fencing-'))
    t.teardown(async () => rm(dir, { recursive: true, force: true }))
    const first = await startAgent(t, server, { dir })
    t.equal(await first.exit, 0)
    const second = await startAgent(t, server, { dir })
    t.equal(await second.exit, 10)
    t.equal(server.output(0).toString(), 'once\n')
    t.equal(server.calls.accept, 1)
  },
)

t.test('C-55: of two agents on two sides of a partition only the newer one counts', async (t) => {
  let isParted = false
  const server = await ProtocolServer.start(t, {
    task: aTask({ steps: ['echo $$; until [ -e go ]; do sleep 0.02; done; echo ended'] }),
    trouble: ({ epoch }) => (isParted && epoch === 1 ? { cut: 'before' } : undefined),
  })
  const old = await startAgent(t, server)
  await server.until(() => server.output(0).length > 0)
  const pid = Number(server.output(0).toString())
  isParted = true
  server.replace()
  const young = await startAgent(t, server, { epoch: 2 })
  await server.until(() => server.output(0).length > 0)
  t.not(Number(server.output(0).toString()), pid)
  t.equal(await isRunning(pid), true, 'behind the partition its step runs on')
  isParted = false
  t.equal(await old.exit, 12)
  t.ok(await isGone(pid), 'its step is ended')
  t.same(await readdir(join(old.allocation.dir, 'caravan/spool')), [], 'its spool is gone')
  await writeFile(join(young.allocation.taskDir, 'home/project/go'), '')
  t.equal(await young.exit, 0)
  t.equal(server.output(0).toString().split('\n').length, 3, 'nothing of the old one is in it')
  t.match(server.sliceFinished, { result: 'succeeded' })
  t.same([server.violations, server.checkOutputs()], [[], []])
})

t.test(
  'C-56: an agent goes on after its lease, also to the next step, and ends as it would',
  async (t) => {
    let isAway = false
    const server = await ProtocolServer.start(t, {
      task: aTask({
        steps: ['echo one; until [ -e go ]; do sleep 0.02; done', 'sleep 0.5; echo two'],
      }),
      leaseMs: 200,
      trouble: () => (isAway ? { cut: 'before' } : undefined),
    })
    const agent = await startAgent(t, server)
    await server.until(() => server.output(0).length > 0)
    isAway = true
    await writeFile(join(agent.allocation.taskDir, 'home/project/go'), '')
    await until(() => /step finished step=1/.test(agent.log()))
    isAway = false
    t.equal(await agent.exit, 0)
    t.equal(server.output(1).toString(), 'two\n')
    t.match(server.sliceFinished, { result: 'succeeded' })
    t.same([server.violations, server.checkOutputs()], [[], []])
  },
)

t.test(
  'C-56: an agent that was alone for the orphan limit leaves its output to the sweep',
  async (t) => {
    let isAway = false
    const server = await ProtocolServer.start(t, {
      task: aTask({
        steps: [
          'echo $$; until [ -e go ]; do sleep 0.02; done; seq 1 20000; sleep 600',
          'echo never',
        ],
        limits: { orphan_ms: 1000 },
      }),
      trouble: () => (isAway ? { cut: 'before' } : undefined),
    })
    const dir = await mkdtemp(join(tmpdir(), 'caravan-fencing-'))
    t.teardown(async () => rm(dir, { recursive: true, force: true }))
    const agent = spawnAgent(t, server, { dir })
    await server.until(() => server.output(0).length > 0)
    const pid = Number(server.output(0).toString())
    isAway = true
    await writeFile(join(dir, 'a/local/home/project/go'), '')
    t.equal(await agent.exit, 30)
    t.ok(await isGone(pid))
    // Meanwhile the server has ended the slice as agent_lost: it takes its output, and nothing else.
    isAway = false
    server.isOver = true
    const events = server.events.length
    t.equal((await sweepCommand(['--allocations-dir', dir])).code, 0)
    t.match(server.output(0).toString(), /^\d+\n1\n2\n3\n/)
    t.match(server.output(0).toString(), /\n19999\n20000\n$/)
    t.equal(server.events.length, events, 'its result stays as it is')
    t.same(await readdir(join(dir, 'a/alloc/caravan/spool')), [])
    t.same(server.violations, [])
  },
)

t.test('C-55: the spool of a slice that another agent has is removed, not delivered', async (t) => {
  let isAway = false
  const server = await ProtocolServer.start(t, {
    task: aTask({
      steps: ['echo up; until [ -e go ]; do sleep 0.02; done; echo late; sleep 600'],
      limits: { orphan_ms: 700 },
    }),
    trouble: ({ epoch }) => (isAway && epoch === 1 ? { cut: 'before' } : undefined),
  })
  const dir = await mkdtemp(join(tmpdir(), 'caravan-fencing-'))
  t.teardown(async () => rm(dir, { recursive: true, force: true }))
  const agent = spawnAgent(t, server, { dir })
  await server.until(() => server.output(0).length > 0)
  isAway = true
  await writeFile(join(dir, 'a/local/home/project/go'), '')
  t.equal(await agent.exit, 30)
  server.replace()
  isAway = false
  const { code, stderr } = await sweepCommand(['--allocations-dir', dir])
  t.equal(code, 0)
  t.match(stderr, /outcome=refused/)
  t.equal(server.output(0).length, 0)
  t.same(await readdir(join(dir, 'a/alloc/caravan/spool')), [])
})

async function isRunning(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function until(condition: () => boolean): Promise<void> {
  const late = AbortSignal.timeout(30_000)
  while (!condition()) {
    late.throwIfAborted()
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
