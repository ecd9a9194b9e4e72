import { request } from 'node:http'
import t from 'tap'
import { startApi } from '../../src/api/index.ts'
import { errorBody } from '../../src/model/index.ts'
import { silentLog, systemClock } from '../../src/platform/index.ts'
import { asBytes, asJson, call, startScripted } from '../support/scripted-api.ts'

const TOKEN = 'a-token-of-the-test'

const listBuilds = async () => ({ builds: [], next_cursor: null })

/** A call with headers that fetch does not let anybody set. */
function callWith(url: string, headers: Record<string, string>, method = 'GET') {
  return new Promise<number>((resolve, reject) => {
    const sent = request(url, { method, headers, agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    sent.on('error', reject)
    sent.end()
  })
}

t.test('with tokens, only who names one gets an answer', async (t) => {
  const tokens = ['another-token-here', TOKEN]
  const { api } = await startScripted(t, { listBuilds }, { tokens })
  const wrong = ['', 'Bearer', 'Bearer wrong', `Basic ${TOKEN}`, `Bearer ${TOKEN}x`, TOKEN]
  for (const authorization of wrong) {
    const { status, json, headers } = await call(api, 'GET', '/api/v1/builds', {
      headers: { authorization },
    })
    t.equal(status, 401, authorization)
    t.equal(errorBody.parse(json).error, 'UNAUTHORIZED')
    t.equal(headers.get('www-authenticate'), 'Bearer')
  }
  for (const token of tokens) {
    const headers = { authorization: `Bearer ${token}` }
    t.equal((await call(api, 'GET', '/api/v1/builds', { headers })).status, 200)
  }
  const upload = await call(api, 'POST', '/api/v1/sources', asBytes('x'.repeat(100_000)))
  t.equal(upload.status, 401, 'the body of a stranger is not even read')
})

t.test('with tokens, any Host is fine, and health and agents need none', async (t) => {
  const agents = { why: async () => ({ ok: false, refusal: 'bad_token' }) as const }
  const { api } = await startScripted(t, { listBuilds, agents }, { tokens: [TOKEN] })
  const headers = { authorization: `Bearer ${TOKEN}`, host: 'ci.example.org' }
  t.equal(await callWith(`${api.url}/api/v1/builds`, headers), 200)
  t.equal((await call(api, 'GET', '/healthz')).status, 200)
  t.equal((await call(api, 'GET', '/openapi.json')).status, 200)
  const slice = '5a4ea06b7d560d000116830f-0'
  const why = await call(api, 'GET', `/api/v1/agent/${slice}/1/why`)
  t.equal(why.status, 403)
  t.equal(errorBody.parse(why.json).error, 'bad_token', 'it is the scheduler that refuses')
})

t.test('without tokens, only names of this machine are answered', async (t) => {
  const agents = { why: async () => ({ ok: false, refusal: 'fenced' }) as const }
  const { api } = await startScripted(t, { listBuilds, agents })
  const { port } = api
  const local = [`localhost:${port}`, '127.0.0.1', `127.8.8.8:${port}`, '[::1]:80', 'app.localhost']
  const foreign = ['evil.example', `evil.example:${port}`, '10.0.0.1', 'localhost.evil.example']
  const tricks = ['127.0.0.1.evil.example', 'x@127.0.0.1', '[::2]', '127.0.0.1:80:80', '0.0.0.0']
  for (const host of local) {
    t.equal(await callWith(`${api.url}/api/v1/builds`, { host }), 200, host)
  }
  for (const host of [...foreign, ...tricks]) {
    t.equal(await callWith(`${api.url}/api/v1/builds`, { host }), 403, host)
  }
  const agent = `${api.url}/api/v1/agent/5a4ea06b7d560d000116830f-0/1/why`
  t.equal(await callWith(agent, { host: 'evil.example' }), 409, 'agents prove themselves')
})

t.test('without tokens, web pages of other origins are refused', async (t) => {
  let canceled = 0
  const cancelBuild = async () => {
    canceled += 1
    return null
  }
  const { api } = await startScripted(t, { cancelBuild })
  const path = `${api.url}/api/v1/builds/1/cancel`
  for (const origin of ['https://evil.example', 'http://localhost:3000', 'null', 'nonsense']) {
    t.equal(await callWith(path, { origin }, 'POST'), 403, origin)
  }
  t.equal(canceled, 0)
  t.equal(await callWith(path, { origin: api.url }, 'POST'), 404)
  t.equal(canceled, 1, 'its own page may')
})

t.test('text is not taken for JSON: a page may send it without asking', async (t) => {
  const { api } = await startScripted(t)
  const headers = { 'content-type': 'text/plain' }
  const { status } = await call(api, 'POST', '/api/v1/builds', { body: '{}', headers })
  t.equal(status, 415)
  t.equal((await call(api, 'POST', '/api/v1/builds', asJson({}))).status, 400)
})

t.test('a server that would be open to the network without a token does not start', async (t) => {
  const start = (host: string) =>
    startApi({
      scheduler: { tokens: { size: 0 } } as never,
      listen: { host, port: 0 },
      tokens: [],
      clock: systemClock,
      log: silentLog,
      version: '1',
    })
  for (const host of ['0.0.0.0', '::', '192.168.1.1', 'example.org']) {
    await t.rejects(start(host), { code: 'SETTINGS_INVALID', message: /configure a token/ }, host)
  }
})

t.test('a port that is taken is told as such', async (t) => {
  const { api } = await startScripted(t)
  const again = startScripted(t, {}, { listen: { host: 'localhost', port: api.port } })
  await t.rejects(again, {
    code: 'SETTINGS_INVALID',
    message: `cannot listen on localhost:${api.port}: another process does, stop it or choose another with --port`,
  })
})
