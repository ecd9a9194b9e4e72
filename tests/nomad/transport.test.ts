import { once } from 'node:events'
import { createServer } from 'node:http'
import t from 'tap'
import { aSocketPath } from '../support/socket-path.ts'
import { type NomadJob, problemOf } from '../../src/nomad/index.ts'
import { TestClock } from '../../src/platform/index.ts'
import { type FakeAnswer, fakeNomad } from '../support/fake-nomad.ts'
import { until } from '../support/serve.ts'

const job: NomadJob = { ID: 'a', Name: 'a', Type: 'batch', TaskGroups: [] }
const receipt = { EvalID: 'e', JobModifyIndex: 7 }

t.test('a read is repeated on passing faults, up to a limit', async (t) => {
  const passing: FakeAnswer[] = [
    { text: 'No cluster leader' },
    { cut: true },
    { status: 429, text: '' },
    { text: '<html>', status: 200 },
  ]
  const answers = [...passing, { json: job }]
  const { nomad, calls } = await fakeNomad(
    t,
    () => answers.shift() ?? { text: 'No cluster leader' },
  )
  t.same(await nomad.readJob('a'), job)
  t.equal(calls.length, 5)
  await t.rejects(nomad.readJob('a'), {
    code: 'NOMAD_UNREACHABLE',
    message: /^could not read job a\. Nomad at http:.*: No cluster leader$/,
    detail: { problem: 'no_leader', status: 500 },
  })
  t.equal(calls.length, 10)
})

t.test('a write whose outcome is unknown is never repeated', async (t) => {
  const faults: FakeAnswer[] = [
    { text: 'No cluster leader' },
    { text: 'leadership lost while committing log' },
    { status: 502, text: 'Bad Gateway' },
    { cut: true },
    { status: 200, text: '<html>' },
  ]
  const answers = [...faults]
  const { nomad, calls } = await fakeNomad(t, () => answers.shift() ?? { json: receipt })
  for (const fault of faults) {
    await t.rejects(
      nomad.registerJob(job, { enforceIndex: 0 }),
      { code: 'NOMAD_UNKNOWN_OUTCOME', message: /^it is not known .*: register job a\./ },
      JSON.stringify(fault),
    )
  }
  t.equal(calls.length, faults.length)
})

t.test('a write that Nomad can not have taken is repeated', async (t) => {
  const answers: FakeAnswer[] = [{ status: 429, text: '' }]
  const { nomad, calls } = await fakeNomad(t, () => answers.shift() ?? { json: receipt })
  t.same(await nomad.deregisterJob('a'), { evalId: 'e', index: 7 })
  t.equal(calls.length, 2)
  const away = await fakeNomad(t, () => undefined, { address: 'http://127.0.0.1:1' })
  await t.rejects(away.nomad.deregisterJob('a'), {
    code: 'NOMAD_UNREACHABLE',
    detail: { problem: 'unreachable' },
    cause: { sent: false },
  })
})

t.test('a refusal is told once, in the words of Nomad', async (t) => {
  const refusals = [
    [500, '1 error occurred:\n\t* Missing job task groups\n\n', 'NOMAD_REJECTED', 'invalid'],
    [403, 'Permission denied', 'NOMAD_FORBIDDEN', 'permission_denied'],
    [500, 'node not found', 'NOMAD_NOT_FOUND', 'not_found'],
  ] as const
  for (const [status, text, code, problem] of refusals) {
    const { nomad, calls } = await fakeNomad(t, () => ({ status, text }))
    const error: unknown = await nomad.registerJob(job).catch((error: unknown) => error)
    t.match(error, { code, detail: { status, text: text.trim() } })
    t.equal(problemOf(error), problem)
    t.match(String(error), text.trim().replaceAll(/\s+/g, ' '))
    t.equal(calls.length, 1)
  }
  t.equal(problemOf(new Error('of somebody else')), null)
})

t.test('an abort ends a call, a pause and a page in the words of the caller', async (t) => {
  const { nomad, calls } = await fakeNomad(t, ({ path }) =>
    path === '/v1/jobs' ? { text: 'No cluster leader' } : undefined,
  )
  const reason = new Error('enough')
  const stop = new AbortController()
  const { signal } = stop
  const hanging = nomad.readJob('a', { signal })
  await until(() => calls.length === 1)
  stop.abort(reason)
  await t.rejects(hanging, reason)
  await t.rejects(nomad.readJob('a', { signal }), reason)
  t.equal(calls.length, 1)

  const pausing = await fakeNomad(t, () => ({ text: 'No cluster leader' }), {
    clock: new TestClock(),
  })
  const leave = new AbortController()
  const call = pausing.nomad.readJob('a', { signal: leave.signal })
  await until(() => pausing.calls.length === 1)
  leave.abort(reason)
  await t.rejects(call, reason)
})

t.test('a call without an answer ends by its deadline', async (t) => {
  const clock = new TestClock()
  const { nomad, calls } = await fakeNomad(t, () => undefined, { clock })
  const call = nomad.registerJob(job)
  await until(() => calls.length === 1)
  await clock.tick(39_999)
  const early = await Promise.race([call, Promise.resolve('still waiting')])
  t.equal(early, 'still waiting')
  await clock.tick(1)
  await t.rejects(call, { code: 'NOMAD_UNKNOWN_OUTCOME', cause: { fault: 'timeout' } })
})

t.test('token, namespace and region go with every call', async (t) => {
  const { nomad, calls } = await fakeNomad(t, () => ({ json: [] }), {
    token: 'secret',
    namespace: 'ci',
    region: 'eu',
  })
  t.equal(nomad.namespace, 'ci')
  await nomad.jobEvaluations('a')
  await nomad.jobEvaluations('a', { namespace: 'other' })
  t.match(calls, [{ headers: { 'x-nomad-token': 'secret' } }, {}])
  t.equal(calls[0]?.query.toString(), 'namespace=ci&region=eu')
  t.equal(calls[1]?.query.toString(), 'namespace=other&region=eu')
})

t.test('an agent is reached through its unix socket', async (t) => {
  const path = aSocketPath(t)
  const agent = createServer((_request, response) => response.end(JSON.stringify(job))).listen(path)
  t.teardown(() => {
    agent.close()
    agent.closeAllConnections()
  })
  await once(agent, 'listening')
  const { nomad } = await fakeNomad(t, () => undefined, { address: `unix://${path}` })
  t.same(await nomad.readJob('a'), job)
})

t.test('closing ends a call and its repetition', async (t) => {
  const { nomad, calls } = await fakeNomad(t, () => undefined)
  const call = nomad.readJob('a')
  await until(() => calls.length === 1)
  await nomad.close()
  await t.rejects(call, { code: 'NOMAD_UNREACHABLE', cause: { fault: 'closed' } })
  t.equal(calls.length, 1)
})
