import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { aSocketPath } from '../support/socket-path.ts'
import { isCaravanError } from '../../src/model/index.ts'
import {
  HttpError,
  type HttpClientOptions,
  TestClock,
  createHttpClient,
  systemClock,
} from '../../src/platform/index.ts'
import { serve, until } from '../support/serve.ts'

/** The whole behaviour, by undici and by Node's own HTTP: whoever calls must not notice. */
let isSmall = false

function client(t: Test, baseUrl: string, options: Partial<HttpClientOptions> = {}) {
  const http = createHttpClient({ baseUrl, clock: systemClock, small: isSmall, ...options })
  t.teardown(() => http.close())
  return http
}

async function faultOf(call: Promise<unknown>): Promise<Pick<HttpError, 'fault' | 'sent'>> {
  const error: unknown = await call.catch((error: unknown) => error)
  if (!(error instanceof HttpError)) throw new Error('no HttpError', { cause: error })
  return { fault: error.fault, sent: error.sent }
}

const pem = (name: string) =>
  readFileSync(join(import.meta.dirname, 'fixtures', `tls-${name}.pem`), 'utf8')

for (const by of ['undici', 'small']) {
  t.test(`by ${by}`, async (t) => {
    isSmall = by === 'small'
    await t.test('an answer is told whole, whatever its status', async (t) => {
      const url = await serve(t, (request, response) => {
        let body = ''
        request.on('data', (chunk: Buffer) => (body += chunk.toString()))
        request.on('end', () => {
          response.writeHead(418, {
            'x-seen': request.headers['x-own'] ?? '',
            'content-length': '9999',
          })
          const { method, url } = request
          const type = request.headers['content-type']
          const bytes = Buffer.alloc(9999, ' ')
          bytes.write(JSON.stringify({ method, url, type, body }))
          response.end(bytes)
        })
      })
      const http = client(t, `${url}/prefix/`, { headers: { 'x-own': 'yes' } })
      const answer = await http.request({
        method: 'PUT',
        path: '/a%2Fb',
        query: { topic: ['Job', 'Node:x'], index: 7, none: undefined, filter: 'a == "b c"' },
        json: { hello: 'wörld' },
      })
      t.equal(answer.status, 418)
      t.equal(answer.header('x-seen'), 'yes')
      t.equal(answer.header('x-other'), undefined)
      t.equal(answer.bytes.length, 9999)
      t.same(answer.json(), {
        method: 'PUT',
        url: '/prefix/a%2Fb?topic=Job&topic=Node%3Ax&index=7&filter=a+%3D%3D+%22b+c%22',
        type: 'application/json',
        body: '{"hello":"wörld"}',
      })
    })

    await t.test('a body can be bytes or a stream', async (t) => {
      const url = await serve(t, (request, response) => request.pipe(response))
      const http = client(t, url)
      const send = async (body: Buffer | Readable) =>
        (await http.request({ method: 'POST', path: '/', body })).text()
      t.equal(await send(Buffer.from('bytes')), 'bytes')
      t.equal(await send(Readable.from([Buffer.from('a '), Buffer.from('stream')])), 'a stream')
    })

    await t.test('a refused connection was provably not sent', async (t) => {
      const server = createTcpServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      await new Promise((resolve) => server.close(resolve))
      const http = client(t, `http://127.0.0.1:${port}`)
      const call = http.request({ method: 'PUT', path: '/', json: {} })
      t.same(await faultOf(call), { fault: 'unreachable', sent: false })
      await t.rejects(call, { cause: { code: 'ECONNREFUSED' } })
    })

    await t.test('a connection cut after the request leaves the outcome unknown', async (t) => {
      const url = await serve(t, (request, response) => {
        if (request.url === '/midway') {
          response.writeHead(200, { 'content-length': '100' })
          response.write('only a part', () => response.destroy())
        } else {
          request.on('data', () => undefined).on('end', () => response.destroy())
        }
      })
      const http = client(t, url)
      const unknown = { fault: 'cut', sent: true }
      t.same(await faultOf(http.request({ method: 'PUT', path: '/', json: {} })), unknown)
      t.same(await faultOf(http.request({ method: 'GET', path: '/midway' })), unknown)
    })

    await t.test('a deadline covers the whole answer, on the clock of the caller', async (t) => {
      let asked = 0
      const url = await serve(t, (_request, response) => {
        asked += 1
        response.write('a part')
      })
      const clock = new TestClock()
      const http = client(t, url, { clock })
      const call = faultOf(http.request({ method: 'GET', path: '/', timeoutMs: 5_000 }))
      await until(() => asked === 1)
      await clock.tick(5_000)
      t.same(await call, { fault: 'timeout', sent: true })
    })

    await t.test(
      'a request that waits for a connection is let go at once and never sent',
      async (t) => {
        const urls: string[] = []
        let release = () => {}
        const url = await serve(t, (request, response) => {
          urls.push(request.url ?? '')
          release = () => response.end('done')
        })
        const http = client(t, url, { connectionsMax: 1 })
        const first = http.request({ method: 'GET', path: '/first' })
        await until(() => urls.length === 1)
        const stop = new AbortController()
        const second = http.request({
          method: 'PUT',
          path: '/second',
          json: {},
          signal: stop.signal,
        })
        const third = http.request({ method: 'GET', path: '/third' })
        stop.abort()
        t.same(await faultOf(second), { fault: 'aborted', sent: false })
        release()
        t.equal((await first).text(), 'done')
        await until(() => urls.length === 2)
        release()
        await third
        t.same(urls, ['/first', '/third'])
      },
    )

    await t.test('an abort ends a request in flight and frees its connection', async (t) => {
      let closed = 0
      let asked = 0
      const url = await serve(t, (_request, response) => {
        asked += 1
        response.on('close', () => (closed += 1))
      })
      const http = client(t, url)
      const stop = new AbortController()
      const call = faultOf(http.request({ method: 'GET', path: '/', signal: stop.signal }))
      await until(() => asked === 1)
      stop.abort()
      t.same(await call, { fault: 'aborted', sent: true })
      await until(() => closed === 1)
      const late = http.request({ method: 'GET', path: '/', signal: stop.signal })
      t.same(
        await faultOf(late),
        { fault: 'aborted', sent: false },
        'an aborted signal sends nothing',
      )
      t.equal(asked, 1)
    })

    await t.test('an answer longer than the limit is refused', async (t) => {
      const url = await serve(t, (_request, response) => response.end('x'.repeat(100)))
      const http = client(t, url)
      const ask = (bytesMax: number) => http.request({ method: 'GET', path: '/', bytesMax })
      t.equal((await ask(100)).bytes.length, 100)
      t.same(await faultOf(ask(99)), { fault: 'too_large', sent: true })
    })

    await t.test('what is no JSON, or no HTTP, is malformed', async (t) => {
      const html = client(t, await serve(t, (_request, response) => response.end('<html>')))
      const answer = await html.request({ method: 'GET', path: '/' })
      const parsed = faultOf(Promise.resolve(answer).then((each) => each.json()))
      t.same(await parsed, { fault: 'malformed', sent: true })

      const server = createTcpServer((socket) => {
        socket.once('data', () => socket.end('SSH-2.0-OpenSSH_9.9\r\n'))
      })
      t.teardown(() => server.close())
      await once(server.listen(0, '127.0.0.1'), 'listening')
      const other = client(t, `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
      const call = other.request({ method: 'GET', path: '/' })
      t.same(await faultOf(call), { fault: 'malformed', sent: true })
    })

    await t.test('a unix socket stands in for the host', async (t) => {
      const socketPath = aSocketPath(t)
      const server = createServer((request, response) => response.end(request.url)).listen(
        socketPath,
      )
      t.teardown(() => {
        server.close()
        server.closeAllConnections()
      })
      await once(server, 'listening')
      const http = client(t, 'http://localhost', { socketPath })
      t.equal((await http.request({ method: 'GET', path: '/v1/x' })).text(), '/v1/x')
    })

    await t.test('TLS checks the server by its own name and shows our certificate', async (t) => {
      const server = createTlsServer(
        {
          ca: pem('ca'),
          cert: pem('server'),
          key: pem('server-key'),
          requestCert: true,
          rejectUnauthorized: true,
        },
        (_request, response) => response.end('private'),
      )
      t.teardown(() => {
        server.close()
        server.closeAllConnections()
      })
      await once(server.listen(0, '127.0.0.1'), 'listening')
      const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
      const ours = { ca: pem('ca'), cert: pem('client'), key: pem('client-key') }
      const serverName = 'server.global.nomad'
      const ask = (tls: NonNullable<HttpClientOptions['tls']>) =>
        client(t, url, { tls }).request({ method: 'GET', path: '/' })
      t.equal((await ask({ ...ours, serverName })).text(), 'private')
      t.same(await faultOf(ask(ours)), { fault: 'unreachable', sent: false }, 'another name')
      t.same(
        await faultOf(ask({ serverName })),
        { fault: 'unreachable', sent: false },
        'no authority',
      )
      const { fault } = await faultOf(ask({ ca: ours.ca, serverName }))
      t.match(fault, /unreachable|cut/, 'no certificate of ours')
      t.equal((await faultOf(ask({ ...ours, ca: 'no PEM' }))).sent, false)
    })

    await t.test('closing ends what is in flight and refuses what comes later', async (t) => {
      let asked = 0
      const url = await serve(t, () => (asked += 1))
      const http = client(t, url, { connectionsMax: 1 })
      const running = faultOf(http.request({ method: 'GET', path: '/' }))
      const waiting = faultOf(http.request({ method: 'GET', path: '/' }))
      await until(() => asked === 1)
      await http.close()
      t.same(await running, { fault: 'closed', sent: true })
      t.same(await waiting, { fault: 'closed', sent: false })
      const late = http.request({ method: 'GET', path: '/' })
      t.same(await faultOf(late), { fault: 'closed', sent: false })
    })

    await t.test('an address that is none is refused without repeating it', async (t) => {
      for (const baseUrl of ['nomad:4646', 'ftp://host', 'http://user:secret@host', '']) {
        try {
          createHttpClient({ baseUrl, clock: systemClock })
          t.fail('it was taken')
        } catch (error) {
          t.ok(isCaravanError(error, 'INPUT_INVALID'))
          t.notMatch(String(error), /secret/)
        }
      }
    })
  })
}
