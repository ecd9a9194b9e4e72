import { Readable } from 'node:stream'
import t from 'tap'
import {
  AGENT_REFUSALS,
  type AgentRefusal,
  claimAnswer,
  controlAnswer,
  errorBody,
  eventsAnswer,
  OUTPUT_CHUNK_BYTES_MAX,
  outputAnswer,
} from '../../src/model/index.ts'
import type { AgentCaller } from '../../src/scheduler/index.ts'
import { asBytes, asJson, call, startScripted } from '../support/scripted-api.ts'
import { until } from '../support/serve.ts'

const SLICE = '5a4ea06b7d560d000116830f-3'
const BASE = `/api/v1/agent/${SLICE}/2`
const CONTROL = { version: 4, action: 'none' as const, flush_ms: 250, mask: [] }
const CALLER = { slice: SLICE, epoch: 2, session: 'the-session' }
const AUTH = { authorization: 'Bearer the-session' }

const A_CLAIM = {
  claim_id: 'c'.repeat(16),
  token: 'claim-token',
  protocol: 1,
  agent_version: '1.2.3',
  allocation_id: 'allocation',
}

const A_TASK = {
  build: {
    id: '5a4ea06b7d560d000116830f',
    number: 1,
    org: 'acme',
    repo: 'shop',
    branch: 'main',
    sha: '',
    job: 'test',
  },
  slice: { index: 3, total: 4 },
  source: { kind: 'none' as const },
  executor: { kind: 'machine' as const },
  environment: [],
  working_directory: '~/project',
  steps: [],
  mask: [],
  limits: { max_run_time_ms: 1, output_bytes: 1, orphan_ms: 1 },
}

function ok<T>(value: T) {
  return Promise.resolve({ ok: true as const, value })
}

/** Notes who called with what. */
function recorder() {
  const calls: unknown[] = []
  const record =
    <T>(value: T) =>
    (caller: AgentCaller, ...rest: unknown[]) => {
      calls.push([caller, ...rest])
      return ok(value)
    }
  return { calls, record }
}

t.test('a claim answers with session and task', async (t) => {
  const session = {
    session: 's',
    lease_ms: 60_000,
    server_time_ms: 1,
    chunk_bytes: 1024,
    control: CONTROL,
    task: A_TASK,
  }
  const claims: unknown[] = []
  const claim = (...given: unknown[]) => {
    claims.push(given)
    return ok(session)
  }
  const { api } = await startScripted(t, { agents: { claim } })
  const { status, json } = await call(api, 'POST', `${BASE}/claim`, asJson(A_CLAIM))
  t.equal(status, 200)
  t.same(claimAnswer.parse(json), session)
  t.same(claims, [[SLICE, 2, { ...A_CLAIM, node_id: '', node_name: '' }]])
})

t.test('every other call names the epoch and proves it with the session', async (t) => {
  const { calls, record } = recorder()
  const { api } = await startScripted(t, {
    agents: {
      accept: record({ control: CONTROL }),
      events: record({ applied: 7, control: CONTROL }),
      output: record({ have: 9, control: CONTROL }),
      why: record({ control: CONTROL }),
    },
  })
  const send = (method: string, path: string, init = { headers: {} }) =>
    call(api, method, BASE + path, { ...init, headers: { ...init.headers, ...AUTH } })
  const event = { seq: 1, at_ms: 5, type: 'notice' as const, text: 'hello' }

  t.same(controlAnswer.parse((await send('POST', '/accept')).json), { control: CONTROL })
  const events = await send('POST', '/events', asJson({ events: [event] }))
  t.same(eventsAnswer.parse(events.json), { applied: 7, control: CONTROL })
  const output = await send('POST', '/output?step=1&offset=4', asBytes('bytes'))
  t.same(outputAnswer.parse(output.json), { have: 9, control: CONTROL })
  const nothing = await send('POST', '/output?step=1&attempt=2&offset=9', asBytes(''))
  t.equal(nothing.status, 200, 'no bytes: a way to ask how many there are')
  t.same(controlAnswer.parse((await send('GET', '/why')).json), { control: CONTROL })
  t.same(calls, [
    [CALLER],
    [CALLER, [event]],
    [CALLER, { step: 1, attempt: 1, offset: 4 }, Buffer.from('bytes')],
    [CALLER, { step: 1, attempt: 2, offset: 9 }, Buffer.alloc(0)],
    [CALLER],
  ])
})

