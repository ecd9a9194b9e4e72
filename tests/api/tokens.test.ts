import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import t from 'tap'
import { z } from 'zod'
import {
  accessOf,
  createdToken,
  errorBody,
  type Role,
  ROLES,
  ROUTE_ACCESS,
  mayUse,
  tokenList,
} from '../../src/model/index.ts'
import { silentLog, systemClock, systemRandom, TestClock } from '../../src/platform/index.ts'
import { openTokenBook } from '../../src/scheduler/access/index.ts'
import { openStore } from '../../src/scheduler/store/index.ts'
import { asBytes, asJson, call, type Script, startScripted } from '../support/scripted-api.ts'

const ROOT = 'a-token-of-the-settings-file'
const as = (token: string) => ({ authorization: `Bearer ${token}` })

async function openBook(t: Test, clock = systemClock) {
  const deps = { clock, random: systemRandom, log: silentLog }
  // Its thread answers in real time, which a clock of the test would overtake.
  const store = await openStore(':memory:', { ...deps, clock: systemClock, nowMs: clock.now() })
  t.teardown(() => store.close())
  return { store, deps, book: await openTokenBook({ ...deps, store }) }
}

async function startWithTokens(t: Test, script: Script = {}) {
  const { book } = await openBook(t)
  const { api } = await startScripted(t, { tokens: book, ...script }, { tokens: [ROOT] })
  const create = async (role: Role) => {
    const body = asJson({ role, name: `for ${role}` })
    const headers = { ...body.headers, ...as(ROOT) }
    return createdToken.parse(
      (await call(api, 'POST', '/api/v1/tokens', { ...body, headers })).json,
    )
  }
  return { api, book, create }
}

