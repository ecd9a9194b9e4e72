import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import {
  type Clock,
  type HttpError,
  TestClock,
  createHttpClient,
  systemClock,
} from '../../src/platform/index.ts'
import { serve, until } from '../support/serve.ts'

function client(t: Test, baseUrl: string, clock: Clock = systemClock) {
  const http = createHttpClient({ baseUrl, clock })
  t.teardown(() => http.close())
  return http
}

t.test('a streamed body is read as it comes', async (t) => {
  let write = (_text: string | null) => {}
  const url = await serve(t, (_request, response) => {
    response.writeHead(200, { 'x-kind': 'stream' })
    response.flushHeaders()
    write = (text) => void (text === null ? response.end() : response.write(text))
  })
  const { status, header, body } = await client(t, url).stream({ method: 'GET', path: '/' })
  t.equal(status, 200)
  t.equal(header('x-kind'), 'stream')
  for (const part of ['one', 'two']) {
    write(part)
    const [chunk] = (await once(body, 'data')) as [Buffer]
    t.equal(chunk.toString(), part)
  }
  write(null)
  t.equal(await text(body), '')
})

t.test('a streamed body that falls silent ends, one that is not read does not', async (t) => {
  const url = await serve(t, (_request, response) => void response.write('x'.repeat(1_000_000)))
  const clock = new TestClock()
  const http = client(t, url, clock)
  const { body } = await http.stream({ method: 'GET', path: '/', idleTimeoutMs: 1000 })
  await once(body, 'readable')
  await until(() => body.readableLength >= body.readableHighWaterMark)
  await clock.tick(10_000)
  t.equal(body.errored, null, 'the reader is slow, not the server')
  let length = 0
  body.on('data', (chunk: Buffer) => (length += chunk.length))
  const failed = once(body, 'error') as Promise<[HttpError]>
  await until(() => length === 1_000_000)
  await clock.tick(1000)
  const [error] = await failed
  t.equal(error.fault, 'timeout')
})

t.test('a streamed body that is destroyed or aborted frees its connection', async (t) => {
  let closed = 0
  const url = await serve(t, (_request, response) => {
    response.write('x')
    response.on('close', () => (closed += 1))
  })
  const http = client(t, url)
  const { body } = await http.stream({ method: 'GET', path: '/' })
  body.destroy()
  await until(() => closed === 1)
  const stop = new AbortController()
  const second = await http.stream({ method: 'GET', path: '/', signal: stop.signal })
  const failed = once(second.body, 'error') as Promise<[HttpError]>
  stop.abort()
  const [error] = await failed
  t.equal(error.fault, 'aborted')
  await until(() => closed === 2)
})
