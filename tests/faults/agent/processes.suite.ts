/** What steps start, and what they do to each other and to the agent. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { isGroupAlive, signalGroup } from '../../../src/build-agent/process/group.ts'
import { systemClock } from '../../../src/platform/index.ts'
import { spawnAgent, sweepCommand } from '../../build-agent/support/agent-process.ts'
import { aTask, isGone, runToEnd, startAgent } from '../../build-agent/support/agent.ts'
import { ProtocolServer } from '../../build-agent/support/protocol-server.ts'
import { isRoot, leaveOut, makeFreezer } from './support/machine.ts'

/** A process that is never the same one: each starts the next, outside of every group, and ends. */
const HOP = 'echo x >> hops; sleep 0.01; setsid sh hop > /dev/null 2>&1 &'
const HOPPERS = `echo '${HOP}' > hop; for i in 1 2 3 4 5; do sh hop; done; until [ "$(wc -l < hops)" -gt 50 ]; do sleep 0.02; done; pwd`
/** Words that hide the version 2 control groups from a program. */
const WITHOUT_GROUPS = [
  'unshare',
  '--mount',
  'sh',
  '-c',
  'for place in $(sed -n "s/^[^ ]* \\([^ ]*\\) cgroup2 .*/\\1/p" /proc/mounts); do umount -l "$place"; done; exec "$@"',
  'sh',
]

for (const { groups, prefix } of [
  { groups: 'the control group', prefix: [] },
  { groups: 'a search for the mark', prefix: WITHOUT_GROUPS },
]) {
  t.test(`C-32: ${groups} ends processes that are born while others die`, async (t) => {
    if (prefix.length > 0 && !isRoot()) return leaveOut(t, 'only root can hide control groups')
    const server = await ProtocolServer.start(t, { task: aTask({ steps: [HOPPERS] }) })
    const agent = spawnAgent(t, server, { dir: await aFolder(t), prefix })
    t.equal(await agent.exit, 0)
    t.notMatch(agent.log(), /processes of the job may be left/)
    const file = join(server.output(0).toString().trim(), 'hops')
    const hops = await readFile(file, 'utf8')
    await pause(300)
    t.equal(await readFile(file, 'utf8'), hops, 'nobody hops any more')
  })
}

t.test(
  'C-34: a step that ends its agent with TERM is ended too, and what it wrote is told',
  async (t) => {
    const server = await ProtocolServer.start(t, {
      task: aTask({ steps: ['echo $$; kill -TERM $PPID; sleep 30'] }),
    })
    const agent = spawnAgent(t, server, { dir: await aFolder(t) })
    t.equal(await agent.exit, 143)
    t.ok(await isGone(Number(server.output(0).toString().split('\n')[0])))
    t.match(server.sliceFinished, { result: 'infrastructure_failed', reason: 'drained' })
    t.same([server.violations, server.checkOutputs()], [[], []])
  },
)

