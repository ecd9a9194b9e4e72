import { createHash, randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { createApiClient } from '../../../src/cli/api/client.ts'
import { createResume } from '../../../src/cli/api/resume.ts'
import { readServerSentEvents } from '../../../src/cli/api/sse.ts'
import type { BuildView, FollowEvent } from '../../../src/model/index.ts'
import { type Clock, systemClock } from '../../../src/platform/index.ts'
import { aBuild, aSlice, aStep } from '../../support/builds.ts'
import { describeEvent, FollowedBuild } from '../../support/followed-build.ts'
import { startScripted } from '../../support/scripted-api.ts'
import { serve, until } from '../../support/serve.ts'

/** A clock whose timers are this many times as fast. */
function hurried(factor: number): Clock {
  return { ...systemClock, after: (delayMs, run) => systemClock.after(delayMs / factor, run) }
}

function connect(t: Test, server: string, factor = 20) {
  const api = createApiClient({ server, clock: hurried(factor), random: () => 0 })
  t.teardown(() => api.close())
  return api
}

function running(): BuildView {
  return aBuild({ slices: [aSlice({ steps: [aStep({ state: 'running' })] })] })
}

function over(): BuildView {
  const step = aStep({ state: 'succeeded', seconds: 1 })
  return aBuild({ state: 'succeeded', slices: [aSlice({ state: 'succeeded', steps: [step] })] })
}

function toText(event: unknown): string {
  return `data: ${JSON.stringify(event)}\n\n`
}

async function collect(events: AsyncIterable<FollowEvent>): Promise<string[]> {
  const lines: string[] = []
  for await (const event of events) lines.push(describeEvent(event))
  return lines
}

t.test('a build is followed to its end, with the exact bytes, over many cuts', async (t) => {
  const build = new FollowedBuild(t, running())
  const { api: upstream } = await startScripted(t, { follow: build.follow })
  let connections = 0
  const cutting = await serve(t, (request, response) => {
    connections += 1
    // Each connection gets further than the one before it.
    let left = connections * 700_000
    void fetch(`${upstream.url}${request.url ?? ''}`).then(async (answer) => {
      response.writeHead(answer.status, { 'content-type': 'text/event-stream' })
      for await (const chunk of answer.body ?? []) {
        response.write(chunk.subarray(0, left))
        left -= chunk.length
        if (left <= 0) return response.destroy()
      }
      return response.end()
    })
  })
  const content = randomBytes(3_000_000)
  await build.write(content)
  const hash = createHash('sha256')
  let finished = ''
  for await (const event of connect(t, cutting).follow('1', { output: true })) {
    if (event.type === 'output') hash.update(Buffer.from(event.data, 'base64'))
    if (event.type === 'build') finished = event.build.state
    if (event.type === 'output' && event.offset > 2_900_000) build.change(over())
  }
  t.equal(finished, 'succeeded')
  t.equal(hash.digest('hex'), createHash('sha256').update(content).digest('hex'))
  t.ok(connections > 3, `${connections} connections`)
})

t.test('a stream that ends before the build does is opened again', async (t) => {
  let connections = 0
  const server = await serve(t, (_request, response) => {
    connections += 1
    const build = connections < 3 ? running() : over()
    response.writeHead(200).end(toText({ type: 'build', build }))
  })
  const lines = await collect(connect(t, server).follow('1', { output: true }))
  t.same(lines, ['build running', 'build running', 'build succeeded'])
})

t.test('a server that stays away is given up, and named', async (t) => {
  let connections = 0
  const server = await serve(t, (request) => {
    connections += 1
    request.socket.destroy()
  })
  const events = connect(t, server).follow('1', { output: true })
  await t.rejects(collect(events), { code: 'SERVER_UNREACHABLE', message: new RegExp(server) })
  t.equal(connections, 10)
})

t.test('a server that is silent for longer than its heartbeat is left', async (t) => {
  let connections = 0
  const server = await serve(t, (_request, response) => {
    connections += 1
    response.writeHead(200)
    response.write(toText({ type: 'build', build: connections === 1 ? running() : over() }))
    if (connections > 1) response.end()
  })
  const lines = await collect(connect(t, server, 100).follow('1', { output: true }))
  t.same(lines, ['build running', 'build succeeded'])
})

t.test('what will not pass is told at once', async (t) => {
  const build = new FollowedBuild(t)
  const { api } = await startScripted(t, { follow: build.follow })
  const events = connect(t, api.url).follow('7', { output: true })
  await t.rejects(collect(events), { code: 'NOT_FOUND', message: 'there is no build 7' })
  const strange = [
    'data: no json\n\n',
    toText({ type: 'build', build: {} }),
    toText({ type: 'output', slice: 0, step: 0, offset: 5, data: 'AA==' }),
  ]
  for (const text of strange) {
    let connections = 0
    const server = await serve(t, (_request, response) => {
      connections += 1
      response.writeHead(200).end(text)
    })
    const follow = collect(connect(t, server).follow('1', { output: true }))
    await t.rejects(follow, { code: 'SERVER_ERROR' }, text)
    t.equal(connections, 1)
  }
})

t.test('a failure that a proxy tells may pass', async (t) => {
  let connections = 0
  const server = await serve(t, (_request, response) => {
    connections += 1
    if (connections < 3) response.writeHead(502).end('<html>bad gateway</html>')
    else response.writeHead(200).end(toText({ type: 'build', build: over() }))
  })
  t.same(await collect(connect(t, server).follow('1', { output: true })), ['build succeeded'])
})

t.test('events of a newer server are passed over', async (t) => {
  const server = await serve(t, (_request, response) => {
    response.writeHead(200)
    response.write(toText({ type: 'weather', sun: true }))
    response.end(toText({ type: 'build', build: over() }))
  })
  t.same(await collect(connect(t, server).follow('1', { output: true })), ['build succeeded'])
})

t.test('an abort ends the stream quietly, also between two tries', async (t) => {
  const build = new FollowedBuild(t, running())
  const { api } = await startScripted(t, { follow: build.follow })
  const stop = new AbortController()
  const { signal } = stop
  const lines = collect(connect(t, api.url).follow('1', { output: true, signal }))
  await until(() => build.listenerCount === 1)
  stop.abort()
  t.ok((await lines).length <= 1)
  await until(() => build.listenerCount === 0)

  let connections = 0
  const away = await serve(t, (request) => {
    connections += 1
    request.socket.destroy()
  })
  const second = new AbortController()
  const tries = collect(connect(t, away).follow('1', { output: true, signal: second.signal }))
  await until(() => connections === 2)
  second.abort()
  t.same(await tries, [])
})

t.test('output that was seen is taken once, until a new epoch starts it over', (t) => {
  const takeNew = createResume()
  const output = (offset: number, text: string): FollowEvent => {
    const data = Buffer.from(text).toString('base64')
    return { type: 'output', slice: 0, step: 0, offset, data }
  }
  const take = (event: FollowEvent) => {
    const fresh = takeNew(event)
    return fresh === null ? null : describeEvent(fresh)
  }
  t.equal(take({ type: 'build', build: running() }), 'build running')
  t.equal(take(output(0, 'abc')), 'output 0/0 @0 abc')
  t.equal(take(output(0, 'abc')), null)
  t.equal(take(output(1, 'bcde')), 'output 0/0 @3 de')
  t.throws(() => take(output(6, 'g')), { code: 'SERVER_ERROR', detail: { have: 5, offset: 6 } })
  t.equal(take({ type: 'build', build: running() }), 'build running')
  t.equal(take(output(0, 'abcde')), null, 'the same epoch, told again')
  const { steps: _steps, ...slice } = aSlice({ epoch: 2 })
  take({ type: 'slice', slice })
  t.equal(take(output(0, 'new')), 'output 0/0 @0 new')
  t.end()
})

t.test('events are read however they are cut, and an unfinished one is dropped', async (t) => {
  const text = [
    ': comment\n\n',
    'event: a\ndata: {"x":"äöü€😀"}\n\n',
    'data: one\r\ndata:two\r\n\r\n',
    'event: ignored\n\n',
    'id: 7\ndata\ndata: :end\n\n',
    'data: unfinished\n',
  ].join('')
  const bytes = Buffer.from(text)
  for (const size of [1, 2, 3, 7, 1000]) {
    async function* pieces() {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
    }
    const events = []
    for await (const event of readServerSentEvents(pieces())) events.push(event)
    t.same(events, [
      { event: 'a', data: '{"x":"äöü€😀"}' },
      { event: 'message', data: 'one\ntwo' },
      { event: 'message', data: '\n:end' },
    ])
  }
})

t.test('a follower that the server wants to wait comes back, however often', async (t) => {
  const build = new FollowedBuild(t, over())
  const { api: upstream } = await startScripted(t, { follow: build.follow })
  let connections = 0
  const busy = await serve(t, (request, response) => {
    connections += 1
    // More often than a server that is merely broken is tried.
    if (connections <= 15) return response.writeHead(429, { 'retry-after': '1' }).end()
    return void fetch(`${upstream.url}${request.url ?? ''}`).then(async (answer) => {
      response.writeHead(answer.status, { 'content-type': 'text/event-stream' })
      for await (const chunk of answer.body ?? []) response.write(chunk)
      return response.end()
    })
  })
  const api = connect(t, busy, 100)
  const lines = await collect(api.follow('1', { output: true }))
  t.match(lines.at(-1), /build/)
  t.equal(connections, 16)
})
