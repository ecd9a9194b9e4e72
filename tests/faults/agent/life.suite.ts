/** How agents end: by signals, in the time that is left to them, and without being asked. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Ending } from '../../../src/build-agent/ending.ts'
import { SignalPlan } from '../../../src/build-agent/signals.ts'
import { TIMINGS } from '../../../src/build-agent/timings.ts'
import { REASONS, type Reason } from '../../../src/model/index.ts'
import { silentLog, systemClock, TestClock } from '../../../src/platform/index.ts'
import { spawnAgent, sweepCommand } from '../../build-agent/support/agent-process.ts'
import { aTask, isGone, startAgent } from '../../build-agent/support/agent.ts'
import { ProtocolServer } from '../../build-agent/support/protocol-server.ts'

t.test(
  'C-48: what a killed agent leaves is swept by the command, and by no second one',
  async (t) => {
    let isAway = false
    const server = await ProtocolServer.start(t, {
      task: aTask({
        steps: [
          'setsid sleep 600 & echo $$ $!; until [ -e go ]; do sleep 0.02; done; seq 1 30000; sleep 600',
        ],
      }),
      trouble: ({ name }) => (isAway && name === 'output' ? { status: 503 } : undefined),
    })
    const dir = await aFolder(t)
    const agent = spawnAgent(t, server, { dir })
    await server.until(() => server.output(0).length > 0)
    const pids = server.output(0).toString().trim().split(' ').map(Number)
    isAway = true
    await writeFile(join(dir, 'a/local/home/project/go'), '')
    const { output } = server.calls
    await server.until(() => server.calls.output > output + 1)
    agent.child.kill('SIGKILL')
    await agent.exit
    for (const pid of pids) t.ok(await isGone(pid), `${pid} is gone`)

    isAway = false
    const swept = await sweepCommand(['--allocations-dir', dir])
    t.equal(swept.code, 0)
    t.match(swept.stderr, /a spool was swept .*outcome=delivered.*delivered=1 removed=0 kept=0/s)
    t.match(server.output(0).toString(), /\n30000\n\n\[caravan: the agent was killed here/)
    t.same(await readdir(join(dir, 'a/alloc/caravan/spool')), [])
    const again = await sweepCommand(['--allocations-dir', dir])
    t.equal(again.code, 0)
    t.notMatch(again.stderr, /spools? w/)
    t.same(server.violations, [])
  },
)

t.test('C-48: the sweep command says what it needs, and what it had to keep', async (t) => {
  for (const args of [[], ['--spool-dir'], ['--no-such-flag', 'x']]) {
    const { code, stderr } = await sweepCommand(args)
    t.equal(code, 2, args.join(' '))
    t.match(stderr, /name --spool-dir \(CARAVAN_SPOOL_DIR\), or --allocations-dir/)
  }
  const { code } = await sweepCommand(['--spool-dir', join(t.testdir(), 'missing')])
  t.equal(code, 0, 'nothing to do is no fault')
})

const REASONS_OF_A_STOP: Reason[] = [
  'canceled_by_user',
  'superseded',
  'stopped_by_operator',
  'drained',
  'preempted',
  'node_lost',
]
for (const reason of REASONS_OF_A_STOP) {
  const row = reason === 'drained' ? 'C-50' : 'C-49'
  t.test(
    `${row}: after TERM for ${reason} the step ends, and the slice has that reason`,
    async (t) => {
      const server = await ProtocolServer.start(t, {
        task: aTask({
          steps: [
            'trap "echo put away; exit 0" TERM; echo up; while :; do sleep 0.02; done',
            'echo never',
          ],
        }),
        why: { action: 'cancel', reason },
      })
      const agent = await startAgent(t, server)
      await server.until(() => server.output(0).length > 0)
      agent.send('SIGTERM')
      t.equal(await agent.exit, 143)
      t.match(server.output(0).toString(), /put away\n$/)
      t.match(server.finished(0), { state: 'canceled', reason })
      t.equal(server.finished(1)?.state, 'skipped')
      t.match(server.sliceFinished, { result: REASONS[reason].result, reason })
      t.same([server.violations, server.checkOutputs()], [[], []])
    },
  )
}

for (const seconds of [5, 30, 120]) {
  t.test(
    `C-51: of a kill timeout of ${seconds} s the steps get 60 %, the flush 30 %`,
    async (t) => {
      const clock = new TestClock()
      const ending = new Ending()
      let signal: () => void = () => undefined
      const plan = new SignalPlan({
        ending,
        clock,
        log: silentLog,
        timings: TIMINGS,
        signals: {
          listen(onSignal) {
            signal = () => onSignal('SIGTERM')
            return () => undefined
          },
        },
      })
      plan.killTimeoutMs = seconds * 1000
      const at = new Map<string, number>()
      const note = (name: string) => () => at.set(name, clock.monotonic() / 1000)
      ending.urgent.addEventListener('abort', note('steps'))
      ending.outputOver.addEventListener('abort', note('output'))
      ending.reportOver.addEventListener('abort', note('report'))
      signal()
      await clock.tick(seconds * 1000)
      const shares = Object.fromEntries(
        [...at].map(([name, s]) => [name, Math.round((s / seconds) * 100)]),
      )
      t.same(shares, { steps: 60, output: 80, report: 90 })
      t.match(ending.cause, { kind: 'asked', reason: 'drained', graceMs: seconds * 600 })
      plan.close()
    },
  )
}

t.test('C-51: a step has the time that the job of this slice leaves it, and no more', async (t) => {
  for (const { killMs, ends } of [
    { killMs: 20_000, ends: { exit_code: 0, signal: null } },
    { killMs: 1000, ends: { exit_code: 137, signal: 'SIGKILL' } },
  ]) {
    const server = await ProtocolServer.start(t, {
      task: aTask({
        steps: ['trap "sleep 1.5; exit 0" TERM; echo up; while :; do sleep 0.02; done'],
        limits: { kill_timeout_ms: killMs },
      }),
    })
    // Neither the usual grace nor the usual time to the kill says anything here.
    const agent = await startAgent(t, server, {
      timings: { graceMs: 100, killTimeoutMs: 100, whyMs: 100 },
    })
    await server.until(() => server.output(0).length > 0)
    const startedMs = systemClock.monotonic()
    agent.send('SIGTERM')
    t.equal(await agent.exit, 143)
    t.match(server.finished(0), ends)
    t.ok(systemClock.monotonic() - startedMs < 8000)
  }
})

t.test(
  'C-57: an agent whose session is not known any more ends as fenced, not as failed',
  async (t) => {
    let isKnown = true
    const server = await ProtocolServer.start(t, {
      task: aTask({ steps: ['echo $$; sleep 600'] }),
      trouble: () => (isKnown ? undefined : { status: 401, error: 'UNAUTHORIZED' }),
    })
    const agent = await startAgent(t, server)
    await server.until(() => server.output(0).length > 0)
    isKnown = false
    server.order({})
    t.equal(await agent.exit, 12)
    t.ok(await isGone(Number(server.output(0).toString())))
    t.equal(server.sliceFinished, undefined)
  },
)

async function aFolder(t: Test): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'caravan-life-'))
  t.teardown(async () => rm(dir, { recursive: true, force: true }))
  return dir
}
