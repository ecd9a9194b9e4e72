import { Readable } from 'node:stream'
import t from 'tap'
import { errorBody } from '../../src/model/index.ts'
import type { Scheduler } from '../../src/scheduler/index.ts'
import { call, startScripted } from '../support/scripted-api.ts'
import { until } from '../support/serve.ts'

const CONTENT = '0123456789'
const PATH = '/api/v1/builds/1/slices/2/steps/3/output'

const readOutput: Scheduler['readOutput'] = async (place, { offset, length = Infinity }) => {
  if (place.ref !== '1' || place.slice !== 2 || place.step !== 3) return null
  const bytes = Readable.from([Buffer.from(CONTENT.slice(offset, offset + length))])
  return { bytes, have: CONTENT.length, complete: true }
}

t.test('output is sent byte for byte, with how much there is', async (t) => {
  const { api } = await startScripted(t, { readOutput })
  const { status, text, headers } = await call(api, 'GET', PATH)
  t.equal(status, 200)
  t.equal(text, CONTENT)
  const expected = {
    'content-type': 'application/octet-stream',
    'content-length': '10',
    'x-caravan-have': '10',
    'x-caravan-complete': 'true',
    'x-content-type-options': 'nosniff',
  }
  t.match(Object.fromEntries(headers), expected)
})

t.test('a part is named by the query', async (t) => {
  const { api } = await startScripted(t, { readOutput })
  const parts = [
    ['offset=4', '456789'],
    ['offset=4&length=2', '45'],
    ['length=3', '012'],
    ['length=0', ''],
    ['offset=8&length=50', '89'],
    ['offset=10', ''],
    ['offset=99', ''],
  ] as const
  for (const [query, expected] of parts) {
    const { status, text, headers } = await call(api, 'GET', `${PATH}?${query}`)
    t.equal(status, 200, query)
    t.equal(text, expected, query)
    t.equal(headers.get('content-length'), `${expected.length}`)
    t.equal(headers.get('x-caravan-have'), '10')
  }
  for (const query of ['offset=-1', 'offset=x', 'length=1.5', `offset=${2 ** 60}`]) {
    t.equal((await call(api, 'GET', `${PATH}?${query}`)).status, 400, query)
  }
})

t.test('a part is named by a Range header', async (t) => {
  const { api } = await startScripted(t, { readOutput })
  const ask = (range: string) => call(api, 'GET', PATH, { headers: { range } })
  const parts = [
    ['bytes=0-3', '0123', 'bytes 0-3/10'],
    ['bytes=4-', '456789', 'bytes 4-9/10'],
    ['bytes=8-50', '89', 'bytes 8-9/10'],
    ['bytes=-3', '789', 'bytes 7-9/10'],
    ['bytes=-50', CONTENT, 'bytes 0-9/10'],
  ] as const
  for (const [range, expected, contentRange] of parts) {
    const { status, text, headers } = await ask(range)
    t.equal(status, 206, range)
    t.equal(text, expected, range)
    t.equal(headers.get('content-range'), contentRange)
  }
  for (const range of ['bytes=10-', 'bytes=99-100', 'bytes=-0']) {
    const { status, headers, json } = await ask(range)
    t.equal(status, 416, range)
    t.equal(headers.get('content-range'), 'bytes */10')
    errorBody.parse(json)
  }
  for (const range of ['bytes=3-1', 'bytes=1-2,4-5', 'lines=1-2', 'bytes=-', 'nonsense']) {
    const { status, text } = await ask(range)
    t.same([status, text], [200, CONTENT], `${range} is answered with all of it`)
  }
})

t.test('a step that goes on writing while it is read does not upset the answer', async (t) => {
  const given: Readable[] = []
  const { api } = await startScripted(t, {
    readOutput: async (_place, { offset }) => {
      const bytes = Readable.from([Buffer.from(`${CONTENT}and more`.slice(offset))])
      given.push(bytes)
      return { bytes, have: CONTENT.length, complete: false }
    },
  })
  const whole = await call(api, 'GET', PATH)
  t.same([whole.text, whole.headers.get('content-length')], [CONTENT, '10'])
  t.equal(whole.headers.get('x-caravan-complete'), 'false')
  t.equal((await call(api, 'GET', `${PATH}?offset=10`)).text, '')
  t.equal((await call(api, 'GET', PATH, { headers: { range: 'bytes=10-' } })).status, 416)
  const range = await call(api, 'GET', PATH, { headers: { range: 'bytes=8-' } })
  t.same([range.text, range.headers.get('content-range')], ['89', 'bytes 8-9/10'])
  await until(() => given.every((bytes) => bytes.destroyed))
})

t.test('a step that is not there is told by its place', async (t) => {
  const { api } = await startScripted(t, { readOutput })
  const { status, json } = await call(api, 'GET', '/api/v1/builds/1/slices/0/steps/9/output')
  t.equal(status, 404)
  t.match(json, { error: 'NOT_FOUND', message: 'there is no step 9 in slice 0 of build 1' })
  t.equal((await call(api, 'GET', '/api/v1/builds/1/slices/x/steps/9/output')).status, 400)
  t.equal((await call(api, 'GET', '/api/v1/builds/x/slices/0/steps/9/output')).status, 404)
})

t.test('a download that breaks off is seen as such', async (t) => {
  const { api } = await startScripted(t, {
    readOutput: async () => {
      async function* broken() {
        yield Buffer.from('half')
        throw new Error('the disk is gone')
      }
      return { bytes: Readable.from(broken()), have: 8, complete: true }
    },
  })
  await t.rejects(call(api, 'GET', PATH))
})

t.test('who leaves in the middle of a download leaves no open file', async (t) => {
  const bytes = new Readable({
    read() {
      this.push(Buffer.alloc(64 * 1024))
    },
  })
  const { api } = await startScripted(t, {
    readOutput: async () => ({ bytes, have: 2 ** 40, complete: false }),
  })
  const leave = new AbortController()
  const response = await fetch(api.url + PATH, { signal: leave.signal })
  t.equal(response.headers.get('x-caravan-complete'), 'false')
  const closed = new Promise((resolve) => bytes.once('close', resolve))
  leave.abort()
  await closed
  t.ok(bytes.destroyed)
})
