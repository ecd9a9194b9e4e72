/** Every route of the API, in front of a real scheduler. */
import * as fc from 'fast-check'
import type { Test } from 'tap'
import { startApi } from '../../../src/api/index.ts'
import { ROUTE_ACCESS } from '../../../src/model/index.ts'
import { createLog, systemClock } from '../../../src/platform/index.ts'
import { aRequest, startScheduler } from '../../scheduler/support/scheduler.ts'
import { fuzz, type FuzzOptions } from '../harness.ts'
import { broken, mutated } from '../hostile-values.ts'
import { checkAnswer, createSender } from '../raw-http.ts'
import { BUILD_REQUEST, CLAIM, EVENTS, TOKEN_REQUEST } from '../sound-requests.ts'

export const FUZZ_TOKEN = 'a-token-of-the-fuzzer'

/** High enough that nothing is refused for its number. */
const UNLIMITED = {
  requests_per_second: 100_000,
  agent_requests_per_second: 100_000,
  failed_logins_per_minute: 100_000,
}

/** A real control plane on a fake cluster; `faults` is what its API logged as its own fault. */
export async function startFuzzed(t: Test) {
  const faults: string[] = []
  const started = await startScheduler(t)
  const api = await startApi({
    scheduler: started.scheduler,
    listen: { host: '127.0.0.1', port: 0 },
    tokens: [FUZZ_TOKEN],
    limits: UNLIMITED,
    clock: systemClock,
    log: createLog((level, message, fields) => {
      if (level === 'error') faults.push(`${message} ${JSON.stringify(fields)}`)
    }),
    version: '0',
  })
  t.teardown(() => api.close())
  return { ...started, api, send: createSender(t, api.port), faults }
}

const part = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      '1',
      '0',
      '2',
      '5a4ea06b7d560d000116830f',
      '5a4ea06b7d560d000116830f-0',
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '-1',
      '1.5',
      '9'.repeat(30),
      '1e9',
      '__proto__',
      'constructor',
      '%00',
      '..',
    ),
  },
  {
    weight: 1,
    arbitrary: fc.string({ unit: 'binary', maxLength: 20 }).map((text) => encode(text)),
  },
)

const query = fc
  .array(
    fc.tuple(
      fc.constantFrom(
        'limit',
        'cursor',
        'offset',
        'length',
        'dry_run',
        'output',
        'seen',
        'step',
        'attempt',
        '__proto__',
        '',
      ),
      part,
    ),
    { maxLength: 3 },
  )
  .map((pairs) =>
    pairs.length === 0 ? '' : `?${pairs.map(([key, value]) => `${key}=${value}`).join('&')}`,
  )

const headers = fc.record({
  authorization: fc.constantFrom(
    `Bearer ${FUZZ_TOKEN}`,
    `Bearer ${FUZZ_TOKEN}`,
    `Bearer ${FUZZ_TOKEN}`,
    `Bearer ${FUZZ_TOKEN}`,
    '',
    'Bearer',
    'Bearer \u00ff',
    `Basic ${FUZZ_TOKEN}`,
  ),
  'content-type': fc.constantFrom(
    'application/json',
    'application/json',
    'application/json; charset=utf-16',
    'application/octet-stream',
    'text/plain',
    'multipart/form-data; boundary=x',
    'x',
    '',
  ),
  range: fc.constantFrom(
    '',
    'bytes=0-',
    'bytes=-0',
    'bytes=5-1',
    'bytes=99999999999999-',
    'bytes=0-1,2-3',
    'x',
  ),
  'content-encoding': fc.constantFrom('', '', '', 'gzip', 'x'),
  'last-event-id': fc.constantFrom('', '\u00e9', '1'.repeat(200)),
  expect: fc.constantFrom('', '', '', '', '100-continue'),
})

/** What fits the route, more or less. */
const fitting = fc.record({
  builds: toBytes(BUILD_REQUEST),
  tokens: toBytes(TOKEN_REQUEST),
  claim: toBytes(CLAIM),
  events: toBytes(EVENTS),
  sources: fc
    .uint8Array({ maxLength: 50 })
    .map((bytes) => Buffer.concat([Buffer.from('# v2 git bundle\n'), bytes])),
})

const anything = fc.oneof(
  {
    weight: 6,
    arbitrary: broken(
      mutated(BUILD_REQUEST, TOKEN_REQUEST, CLAIM, EVENTS).map(
        (value) => JSON.stringify(value) ?? '',
      ),
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('', '{', '[]', '['.repeat(20_000), '{"a":'.repeat(5000), '"'.repeat(70_000))
      .map((text) => Buffer.from(text)),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
)

const input = fc
  .record({
    // A build that runs on has a stream without end.
    route: fc.constantFrom(
      ...Object.keys(ROUTE_ACCESS).filter((route) => !route.endsWith('/follow')),
      'PUT /api/v1/builds',
      'GET /nothing',
    ),
    parts: fc.array(part, { minLength: 5, maxLength: 5 }),
    query,
    headers,
    fitting,
    other: fc.option(anything, { freq: 3 }),
  })
  .map(({ route, parts, query: asked, headers: all, fitting: bodies, other }) => {
    const [method = '', pattern = ''] = route.split(' ')
    let index = 0
    const path = pattern.replaceAll(/:\w+/g, () => parts[index++] ?? '') + asked
    const kept = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''))
    const kind = pattern.split('/').at(-1) as keyof typeof bodies
    const bytes = other ?? bodies[kind] ?? Buffer.alloc(0)
    if (other === null && kind in bodies) {
      all['content-type'] = kind === 'sources' ? 'application/octet-stream' : 'application/json'
    }
    const isRead = method === 'GET'
    const empty = Buffer.alloc(0)
    return {
      method,
      path,
      headers: { ...kept, 'content-length': String(isRead ? 0 : bytes.length) },
      body: isRead ? empty : bytes,
    }
  })

export async function fuzzHttp(t: Test, options: FuzzOptions): Promise<void> {
  const { scheduler, send, faults } = await startFuzzed(t)
  await scheduler.submit(aRequest())
  const check = async (raw: typeof input extends fc.Arbitrary<infer Value> ? Value : never) => {
    const isReady = raw.path.startsWith('/readyz')
    checkAnswer(await send(raw), isReady)
    if (faults.length > 0) throw new Error(faults.join('\n'))
  }
  await fuzz(t, { name: 'requests of people', input, check, lanes: 8 }, options)
  const health = { method: 'GET', path: '/healthz', headers: {}, body: Buffer.alloc(0) }
  t.equal((await send(health)).status, 200, 'the server is well afterwards')
}

function toBytes(sound: unknown): fc.Arbitrary<Buffer> {
  return broken(mutated(sound).map((value) => JSON.stringify(value) ?? ''))
}

function encode(text: string): string {
  return encodeURIComponent(text.replaceAll(/[\uD800-\uDFFF]/g, '?'))
}