t.test('C-34: a step that kills its agent dies with it, and its output is delivered', async (t) => {
  let isAway = false
  const server = await ProtocolServer.start(t, {
    task: aTask({
      steps: [
        'echo $$; until [ -e go ]; do sleep 0.02; done; seq 1 5000; sleep 0.2; kill -KILL $PPID; sleep 600',
      ],
    }),
    trouble: ({ name }) => (isAway && name === 'output' ? { status: 503 } : undefined),
  })
  const dir = await aFolder(t)
  const agent = spawnAgent(t, server, { dir })
  await server.until(() => server.output(0).length > 0)
  const pid = Number(server.output(0).toString())
  isAway = true
  await writeFile(join(dir, 'a/local/home/project/go'), '')
  t.equal(await agent.exit, null)
  t.ok(await isGone(pid))
  isAway = false
  t.equal((await sweepCommand(['--allocations-dir', dir])).code, 0)
  t.match(server.output(0).toString(), /\n5000\n\n\[caravan: the agent was killed here/)
  t.same(server.violations, [])
})

t.test('C-35: processes that nobody collects do not keep a step from ending', async (t) => {
  if (!isRoot()) return leaveOut(t, 'only root can be the first process of a machine')
  const server = await ProtocolServer.start(t, {
    task: aTask({
      steps: [
        { command: '(sleep 0.05 &); (sleep 0.05 &); sleep 0.2; exit 3', name: 'leaves zombies' },
        { command: '(sleep 0.05 &); sleep 0.2; echo up; sleep 60', when: 'always' },
      ],
    }),
  })
  const prefix = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc']
  const agent = spawnAgent(t, server, { dir: await aFolder(t), prefix })
  await server.until(() => server.output(1).toString() === 'up\n')
  t.match(server.finished(0), { exit_code: 3 }, 'its own child is still its own to collect')
  const askedMs = systemClock.monotonic()
  server.order({ action: 'cancel', reason: 'canceled_by_user' })
  t.equal(await agent.exit, 0)
  t.ok(systemClock.monotonic() - askedMs < 8000, 'without waiting for the grace to end')
  t.match(server.finished(1), { state: 'canceled', signal: 'SIGTERM' })
})

t.test('C-35: a group of which only uncollected processes are left is over', async (t) => {
  const child = spawn('sh', ['-c', 'setsid sh -c "echo \\$\\$" & exec sleep 30'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const [bytes] = (await once(child.stdout, 'data')) as [Buffer]
  const group = Number(bytes.toString())
  t.ok(await isGone(group))
  t.equal(signalGroup(group, 0), true, 'for a signal it is still there')
  t.equal(await isGroupAlive(group), false)
})

t.test('C-36: a process that not even KILL ends is given up after a time', async (t) => {
  const freezer = makeFreezer(t, 'stuck')
  if (freezer === null) return leaveOut(t, 'nothing on this machine makes a process unkillable')
  const server = await ProtocolServer.start(t, { task: aTask({ steps: ['echo $$; sleep 600'] }) })
  const agent = await startAgent(t, server, { timings: { graceMs: 200, killedMs: 500 } })
  await server.until(() => server.output(0).length > 0)
  freezer.freeze(Number(server.output(0).toString()))
  server.order({ action: 'cancel', reason: 'canceled_by_user' })
  t.equal(await agent.exit, 0)
  t.match(server.finished(0), { state: 'canceled', exit_code: null, signal: 'SIGKILL' })
  t.match(server.sliceFinished, { result: 'canceled', reason: 'canceled_by_user' })
  t.match(agent.log(), /processes of the job may be left/)
})

t.test(
  'C-39: a variable that no program can be started with is named before any step',
  async (t) => {
    for (const values of [
      { SMALL: 'x', HUGE: 'x'.repeat(131_073) },
      Object.fromEntries(Array.from({ length: 25 }, (_, n) => [`V${n}`, 'y'.repeat(120_000)])),
    ]) {
      const { server, code } = await runToEnd(
        t,
        aTask({ environment: [{ layer: 'project', values }], steps: ['echo never'] }),
      )
      t.equal(code, 0)
      t.match(server.sliceFinished, {
        result: 'failed',
        reason: 'config_error',
        detail:
          'HUGE' in values ? /the environment variable HUGE is too large/ : /largest variable is V/,
      })
      t.equal(server.started(0), undefined)
    }
  },
)

t.test('C-40: what a project sets for its programs does not reach git in a checkout', async (t) => {
  const values = {
    LD_PRELOAD: '/nonexistent/hook.so',
    GIT_SSH_COMMAND: '/nonexistent/ssh',
    GIT_EXEC_PATH: '/nonexistent',
    IFS: 'aeiou',
    BASH_ENV: '/nonexistent/env',
    ENV: '/nonexistent/env',
  }
  const { server, log } = await runToEnd(
    t,
    aTask({
      environment: [{ layer: 'project', values }],
      source: { kind: 'git', url: 'file:///no/such/repository' },
      build: { ...aTask().build, sha: 'a'.repeat(40) },
      steps: [
        { kind: 'checkout', name: 'Checkout code' },
        { command: 'echo "$LD_PRELOAD"', when: 'always', name: 'own' },
      ],
    }),
  )
  t.match(server.output(0).toString(), /does not appear to be a git repository/)
  t.notMatch(server.output(0).toString() + log, /ld\.so|nonexistent/)
  t.match(server.output(1).toString(), /\/nonexistent\/hook\.so\n$/, 'the step itself has it')
})

t.test(
  'C-40: NODE_OPTIONS of a project are for its programs, not for the circleci command',
  async (t) => {
    const values = { NODE_OPTIONS: '--require /nonexistent/hook.js' }
    const server = await ProtocolServer.start(t, {
      task: aTask({
        environment: [{ layer: 'project', values }],
        steps: [
          'printf "b\\na\\n" | circleci tests split 2> err; cat err',
          `echo x | circleci tests run --command 'echo "$NODE_OPTIONS"'`,
          `"${process.execPath}" -e 0`,
        ],
      }),
    })
    const agent = spawnAgent(t, server, { dir: await aFolder(t) })
    t.equal(await agent.exit, 0)
    t.equal(server.output(0).toString(), 'b\na\n')
    t.equal(server.output(1).toString(), `${values.NODE_OPTIONS}\n`)
    t.match(server.output(2).toString(), /Cannot find module '\/nonexistent\/hook\.js'/)
  },
)

async function aFolder(t: Test): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'caravan-processes-'))
  t.teardown(async () => rm(dir, { recursive: true, force: true }))
  return dir
}

async function pause(ms: number): Promise<void> {
  await new Promise<void>((resolve) => systemClock.after(ms, resolve))
}
