import { once } from 'node:events'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import t from 'tap'
import { TestClock } from '../../src/platform/index.ts'
import { asBytes, asJson, call, startScripted } from '../support/scripted-api.ts'
import { until } from '../support/serve.ts'

const HAS_IPV6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === '::1'),
)

t.test('the address is one that can be connected to', async (t) => {
  for (const [host, expected] of [
    ['127.0.0.1', '127.0.0.1'],
    ['localhost', '127.0.0.1'],
    ['0.0.0.0', '127.0.0.1'],
    ...(HAS_IPV6 ? ([['::1', '[::1]']] as const) : []),
  ] as const) {
    const tokens = ['a-token-of-the-test']
    const { api } = await startScripted(t, {}, { listen: { host, port: 0 }, tokens })
    t.equal(api.url, `http://${expected}:${api.port}`)
    t.equal((await call(api, 'GET', '/healthz')).status, 200)
    await api.close()
  }
})

t.test('a call that hangs is answered after half a minute', async (t) => {
  const clock = new TestClock()
  let asked = 0
  const hang = () => {
    asked += 1
    return new Promise<never>(() => undefined)
  }
  const script = { readBuild: hang, submit: hang, storeSource: hang }
  const { api, log } = await startScripted(t, script, { clock })
  const request = { config: 'version: 2.1', org: 'acme', repo: 'shop', branch: 'main' }
  const calls = Promise.all([
    call(api, 'GET', '/api/v1/builds/1'),
    call(api, 'POST', '/api/v1/builds', asJson(request)),
  ])
  const upload = call(api, 'POST', '/api/v1/sources', asBytes('bundle'))
  await until(() => asked === 3)
  await clock.tick(30_000)
  for (const { status, json } of await calls) {
    t.equal(status, 504)
    t.match(json, { error: 'TIMED_OUT' })
  }
  t.match(log, [{ fields: { cause: /TIMED_OUT/ } }, { fields: { cause: /TIMED_OUT/ } }])
  await clock.tick(60 * 60_000)
  t.equal((await upload).status, 504, 'an upload has longer')
})

t.test('a call that does not end is cut when the server stops', async (t) => {
  let isAsked = false
  const { api } = await startScripted(t, {
    readBuild: () => {
      isAsked = true
      return new Promise(() => undefined)
    },
  })
  const hung = call(api, 'GET', '/api/v1/builds/1')
  const refused = t.rejects(hung)
  await until(() => isAsked)
  const startMs = performance.now()
  await Promise.all([api.close(), api.close()])
  t.ok(performance.now() - startMs < 2000)
  await refused
  await t.rejects(call(api, 'GET', '/healthz'), 'nothing listens any more')
})

t.test('a request that arrives while the server stops is sent on, unharmed', async (t) => {
  const { api } = await startScripted(t)
  const socket = connect(api.port, '127.0.0.1')
  await once(socket, 'connect')
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
  socket.write('POST /api/v1/builds/1/cancel HTTP/1.1\r\nhost: local')
  // Answered after the server has seen the beginning above.
  await call(api, 'GET', '/healthz')
  const closed = api.close()
  socket.write('host\r\ncontent-length: 0\r\n\r\n')
  await once(socket, 'close')
  await closed
  t.match(text, /^HTTP\/1.1 503 /)
  t.match(text, /"error":"SERVER_UNREACHABLE"/)
  t.match(text, /connection: close/i)
})