t.test('a refusal has its own status and code', async (t) => {
  for (const [refusal, expected] of Object.entries(AGENT_REFUSALS)) {
    const refuse = async () => ({ ok: false as const, refusal: refusal as AgentRefusal })
    const { api } = await startScripted(t, {
      agents: { claim: refuse, why: refuse, source: refuse, control: refuse },
    })
    const claim = await call(api, 'POST', `${BASE}/claim`, asJson(A_CLAIM))
    t.equal(claim.status, expected, refusal)
    const { error, message, details } = errorBody.parse(claim.json)
    t.same([error, details], [refusal, {}])
    t.ok(message.length > 10)
    for (const path of ['/why', '/source', '/control']) {
      const { status, json } = await call(api, 'GET', BASE + path, { headers: AUTH })
      t.same([status, errorBody.parse(json).error], [expected, refusal], path)
    }
    await api.close()
  }
})

t.test('a fault of ours is an error that tells the agent to try again', async (t) => {
  const { api, log } = await startScripted(t)
  const { status, json } = await call(api, 'POST', `${BASE}/accept`)
  t.equal(status, 500)
  t.equal(errorBody.parse(json).error, 'INTERNAL')
  t.match(log, [{ level: 'error' }])
})

t.test('a call that makes no sense never reaches the scheduler', async (t) => {
  const { api, log } = await startScripted(t)
  const wrong: [string, string, RequestInit?][] = [
    ['POST', `/api/v1/agent/${SLICE}/0/accept`],
    ['POST', `/api/v1/agent/${SLICE}/x/accept`],
    ['POST', `/api/v1/agent/5a4ea06b7d560d000116830f-03/1/accept`],
    ['POST', '/api/v1/agent/..%2f..%2fetc/1/accept'],
    ['POST', `${BASE}/claim`],
    ['POST', `${BASE}/claim`, asJson({ ...A_CLAIM, claim_id: 'short' })],
    ['POST', `${BASE}/events`, asJson({ events: [] })],
    [
      'POST',
      `${BASE}/events`,
      asJson({ events: [{ seq: 0, at_ms: 1, type: 'notice', text: '' }] }),
    ],
    ['POST', `${BASE}/output?offset=0`, asBytes('x')],
    ['POST', `${BASE}/output?step=0&offset=-1`, asBytes('x')],
    ['POST', `${BASE}/output?step=0&offset=0`, asJson('x')],
    ['POST', `${BASE}/output?step=0&offset=0`],
    ['GET', `${BASE}/control?wait_ms=60001`],
  ]
  for (const [method, path, init] of wrong) {
    const { status, json } = await call(api, method, path, init)
    t.equal(status, 400, `${method} ${path}`)
    t.equal(errorBody.parse(json).error, 'INPUT_INVALID')
  }
  t.same(log, [])
})

t.test('output has a largest chunk', async (t) => {
  const lengths: number[] = []
  const { api } = await startScripted(t, {
    agents: {
      output: (_caller, _place, bytes) => {
        lengths.push(bytes.length)
        return ok({ have: bytes.length, control: CONTROL })
      },
    },
  })
  const send = (length: number) =>
    call(api, 'POST', `${BASE}/output?step=0&offset=0`, asBytes(new Uint8Array(length)))
  t.equal((await send(OUTPUT_CHUNK_BYTES_MAX)).status, 200)
  const { status, json } = await send(OUTPUT_CHUNK_BYTES_MAX + 1)
  t.equal(status, 413)
  t.equal(errorBody.parse(json).error, 'TOO_LARGE')
  t.same(lengths, [OUTPUT_CHUNK_BYTES_MAX])
})

t.test('a long poll ends when its caller goes away', async (t) => {
  const seen: unknown[] = []
  let isOver = false
  const { api, log } = await startScripted(t, {
    agents: {
      control: (caller, options, signal) => {
        seen.push(caller, options)
        return new Promise((resolve) => {
          signal.addEventListener('abort', () => {
            isOver = true
            resolve({ ok: true, value: { control: CONTROL } })
          })
        })
      },
    },
  })
  const leave = new AbortController()
  const path = `${api.url}${BASE}/control?seen=3&wait_ms=50000`
  const poll = fetch(path, { headers: AUTH, signal: leave.signal })
  await until(() => seen.length > 0)
  leave.abort()
  await t.rejects(poll)
  await until(() => isOver)
  t.same(seen, [CALLER, { seen: 3, waitMs: 50_000 }])
  t.same(log, [])
})

t.test('the source is sent as bytes of a known length', async (t) => {
  const source = () => ok({ bytes: Readable.from([Buffer.from('bundle')]), length: 6 })
  const { api } = await startScripted(t, { agents: { source } })
  const { status, text, headers } = await call(api, 'GET', `${BASE}/source`, { headers: AUTH })
  t.same([status, text], [200, 'bundle'])
  t.equal(headers.get('content-length'), '6')
  const none = await startScripted(t, { agents: { source: () => ok(null) } })
  t.equal((await call(none.api, 'GET', `${BASE}/source`, { headers: AUTH })).status, 404)
})
