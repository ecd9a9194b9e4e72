import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { aTask, startAgent } from './support/agent.ts'
import { ProtocolServer } from './support/protocol-server.ts'

t.test('C-58: a claim whose answer is lost is made again with the same id', async (t) => {
  const server = await ProtocolServer.start(t, {
    task: aTask(),
    trouble: ({ name, count }) =>
      (name === 'claim' || name === 'accept') && count === 1 ? { cut: 'after' } : undefined,
  })
  const agent = await startAgent(t, server)
  t.equal(await agent.exit, 0)
  t.equal(server.calls.claim, 2)
  t.equal(server.calls.accept, 2)
  t.same(server.violations, [])
})

t.test('C-55: of two agents for one slice one runs it and the other goes away', async (t) => {
  const server = await ProtocolServer.start(t, { task: aTask({ steps: ['echo once; sleep 0.3'] }) })
  const agents = await Promise.all([startAgent(t, server), startAgent(t, server)])
  const codes = await Promise.all(agents.map(async (agent) => agent.exit))
  t.same(
    codes.sort((a, b) => a - b),
    [0, 10],
  )
  t.equal(server.output(0).toString(), 'once\n')
  t.equal(server.calls.accept, 1)
})

t.test('a server that is not ready is asked again', async (t) => {
  const server = await ProtocolServer.start(t, {
    task: aTask(),
    trouble: ({ name, count }) =>
      name === 'claim' && count < 4 ? { status: 503, error: 'not_ready' } : undefined,
  })
  const agent = await startAgent(t, server)
  t.equal(await agent.exit, 0)
  t.equal(server.calls.claim, 4)
})

t.test('every way not to get the slice has its exit code, and nothing runs', async (t) => {
  const cases = [
    { trouble: { status: 503, error: 'not_ready' }, code: 11 },
    { trouble: { status: 426, error: 'protocol' }, code: 13 },
    { trouble: { status: 409, error: 'fenced' }, code: 12 },
    { trouble: { status: 500 }, code: 20 },
    { token: 'wrong', code: 20 },
    { epoch: 2, code: 12 },
    { url: 'http://127.0.0.1:9', code: 20 },
  ]
  for (const { code, trouble, ...changes } of cases) {
    const server = await ProtocolServer.start(t, {
      task: aTask(),
      trouble: ({ name }) => (name === 'claim' ? trouble : undefined),
    })
    const agent = await startAgent(t, server, { ...changes, timings: { claimMs: 300 } })
    t.equal(await agent.exit, code, JSON.stringify({ trouble, ...changes }))
    t.equal(server.calls.accept, 0)
    t.same(readdirSync(join(agent.allocation.taskDir, 'caravan')), [], 'no trace is left')
  }
})

t.test('a slice that was given away between claim and accept is not run', async (t) => {
  const server = await ProtocolServer.start(t, {
    task: aTask({ steps: ['echo never'] }),
    trouble: ({ name }) => (name === 'accept' ? { status: 409, error: 'fenced' } : undefined),
  })
  const agent = await startAgent(t, server)
  t.equal(await agent.exit, 12)
  t.same(server.events, [])
})

t.test('a signal before the claim is answered ends the agent at once', async (t) => {
  const server = await ProtocolServer.start(t, { task: aTask(), trouble: () => 'hang' })
  const agent = await startAgent(t, server, { timings: { claimMs: 60_000 } })
  await server.until(() => true)
  agent.send('SIGTERM')
  t.equal(await agent.exit, 143)
})

t.test('a job whose working directory can not be made has a wrong configuration', async (t) => {
  const server = await ProtocolServer.start(t, {
    task: aTask({ working_directory: '/dev/null/project' }),
  })
  const agent = await startAgent(t, server)
  t.equal(await agent.exit, 0)
  t.match(server.sliceFinished, {
    result: 'failed',
    reason: 'config_error',
    detail: /^the working directory \/dev\/null\/project can not be made/,
  })
})
