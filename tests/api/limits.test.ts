import t from 'tap'
import { TestClock } from '../../src/platform/index.ts'
import { createRateLimits } from '../../src/api/rate-limits.ts'
import { createTokenBuckets } from '../../src/api/token-buckets.ts'
import { call, type Script, startScripted } from '../support/scripted-api.ts'

const TOKEN = 'a-token-of-the-test'
const AGENT = '/api/v1/agent/5a4ea06b7d560d000116830f-0/1/why'
const LIMITS = {
  requests_per_second: 1,
  agent_requests_per_second: 1,
  failed_logins_per_minute: 3,
}

const script: Script = {
  listBuilds: async () => ({ builds: [], next_cursor: null }),
  agents: {
    why: async () => ({
      ok: true,
      value: { control: { version: 1, action: 'none', flush_ms: 1, mask: [] } },
    }),
  },
}

t.test('a bucket gives its burst, then its rate, and no more than its burst later', async (t) => {
  const clock = new TestClock()
  const buckets = createTokenBuckets({ perSecond: 2, burst: 3, keysMax: 10, clock })
  t.same(
    [1, 2, 3].map(() => buckets.take('a')),
    [0, 0, 0],
  )
  t.equal(buckets.take('a'), 500)
  t.equal(buckets.take('b'), 0, 'another key has its own')
  await clock.tick(500)
  t.equal(buckets.take('a'), 0)
  await clock.tick(3_600_000)
  t.same(
    [1, 2, 3, 4].map(() => buckets.take('a')),
    [0, 0, 0, 500],
  )
})

t.test('any number of keys takes a bounded memory, and the busy ones are kept', (t) => {
  const clock = new TestClock()
  const buckets = createTokenBuckets({ perSecond: 1, burst: 1, keysMax: 100, clock })
  for (let key = 0; key < 10_000; key += 1) {
    buckets.take(`${key}`)
    buckets.take('busy')
    if (buckets.size > 100) t.fail(`${buckets.size} keys`)
  }
  t.equal(buckets.size, 100)
  t.not(buckets.take('busy'), 0)
  t.end()
})

t.test(
  'too many requests are told to wait, each token for itself, people and agents apart',
  async (t) => {
    const clock = new TestClock()
    const tokens = [TOKEN, 'another-token-of-the-test']
    const { api } = await startScripted(t, script, { tokens, limits: LIMITS, clock })
    const list = (token: string) =>
      call(api, 'GET', '/api/v1/builds', { headers: { authorization: `Bearer ${token}` } })
    const why = () => call(api, 'GET', AGENT, { headers: { authorization: 'Bearer session' } })
    for (let count = 0; count < 5; count += 1) t.equal((await list(TOKEN)).status, 200)
    const refused = await list(TOKEN)
    t.match(refused, {
      status: 429,
      json: { error: 'RATE_LIMITED', details: { retry_after_ms: 1000 } },
    })
    t.equal(refused.headers.get('retry-after'), '1')
    t.equal((await list(tokens[1] ?? '')).status, 200)
    for (let count = 0; count < 5; count += 1) t.equal((await why()).status, 200)
    t.equal((await why()).status, 429)
    t.equal((await list(tokens[1] ?? '')).status, 200, 'people do not feel it')
    await clock.tick(1000)
    t.equal((await list(TOKEN)).status, 200)
    t.equal((await why()).status, 200)
  },
)

t.test('who guesses is not told any more, and who shares the address goes on', async (t) => {
  const clock = new TestClock()
  const generous = { ...LIMITS, requests_per_second: 1000 }
  const tokens = [TOKEN, 'never-used-before-here']
  const { api } = await startScripted(t, script, { tokens, limits: generous, clock })
  const list = async (token: string) =>
    (await call(api, 'GET', '/api/v1/builds', { headers: { authorization: `Bearer ${token}` } }))
      .status
  t.equal(await list(TOKEN), 200)
  for (let count = 0; count < 3; count += 1)
    t.equal(await list(`guess ${count}`.replace(' ', '-')), 401)
  t.equal(await list('guess-3'), 429)
  t.equal(await list('never-used-before-here'), 429, 'a right guess looks like a wrong one')
  t.equal(await list(TOKEN), 200, 'who was here before is let through')
  t.equal((await call(api, 'GET', AGENT, { headers: { authorization: 'Bearer s' } })).status, 200)
  await clock.tick(60_000)
  t.equal(await list('never-used-before-here'), 200)
})

t.test('addresses of version 6 count by their network', (t) => {
  const limits = createRateLimits(LIMITS, new TestClock())
  for (const address of ['2001:db8::1', '2001:db8::2', '2001:db8:0:0:5::']) limits.failed(address)
  t.throws(() => limits.failed('2001:db8:0:0:ffff::9'), { code: 'RATE_LIMITED' })
  t.doesNotThrow(() => limits.failed('2001:db8:0:1::1'))
  t.doesNotThrow(() => limits.failed('::ffff:10.0.0.1'))
  t.end()
})
