import type { ServerResponse } from 'node:http'
import t, { type Test } from 'tap'
import type { StreamItem, Subscription } from '../../src/nomad/index.ts'
import { TestClock } from '../../src/platform/index.ts'
import { type FakeAnswer, type FakeCall, fakeNomad } from '../support/fake-nomad.ts'
import { until } from '../support/serve.ts'

const jobs: Subscription = { topics: [{ topic: 'Job' }] }
const event = (key: string) => ({ Topic: 'Job', Type: 'JobRegistered', Key: key, Payload: {} })
const batch = (index: number, ...keys: string[]) =>
  JSON.stringify({ Index: index, Events: keys.map(event) })
const brief = (item: StreamItem): string => {
  if (item.kind === 'batch') return `${item.index} ${item.events.map(({ Key }) => Key).join()}`
  return item.kind === 'gap' ? `gap ${item.reason}` : `connected ${item.index}`
}

/** A server whose streams the test writes to, and what a reader of them has got so far. */
async function stream(
  t: Test,
  options: Parameters<typeof fakeNomad>[2] & {
    subscription?: Subscription
    /** What the list that shows our rights answers, first to last; then success. */
    lists?: FakeAnswer[]
  } = {},
) {
  const { subscription = jobs, lists = [], ...rest } = options
  const streams: { call: FakeCall; response: ServerResponse }[] = []
  const { nomad, calls } = await fakeNomad(
    t,
    (call, response) => {
      if (call.path !== '/v1/event/stream') return lists.shift() ?? { json: [] }
      streams.push({ call, response })
      response.flushHeaders()
      return undefined
    },
    rest,
  )
  const stop = new AbortController()
  const seen: string[] = []
  const done = (async () => {
    for await (const item of nomad.events(subscription, stop.signal)) seen.push(brief(item))
  })()
  t.teardown(() => stop.abort())
  const write = (...lines: string[]) => {
    for (const line of lines) streams.at(-1)?.response.write(`${line}\n`)
  }
  return { streams, calls, seen, stop, done, write }
}

t.test('events come in batches, after the sign that the stream stands', async (t) => {
  const subscription: Subscription = {
    topics: [{ topic: 'Job' }, { topic: 'Allocation', key: 'a-1' }],
    index: 7,
    namespace: '*',
  }
  const { streams, seen, stop, done, write } = await stream(t, { subscription })
  await until(() => streams.length === 1)
  t.equal(streams[0]?.call.query.toString(), 'namespace=*&index=7&topic=Job&topic=Allocation%3Aa-1')
  t.same(seen, [], 'headers alone are no sign: a stream without rights has them too')
  write('{}', batch(8, 'a'), '', '{}', batch(9, 'b', 'c'), batch(9, 'd'))
  await until(() => seen.length === 4)
  t.same(seen, ['connected 7', '8 a', '9 b,c', '9 d'])
  stop.abort()
  await done
})

t.test('B17: a stream that ends is opened again where it was, and the gap told', async (t) => {
  const { streams, seen, stop, done, write } = await stream(t)
  await until(() => streams.length === 1)
  write('{}', batch(8, 'a'))
  streams[0]?.response.end()
  await until(() => streams.length === 2)
  write(batch(8, 'a'))
  await until(() => seen.length === 5)
  t.same(seen, ['connected 0', '8 a', 'connected 8', 'gap ended', '8 a'])
  t.equal(streams[1]?.call.query.get('index'), '8')
  streams[1]?.response.destroy()
  await until(() => streams.length === 3)
  write('{}')
  await until(() => seen.length === 7)
  t.same(seen.slice(5), ['connected 8', 'gap ended'])
  stop.abort()
  await done
})

t.test('B17: two missed heartbeats are the end of a connection', async (t) => {
  const clock = new TestClock()
  const { streams, seen, stop, done, write } = await stream(t, { clock })
  await until(() => streams.length === 1)
  write('{}')
  await until(() => seen.length === 1)
  await clock.tick(60_000)
  write(batch(8, 'a'))
  await until(() => seen.length === 2)
  await clock.tick(64_000)
  t.equal(streams.length, 1, 'every line counts as a heartbeat')
  await clock.tick(1_000)
  while (streams.length < 2) await clock.tick(100)
  write('{}')
  await until(() => seen.length === 4)
  t.same(seen.slice(2), ['connected 8', 'gap silent'])
  stop.abort()
  await done
})