t.test('every route that is served has a role, and every role a route', async (t) => {
  const { api } = await startScripted(t)
  const shape = z.object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) })
  const { paths } = shape.parse((await call(api, 'GET', '/openapi.json')).json)
  const served = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map(
      (method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`,
    ),
  )
  t.same(
    [...served, 'GET /openapi.json'].toSorted(),
    Object.keys(ROUTE_ACCESS).toSorted(),
    'no row without a route, no route without a row',
  )
  t.equal(accessOf('GET', '/constructor'), null)
})

t.test('each role gets where its row says, and nowhere else', async (t) => {
  const { api, create } = await startWithTokens(t, {
    listBuilds: async () => ({ builds: [], next_cursor: null }),
    readBuild: async () => null,
    cancelBuild: async () => null,
    readOutput: async () => null,
  })
  const place = (pattern: string) => pattern.replaceAll(/:(ref|slice|step|epoch|id)/g, '1')
  for (const role of ROLES) {
    const { token } = await create(role)
    for (const [name, access] of Object.entries(ROUTE_ACCESS)) {
      if (['public', 'claim', 'session'].includes(access)) continue
      const [method = '', pattern = ''] = name.split(' ')
      const { status, json } = await call(api, method, place(pattern), { headers: as(token) })
      const isRefused = status === 403 && errorBody.parse(json).error === 'FORBIDDEN'
      t.equal(isRefused, !mayUse(role, access), `${role} at ${name}: ${status}`)
    }
  }
})

t.test('a token is shown once, kept as a hash, and found by a scanner', async (t) => {
  const { store, book } = await openBook(t)
  const { token, ...view } = await book.create({ role: 'read', name: 'board', expires: '90d' })
  t.match(token, /^caravan_[0-9a-f]{64}$/)
  const rows = await store.read.selectFrom('tokens').selectAll().execute()
  t.equal(rows.length, 1)
  t.notMatch(JSON.stringify(rows), token.slice(8))
  t.notMatch(JSON.stringify(book.list({ limit: 10 })), token.slice(8))
  const days = (Date.parse(view.expires_at ?? '') - Date.parse(view.created_at)) / 86_400_000
  t.equal(days, 90)
  t.equal(book.find(token)?.id, view.id)
  t.equal(book.find(token.toUpperCase()), null)
  t.equal(book.find(''), null)
})

t.test('a revoked token opens nothing from then on, and what it has open is cut', async (t) => {
  let isFollowed = false
  const { api, create } = await startWithTokens(t, {
    listBuilds: async () => ({ builds: [], next_cursor: null }),
    follow: async function* (_ref, _options, signal) {
      yield { type: 'notice', slice: 0, text: 'hello' }
      isFollowed = true
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    },
  })
  const { id, token } = await create('read')
  const followed = await fetch(`${api.url}/api/v1/builds/1/follow`, { headers: as(token) })
  const told = followed.text()
  told.catch(() => undefined)
  t.equal((await call(api, 'GET', '/api/v1/builds', { headers: as(token) })).status, 200)
  const revoked = await call(api, 'DELETE', `/api/v1/tokens/${id}`, { headers: as(ROOT) })
  t.match(revoked, { status: 200, json: { id, role: 'read' } })
  t.equal((await call(api, 'GET', '/api/v1/builds', { headers: as(token) })).status, 401)
  await t.rejects(told, 'the stream ended with the token')
  t.equal(isFollowed, true)
  const again = await call(api, 'DELETE', `/api/v1/tokens/${id}`, { headers: as(ROOT) })
  t.match(again, {
    status: 404,
    json: { message: `there is no token ${id}: the list has the ids` },
  })
})

t.test('a token ends when it expires', async (t) => {
  const clock = new TestClock()
  const { book } = await openBook(t, clock)
  const { token } = await book.create({ role: 'read', name: '', expires: '1h' })
  await clock.tick(3_599_999)
  t.ok(book.find(token))
  await clock.tick(1)
  t.equal(book.find(token), null)
})

t.test('its use is noted, and not with a write for each', async (t) => {
  const clock = new TestClock()
  const { book, store, deps } = await openBook(t, clock)
  const { token } = await book.create({ role: 'read', name: '' })
  let writes = 0
  const counting = {
    ...store,
    write: ((work) => ((writes += 1), store.write(work))) as typeof store.write,
  }
  const counted = await openTokenBook({ ...deps, store: counting })
  for (let use = 0; use < 100; use += 1) counted.find(token)
  t.equal(writes, 1)
  await clock.tick(10 * 60_000)
  counted.find(token)
  t.equal(writes, 2)
  t.equal(counted.list({ limit: 1 }).tokens[0]?.last_used_at, new Date(clock.now()).toISOString())
})

t.test('tokens outlive the server, and are listed a page at a time', async (t) => {
  const { api, book, create } = await startWithTokens(t)
  for (let count = 0; count < 5; count += 1) await create('read')
  const seen: string[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const query: string = cursor === '' ? '' : `&cursor=${cursor}`
    const { json } = await call(api, 'GET', `/api/v1/tokens?limit=2${query}`, { headers: as(ROOT) })
    const page = tokenList.parse(json)
    t.ok(page.tokens.length <= 2)
    seen.push(...page.tokens.map(({ id }) => id))
    cursor = page.next_cursor
  }
  t.equal(new Set(seen).size, 5)
  t.same(
    seen,
    book.list({ limit: 200 }).tokens.map(({ id }) => id),
  )
})

t.test('a server that others reach stays closed when its last token goes', async (t) => {
  const { book } = await openBook(t)
  const { token, id } = await book.create({ role: 'admin', name: '' })
  const { api } = await startScripted(
    t,
    { tokens: book, listBuilds: async () => ({ builds: [], next_cursor: null }) },
    { listen: { host: '0.0.0.0', port: 0 } },
  )
  t.equal((await call(api, 'GET', '/api/v1/builds', { headers: as(token) })).status, 200)
  t.equal((await call(api, 'DELETE', `/api/v1/tokens/${id}`, { headers: as(token) })).status, 200)
  t.equal((await call(api, 'GET', '/api/v1/builds')).status, 401)
})

t.test('the first token closes a server that had none', async (t) => {
  const { book } = await openBook(t)
  const listBuilds = async () => ({ builds: [], next_cursor: null })
  const { api } = await startScripted(t, { tokens: book, listBuilds })
  t.equal((await call(api, 'GET', '/api/v1/builds')).status, 200)
  const { status } = await call(api, 'POST', '/api/v1/tokens', asJson({ role: 'admin' }))
  t.equal(status, 201)
  t.equal((await call(api, 'GET', '/api/v1/builds')).status, 401)
})

t.test('a request for a token that makes no sense says what it should be', async (t) => {
  const { api } = await startWithTokens(t)
  const ask = async (value: unknown) => {
    const body = asJson(value)
    const init = { ...body, headers: { ...body.headers, ...as(ROOT) } }
    return errorBody.parse((await call(api, 'POST', '/api/v1/tokens', init)).json).message
  }
  t.equal(
    await ask({ role: 'root', name: 'x'.repeat(101), expires: 'soon' }),
    'the body does not fit: role: must be one of "admin", "submit", "read", "agent"; ' +
      'name: must have at most 100 characters; expires: must be a duration such as "90d" or "12h"',
  )
  t.match(await ask({}), /role: must be one of/)
  t.equal(await ask([]), 'the body does not fit: must be an object')
})

t.test('nobody gets to send a body before the proof is looked at, agents neither', async (t) => {
  const agents = { admits: async () => ({ ok: false, refusal: 'bad_token' }) as const }
  const { api } = await startWithTokens(t, { agents })
  const large = asBytes(randomBytes(3_000_000))
  for (const call of ['claim', 'events', 'output?step=0&offset=0']) {
    const url = `${api.url}/api/v1/agent/5a4ea06b7d560d000116830f-0/1/${call}`
    const response = await fetch(url, { method: 'POST', ...large })
    t.equal(response.status, 403, call)
    t.equal(errorBody.parse(await response.json()).error, 'bad_token')
  }
})
