/** Memory and processors that run out. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { findOomCounter } from '../../../src/build-agent/process/oom.ts'
import { systemClock } from '../../../src/platform/index.ts'
import { spawnAgent } from '../../build-agent/support/agent-process.ts'
import { aTask, runToEnd } from '../../build-agent/support/agent.ts'
import { ProtocolServer } from '../../build-agent/support/protocol-server.ts'
import { inGroup, leaveOut, limitMemory } from './support/machine.ts'

/** Enough for the agent, too little for the step. */
const LIMIT_BYTES = 300 * 1024 ** 2
const TAKE_MEMORY = 'head -c 600000000 /dev/zero | tail -c 600000000 > /dev/null'

t.test(
  'C-59: a step that takes all memory is killed, the agent is not, and tells it',
  async (t) => {
    const group = limitMemory(t, 'shared', LIMIT_BYTES)
    if (group === null) return leaveOut(t, 'no group with a limit of memory can be made')
    const { server, code } = await runIn(t, group, [
      TAKE_MEMORY,
      { command: `${TAKE_MEMORY} || exit 9`, when: 'always' },
      { command: 'kill -KILL $$', when: 'always' },
    ])
    t.equal(code, 0)
    t.match(server.finished(0), { state: 'failed', exit_code: 137, reason: 'oom' })
    t.match(server.output(0).toString(), /no memory left, so the kernel killed a process of this/)
    t.match(
      server.finished(1),
      { exit_code: 9, reason: 'exit_code' },
      'others are in this group too',
    )
    t.match(server.finished(2), { signal: 'SIGKILL', reason: 'signal' }, 'not every KILL is oom')
    t.match(server.sliceFinished, { result: 'failed', reason: 'oom' })
  },
)

t.test(
  'C-59: in a group of the allocation a failure after a kill is oom, whatever its code',
  async (t) => {
    const group = limitMemory(t, 'allocation-1', LIMIT_BYTES)
    if (group === null) return leaveOut(t, 'no group with a limit of memory can be made')
    const { server } = await runIn(t, group, [
      { command: `${TAKE_MEMORY} || true` },
      { command: `${TAKE_MEMORY} || exit 2` },
      { command: 'exit 137', when: 'always' },
    ])
    t.match(server.finished(0), { state: 'succeeded', reason: null })
    t.match(server.finished(1), { exit_code: 2, reason: 'oom' })
    t.match(server.finished(2), { exit_code: 137, reason: 'exit_code' })
  },
)

t.test('C-59: the counter is found in both versions, and its absence is no fault', async (t) => {
  const dir = t.testdir({
    one: { nomad: { 'a-1': { 'memory.oom_control': 'under_oom 0\noom_kill 3\n' } } },
    two: { slice: { 'a-1.scope': { 'memory.events': 'oom 7\noom_kill 2\noom_group_kill 0\n' } } },
  })
  const proc = async (mounts: string, cgroup: string) => {
    const folder = join(dir, `proc-${cases++}`)
    await mkdir(folder)
    await writeFile(join(folder, 'mounts'), mounts)
    await writeFile(join(folder, 'cgroup'), cgroup)
    return folder
  }
  let cases = 0
  const one = `cgroup ${dir}/one cgroup rw,memory,relatime 0 0\n`
  const two = `cgroup2 ${dir}/two cgroup2 rw 0 0\n`
  const expected = [
    { mounts: one, cgroup: '4:cpu,memory:/nomad/a-1\n', kills: { count: 3, isOurs: true } },
    { mounts: two, cgroup: '0::/slice/a-1.scope\n', kills: { count: 2, isOurs: true } },
    { mounts: one + two, cgroup: '4:memory:/nomad/a-1\n0::/\n', kills: { count: 3, isOurs: true } },
    { mounts: two, cgroup: '0::/slice\n', kills: null },
    { mounts: 'proc /proc proc rw 0 0\n', cgroup: '', kills: null },
  ]
  for (const { mounts, cgroup, kills } of expected) {
    const counter = await findOomCounter('a-1', await proc(mounts, cgroup))
    t.same(await counter(), kills, cgroup)
  }
  const others = await findOomCounter('b-2', await proc(one, '4:memory:/nomad/a-1\n'))
  t.same(await others(), { count: 3, isOurs: false })
  const nowhere = await findOomCounter('a-1', join(dir, 'nowhere'))
  t.equal(await nowhere(), null)
})

t.test('C-61: an agent among steps that take all processors keeps its lease', async (t) => {
  const times: number[] = []
  const leaseMs = 3000
  const { server } = await runToEnd(
    t,
    aTask({
      steps: ['for i in 1 2 3 4 5 6; do timeout 3 sh -c "while :; do :; done" & done; wait'],
    }),
    {
      leaseMs,
      trouble: () => {
        times.push(systemClock.monotonic())
        return undefined
      },
    },
  )
  const gaps = times.slice(1).map((at, n) => at - (times[n] ?? 0))
  t.ok(server.calls.control >= 3)
  t.ok(Math.max(...gaps) < leaseMs, `${Math.round(Math.max(...gaps))} ms between two calls`)
})

async function runIn(
  t: Test,
  group: string,
  steps: NonNullable<NonNullable<Parameters<typeof aTask>[0]>['steps']>,
) {
  const server = await ProtocolServer.start(t, { task: aTask({ steps }) })
  const dir = await mkdtemp(join(tmpdir(), 'caravan-memory-'))
  t.teardown(async () => rm(dir, { recursive: true, force: true }))
  const agent = spawnAgent(t, server, { dir, prefix: inGroup(group) })
  const code = await agent.exit
  t.same([server.violations, server.checkOutputs()], [[], []])
  return { server, code }
}