t.test('an outage is waited out, and told as a gap', async (t) => {
  const lists = [{ cut: true }, { text: 'No cluster leader' }, { cut: true }]
  const { streams, seen, stop, done, write } = await stream(t, { lists })
  await until(() => streams.length === 1)
  write('{}')
  await until(() => seen.length === 2)
  t.same(seen, ['connected 0', 'gap unreachable'])
  stop.abort()
  await done
})

t.test('a subscription without rights is refused before it hangs', async (t) => {
  const { nomad, calls } = await fakeNomad(t, ({ path }) =>
    path === '/v1/nodes' ? { status: 403, text: 'Permission denied' } : { json: [] },
  )
  const { signal } = new AbortController()
  const topics = [{ topic: 'Evaluation' }, { topic: 'Node' }] as const
  const items = nomad.events({ topics }, signal)[Symbol.asyncIterator]()
  await t.rejects(items.next(), { code: 'NOMAD_FORBIDDEN', message: /follow the events/ })
  t.same(
    calls.map(({ path }) => path),
    ['/v1/jobs', '/v1/nodes'],
  )
})

t.test('a subscription that Nomad does not understand is refused', async (t) => {
  const { nomad } = await fakeNomad(t, ({ path }) =>
    path === '/v1/jobs' ? { json: [] } : { status: 400, text: 'Unable to parse index' },
  )
  const items = nomad.events(jobs, new AbortController().signal)[Symbol.asyncIterator]()
  await t.rejects(items.next(), { code: 'NOMAD_REJECTED', message: /Unable to parse index/ })
})

t.test('a line that makes no sense ends the connection, one too long is left out', async (t) => {
  const { streams, seen, stop, done, write } = await stream(t)
  await until(() => streams.length === 1)
  write('{}', batch(8, 'x'.repeat(17 * 1024 ** 2)), batch(9, 'a'))
  await until(() => seen.length === 3)
  t.same(seen, ['connected 0', 'gap malformed', '9 a'])
  write('{"Index":10,"Events":[{"Topic":5}]}')
  await until(() => streams.length === 2)
  write('{}')
  await until(() => seen.length === 5)
  t.same(seen.slice(3), ['connected 9', 'gap malformed'])
  stop.abort()
  await done
})

t.test('B14: a reader who is too slow finds a gap in place of old events', async (t) => {
  let sent = false
  const { nomad } = await fakeNomad(t, ({ path }, response) => {
    if (path !== '/v1/event/stream') return { json: [] }
    response.write('{}\n')
    const large = 'x'.repeat(1024 ** 2)
    for (let index = 1; index <= 40; index += 1) response.write(`${batch(index, large)}\n`)
    response.write(`${batch(41, 'last')}\n`, () => (sent = true))
    return undefined
  })
  const stop = new AbortController()
  const items = nomad.events(jobs, stop.signal)[Symbol.asyncIterator]()
  t.match(await items.next(), { value: { kind: 'connected' } })
  const seen: StreamItem[] = []
  await until(() => sent)
  for (let last = false; !last;) {
    const { value } = (await items.next()) as { value: StreamItem }
    seen.push(value)
    last = value.kind === 'batch' && value.index === 41
  }
  t.ok(seen.some((item) => item.kind === 'gap' && item.reason === 'slow_reader'))
  t.ok(seen.length < 41)
  stop.abort()
  t.same(await items.next(), { value: undefined, done: true })
})

t.test('leaving the loop closes the connection', async (t) => {
  let closed = 0
  const { nomad } = await fakeNomad(t, ({ path }, response) => {
    if (path !== '/v1/event/stream') return { json: [] }
    response.on('close', () => (closed += 1))
    response.write('{}\n')
    return undefined
  })
  for await (const item of nomad.events(jobs, new AbortController().signal)) {
    t.equal(item.kind, 'connected')
    break
  }
  await until(() => closed === 1)
})
