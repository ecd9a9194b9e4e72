import { readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { aTask, isGone, runToEnd, startAgent } from './support/agent.ts'
import { ProtocolServer } from './support/protocol-server.ts'

t.test(
  'a cancel ends the running step, runs no further one, and is told with its reason',
  async (t) => {
    const task = aTask({
      steps: [
        'trap "echo cleaning up; exit 3" TERM; echo ready; sleep 30 & wait',
        { command: 'echo never', when: 'always' },
      ],
    })
    const server = await ProtocolServer.start(t, { task })
    const agent = await startAgent(t, server)
    await server.until(() => server.output(0).toString() === 'ready\n')
    server.order({ action: 'cancel', reason: 'superseded' })
    t.equal(await agent.exit, 0)
    t.match(server.finished(0), { state: 'canceled', reason: 'superseded', exit_code: 3 })
    t.equal(server.output(0).toString(), 'ready\ncleaning up\n')
    t.match(server.finished(1), { state: 'skipped' })
    t.match(server.sliceFinished, { result: 'canceled', reason: 'superseded' })
    t.same([server.violations, server.checkOutputs()], [[], []])
  },
)

t.test('what is there for a cancel runs after one, with its own time and result', async (t) => {
  const task = aTask({
    steps: [
      { command: 'echo too early', when: 'on_cancel' },
      'echo ready; sleep 30',
      { command: 'echo never', when: 'always' },
      { command: 'echo unlocked; exit 4', when: 'on_cancel' },
      { command: 'echo slow; sleep 30', when: 'on_cancel' },
      { command: 'echo too late', when: 'on_cancel' },
    ],
  })
  const server = await ProtocolServer.start(t, { task })
  const agent = await startAgent(t, server, { timings: { onCancelMs: 2000 } })
  await server.until(() => server.output(1).toString() === 'ready\n')
  server.order({ action: 'cancel', reason: 'canceled_by_user' })
  t.equal(await agent.exit, 0)
  const states = [0, 1, 2, 3, 4, 5].map((step) => server.finished(step)?.state)
  t.same(states, ['skipped', 'canceled', 'skipped', 'failed', 'canceled', 'skipped'])
  t.match(server.finished(3), { exit_code: 4, reason: 'exit_code' })
  t.equal(server.output(3).toString(), 'unlocked\n')
  t.match(server.sliceFinished, { result: 'canceled', reason: 'canceled_by_user' })
  t.same([server.violations, server.checkOutputs()], [[], []])
})

t.test('what is there for a cancel does not run when there was none, or no time', async (t) => {
  const cleanup = { command: 'echo never', when: 'on_cancel' as const }
  const { server: well } = await runToEnd(t, aTask({ steps: ['true', cleanup] }))
  t.match([well.finished(1), well.sliceFinished], [{ state: 'skipped' }, { result: 'succeeded' }])
  const { server: bad } = await runToEnd(t, aTask({ steps: ['false', cleanup] }))
  t.match([bad.finished(1), bad.sliceFinished], [{ state: 'skipped' }, { result: 'failed' }])

  const task = aTask({ steps: ['echo up; sleep 30', cleanup] })
  for (const order of [
    { action: 'abort', reason: 'canceled_by_user' },
    { action: 'cancel', reason: 'drained' },
  ] as const) {
    const server = await ProtocolServer.start(t, { task })
    const agent = await startAgent(t, server)
    await server.until(() => server.output(0).length > 0)
    server.order(order)
    t.equal(await agent.exit, 0)
    t.match(server.finished(1), { state: 'skipped' }, order.reason)
  }
})

t.test('B34, C-33: a step that ignores TERM is killed after the grace', async (t) => {
  const task = aTask({ steps: ['trap "" TERM; echo $$; while :; do sleep 1; done'] })
  const server = await ProtocolServer.start(t, { task })
  const agent = await startAgent(t, server, { timings: { graceMs: 300 } })
  await server.until(() => server.output(0).length > 0)
  server.order({ action: 'cancel', reason: 'canceled_by_user' })
  t.equal(await agent.exit, 0)
  t.match(server.finished(0), { state: 'canceled', exit_code: 137, signal: 'SIGKILL' })
  t.ok(await isGone(Number(server.output(0).toString())))
})

t.test('an abort leaves no grace', async (t) => {
  const server = await ProtocolServer.start(t, {
    task: aTask({ steps: ['trap "" TERM; echo up; sleep 30'] }),
  })
  const agent = await startAgent(t, server, { timings: { graceMs: 20_000 } })
  await server.until(() => server.output(0).length > 0)
  server.order({ action: 'abort', reason: 'canceled_by_user' })
  t.equal(await agent.exit, 0)
  t.match(server.finished(0), { state: 'canceled', signal: 'SIGKILL' })
})

t.test('a step that is silent for too long is ended, and what cleans up still runs', async (t) => {
  const { server } = await runToEnd(
    t,
    aTask({
      steps: [
        { command: 'echo start; sleep 30', no_output_timeout_ms: 1000 },
        { command: 'echo never' },
        { command: 'echo saved', when: 'always' },
        { command: 'echo blamed', when: 'on_fail' },
      ],
    }),
  )
  t.match(server.finished(0), { state: 'timed_out', reason: 'no_output', signal: 'SIGTERM' })
  t.equal(
    server.output(0).toString(),
    'start\nToo long with no output (exceeded 1s): context deadline exceeded\n',
  )
  t.equal(server.finished(1)?.state, 'skipped')
  t.equal(server.output(2).toString(), 'saved\n')
  t.equal(server.output(3).toString(), 'blamed\n')
  t.match(server.sliceFinished, { result: 'timed_out', reason: 'no_output' })
})

t.test('B33: a job that runs too long is ended whole, after a warning', async (t) => {
  const { server, code } = await runToEnd(
    t,
    aTask({
      steps: ['while :; do echo busy; sleep 0.05; done', { command: 'echo never', when: 'always' }],
      limits: { max_run_time_ms: 1000 },
    }),
  )
  t.equal(code, 0)
  t.match(server.finished(0), { state: 'timed_out', reason: 'max_run_time' })
  t.equal(server.finished(1)?.state, 'skipped')
  t.match(server.notices, ['The job is ended in 100ms: it may run for 1s.'])
  t.match(server.sliceFinished, { result: 'timed_out', reason: 'max_run_time' })
})

t.test('a fenced agent kills its steps, says nothing more and leaves no spool', async (t) => {
  const server = await ProtocolServer.start(t, { task: aTask({ steps: ['echo $$; sleep 30'] }) })
  const agent = await startAgent(t, server)
  await server.until(() => server.output(0).length > 0)
  server.fence()
  t.equal(await agent.exit, 12)
  t.ok(await isGone(Number(server.output(0).toString())))
  t.equal(server.finished(0), undefined)
  t.same(readdirSync(join(agent.allocation.dir, 'caravan', 'spool')), [])
})

t.test('a server that is away for a while does not touch the steps', async (t) => {
  let isAway = false
  const server = await ProtocolServer.start(t, {
    task: aTask({ steps: ['for i in $(seq 1 10); do echo $i; sleep 0.05; done', 'echo after'] }),
    trouble: () => (isAway ? { status: 502 } : undefined),
  })
  const agent = await startAgent(t, server)
  await server.until(() => server.output(0).length > 0)
  isAway = true
  server.order({})
  await server.until(() => server.calls.output > 12)
  isAway = false
  t.equal(await agent.exit, 0)
  t.equal(server.output(1).toString(), 'after\n')
  t.same([server.violations, server.checkOutputs()], [[], []])
})

t.test(
  'B22, C-56: an agent that hears nothing for the orphan limit stops its steps and keeps the spool',
  async (t) => {
    let isAway = false
    const server = await ProtocolServer.start(t, {
      task: aTask({
        steps: ['echo $$; sleep 0.3; echo unseen; sleep 30'],
        limits: { orphan_ms: 800 },
      }),
      trouble: () => (isAway ? { status: 502 } : undefined),
    })
    const agent = await startAgent(t, server)
    await server.until(() => server.output(0).length > 0)
    const pid = Number(server.output(0).toString())
    isAway = true
    server.order({})
    t.equal(await agent.exit, 30)
    t.ok(await isGone(pid))
    const [run = ''] = readdirSync(join(agent.allocation.dir, 'caravan', 'spool'))
    t.same(readdirSync(join(agent.allocation.dir, 'caravan', 'spool', run)).sort(), [
      'events.jsonl',
      'spool.json',
      'step-0.1.out',
      'step-0.1.out.index',
    ])
  },
)

t.test('C-53: a signal is answered with the reason that the server knows', async (t) => {
  const server = await ProtocolServer.start(t, {
    task: aTask({ steps: ['echo up; sleep 30'] }),
    why: { action: 'cancel', reason: 'stopped_by_operator' },
  })
  const agent = await startAgent(t, server)
  await server.until(() => server.output(0).length > 0)
  agent.send('SIGINT')
  t.equal(await agent.exit, 143)
  t.match(server.finished(0), { state: 'canceled', reason: 'stopped_by_operator' })
  t.match(server.sliceFinished, { result: 'canceled', reason: 'stopped_by_operator' })
})

t.test('a signal that nobody explains in time is a drain', async (t) => {
  const server = await ProtocolServer.start(t, {
    task: aTask({ steps: ['echo up; sleep 30'] }),
    trouble: ({ name }) => (name === 'why' ? 'hang' : undefined),
  })
  const agent = await startAgent(t, server, { timings: { whyMs: 200 } })
  await server.until(() => server.output(0).length > 0)
  agent.send('SIGTERM')
  t.equal(await agent.exit, 143)
  t.match(server.sliceFinished, { result: 'infrastructure_failed', reason: 'drained' })
  t.same([server.violations, server.checkOutputs()], [[], []])
})

t.test('a reason that comes late is still told: a stop is no drain', async (t) => {
  let isAway = true
  const server = await ProtocolServer.start(t, {
    task: aTask({ steps: ['echo up; sleep 30'] }),
    why: { action: 'cancel', reason: 'stopped_by_operator' },
    trouble: ({ name }) => (name === 'why' && isAway ? { status: 503 } : undefined),
  })
  const agent = await startAgent(t, server, { timings: { whyMs: 50 } })
  await server.until(() => server.output(0).length > 0)
  agent.send('SIGTERM')
  await server.until(() => server.finished(0) !== undefined)
  isAway = false
  t.equal(await agent.exit, 143)
  t.match(server.sliceFinished, { result: 'canceled', reason: 'stopped_by_operator' })
  t.same([server.violations, server.checkOutputs()], [[], []])
})

t.test('C-52: a second signal means now', async (t) => {
  const server = await ProtocolServer.start(t, {
    task: aTask({ steps: ['trap "" TERM; echo up; sleep 30'] }),
  })
  const agent = await startAgent(t, server, { timings: { graceMs: 20_000, killTimeoutMs: 60_000 } })
  await server.until(() => server.output(0).length > 0)
  agent.send('SIGTERM')
  await server.until(() => server.calls.why === 1)
  agent.send('SIGTERM')
  t.equal(await agent.exit, 143)
  t.match(server.finished(0), { signal: 'SIGKILL' })
})

t.test('what can not be delivered before the kill stays in the spool', async (t) => {
  let isAway = false
  const server = await ProtocolServer.start(t, {
    task: aTask({ steps: ['echo up; sleep 30'] }),
    trouble: () => (isAway ? { status: 503 } : undefined),
  })
  const agent = await startAgent(t, server, { timings: { killTimeoutMs: 500, whyMs: 100 } })
  await server.until(() => server.output(0).length > 0)
  isAway = true
  agent.send('SIGTERM')
  t.equal(await agent.exit, 30)
  t.match(agent.log(), /the end of the slice could not be told, the spool stays/)
})

t.test('C-26: a mask that comes while the step runs holds from then on', async (t) => {
  const server = await ProtocolServer.start(t, {
    task: aTask({
      steps: ['echo late-secret; while [ ! -e go ]; do sleep 0.02; done; echo late-secret'],
    }),
  })
  const agent = await startAgent(t, server)
  await server.until(() => server.output(0).length > 0)
  server.order({ mask: ['late-secret'] })
  await server.until(() => server.calls.control > 1)
  await writeFile(join(agent.allocation.taskDir, 'home', 'project', 'go'), '')
  t.equal(await agent.exit, 0)
  t.equal(server.output(0).toString(), 'late-secret\n****\n')
})
