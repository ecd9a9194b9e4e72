import { once } from 'node:events'
import { connect } from 'node:net'
import * as fc from 'fast-check'
import t from 'tap'
import type { Api } from '../../src/api/index.ts'
import { errorBody } from '../../src/model/index.ts'
import { call, startScripted } from '../support/scripted-api.ts'

const AGENT = '/api/v1/agent/5a4ea06b7d560d000116830f-0/1'

/** What the server says to bytes that were written by hand, until it hangs up. */
async function say(api: Api, bytes: string | Buffer): Promise<{ status: number; body: unknown }> {
  const socket = connect(api.port, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.end(bytes)
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await once(socket, 'close')
  const [head = '', body = ''] = text.split('\r\n\r\n', 2)
  return { status: Number(head.split(' ')[1]), body: body === '' ? null : JSON.parse(body) }
}

t.test('what is no HTTP gets a last word in our own form', async (t) => {
  const { api, log } = await startScripted(t)
  const garbage: [string | Buffer, number][] = [
    ['hello\r\n\r\n', 400],
    [Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x0d, 0x0a]), 400],
    ['GET / HTTP/1.1\r\nno colon\r\n\r\n', 400],
    [`GET / HTTP/1.1\r\nhost: x\r\nbig: ${'x'.repeat(100_000)}\r\n\r\n`, 431],
  ]
  for (const [bytes, expected] of garbage) {
    const { status, body } = await say(api, bytes)
    t.equal(status, expected)
    t.equal(errorBody.parse(body).error, 'INPUT_INVALID')
  }
  t.same(log, [])
})

t.test('a path that is no URL, or far too long, is refused in our own form', async (t) => {
  const { api } = await startScripted(t)
  for (const [path, expected] of [
    ['/api/v1/builds/%zz', 400],
    ['/api/v1/builds/%ff', 400],
    [`/api/v1/builds/${'a'.repeat(500)}`, 414],
    ['/__proto__', 404],
    ['//', 404],
    ['/api/v1/../../etc/passwd', 404],
  ] as const) {
    const { status, body } = await say(
      api,
      `GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`,
    )
    t.equal(status, expected, path)
    errorBody.parse(body)
  }
})

t.test('no body makes the server fail, or reaches the scheduler unless it fits', async (t) => {
  const { api, log } = await startScripted(t)
  const routes = ['/api/v1/builds', `${AGENT}/claim`, `${AGENT}/events`] as const
  const field = fc.constantFrom(
    'config',
    'org',
    'events',
    'token',
    'seq',
    '__proto__',
    'constructor',
  )
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 3 },
      fc.jsonValue(),
      fc.dictionary(field, tie('any')),
      fc.array(tie('any'), { maxLength: 4 }),
    ),
  })).any
  const body = fc.oneof(
    value.map((each) => JSON.stringify(each)),
    fc.string({ maxLength: 200 }),
    fc.constantFrom('{"__proto__":{"a":1}}', '{"constructor":{"prototype":{}}}', '['.repeat(5000)),
  )
  const headers = { 'content-type': 'application/json' }
  const property = fc.asyncProperty(fc.constantFrom(...routes), body, async (path, text) => {
    const { status, json } = await call(api, 'POST', path, { body: text, headers })
    return status === 400 && errorBody.parse(json).error === 'INPUT_INVALID'
  })
  await fc.assert(property, { numRuns: 300 })
  t.same(log, [])
})

t.test('a body that is too large for its route is refused', async (t) => {
  const { api } = await startScripted(t)
  const headers = { 'content-type': 'application/json' }
  const body = `{"x":"${'x'.repeat(1024 ** 2)}"}`
  const { status, json } = await call(api, 'POST', `${AGENT}/claim`, { body, headers })
  t.equal(status, 413)
  t.equal(errorBody.parse(json).error, 'TOO_LARGE')
})
