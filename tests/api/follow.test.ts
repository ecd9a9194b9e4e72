import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import t from 'tap'
import { type BuildView, CaravanError, type FollowEvent } from '../../src/model/index.ts'
import { followEvent } from '../../src/model/index.ts'
import { TestClock } from '../../src/platform/index.ts'
import { aBuild, aSlice, aStep } from '../support/builds.ts'
import { describeEvent, FollowedBuild } from '../support/followed-build.ts'
import { call, startScripted } from '../support/scripted-api.ts'
import { until } from '../support/serve.ts'

function over(): BuildView {
  const step = aStep({ state: 'succeeded', seconds: 1 })
  return aBuild({ state: 'succeeded', slices: [aSlice({ state: 'succeeded', steps: [step] })] })
}

function running(): BuildView {
  return aBuild({ slices: [aSlice({ steps: [aStep({ state: 'running' })] })] })
}

/** The events of a finished stream, checked against the schema. */
function parseEvents(text: string): FollowEvent[] {
  return text
    .split('\n\n')
    .filter((part) => part !== '' && !part.startsWith(':'))
    .map((part) => {
      const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(part) ?? []
      const event = followEvent.parse(JSON.parse(data ?? ''))
      if (event.type !== name) throw new Error(`the event ${name} holds a ${event.type}`)
      return event
    })
}

/** Opens the stream and leaves the reading to the test. */
async function open(url: string) {
  const sent = request(url, { agent: false })
  sent.on('error', () => undefined)
  sent.end()
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  response.on('error', () => undefined)
  return { response, hangUp: () => sent.destroy() }
}

t.test('two readers of one build see the same, each from the first byte', async (t) => {
  const build = new FollowedBuild(t, running())
  const { api } = await startScripted(t, { follow: build.follow })
  await build.write('hello ')
  const first = call(api, 'GET', `/api/v1/builds/${build.view.id}/follow`)
  await until(() => build.listenerCount === 1)
  await build.write('world')
  const second = call(api, 'GET', '/api/v1/builds/1/follow?output=true')
  await until(() => build.listenerCount === 2)
  build.change(over())
  for (const { status, headers, text } of await Promise.all([first, second])) {
    t.equal(status, 200)
    t.match(headers.get('content-type'), /^text\/event-stream/)
    const events = parseEvents(text)
    t.match(describeEvent(events[0] as FollowEvent), 'build running')
    t.match(describeEvent(events.at(-1) as FollowEvent), 'build succeeded')
    const output = events.filter((event) => event.type === 'output')
    t.equal(
      output.map(({ data }) => Buffer.from(data, 'base64').toString()).join(''),
      'hello world',
    )
  }
  t.equal(build.listenerCount, 0)
})

t.test('without output, only states are told', async (t) => {
  const build = new FollowedBuild(t, over())
  await build.write('hello')
  const { api } = await startScripted(t, { follow: build.follow })
  const { text } = await call(api, 'GET', '/api/v1/builds/1/follow?output=false')
  t.same(parseEvents(text).map(describeEvent), ['build succeeded', 'build succeeded'])
})

t.test('what is wrong from the start is an ordinary error', async (t) => {
  const build = new FollowedBuild(t)
  const { api } = await startScripted(t, { follow: build.follow })
  const { status, json } = await call(api, 'GET', '/api/v1/builds/7/follow')
  t.equal(status, 404)
  t.match(json, { error: 'NOT_FOUND', message: 'there is no build 7' })
  t.equal((await call(api, 'GET', '/api/v1/builds/nonsense/follow')).status, 404)
  t.equal((await call(api, 'GET', '/api/v1/builds/1/follow?output=1')).status, 400)
})

t.test('a failure in the middle cuts the stream instead of ending it', async (t) => {
  const { api, log } = await startScripted(t, {
    async *follow() {
      yield { type: 'build', build: running() }
      throw new CaravanError('STORE_FAILED', 'the disk is gone')
    },
  })
  await t.rejects(call(api, 'GET', '/api/v1/builds/1/follow'))
  t.match(log, [{ level: 'error', message: 'an event stream broke', fields: { cause: /disk/ } }])
})

t.test('a reader that does not read holds back the writer, not our memory', async (t) => {
  let pulled = 0
  const data = Buffer.alloc(48 * 1024).toString('base64')
  const count = 2000
  const { api } = await startScripted(t, {
    async *follow() {
      for (; pulled < count; pulled += 1) {
        yield { type: 'output', slice: 0, step: 0, offset: pulled * 48 * 1024, data }
      }
    },
  })
  const { response } = await open(`${api.url}/api/v1/builds/1/follow`)
  let before = -1
  // The kernel's own buffers fill first; then nothing moves.
  while (before !== pulled) {
    before = pulled
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  t.ok(pulled < count / 2, `${pulled} events of 64 KiB were pulled`)
  let text = ''
  response.setEncoding('utf8')
  for await (const chunk of response as AsyncIterable<string>) text += chunk
  t.equal(parseEvents(text).length, count)
})

t.test('a reader that hangs up ends the following', async (t) => {
  const build = new FollowedBuild(t, running())
  const { api, log } = await startScripted(t, { follow: build.follow })
  const { response, hangUp } = await open(`${api.url}/api/v1/builds/1/follow`)
  await once(response, 'readable')
  t.equal(build.listenerCount, 1)
  hangUp()
  await until(() => build.listenerCount === 0)
  t.same(log, [])
})

t.test('a quiet stream has a heartbeat', async (t) => {
  const clock = new TestClock()
  const build = new FollowedBuild(t, running())
  const { api } = await startScripted(t, { follow: build.follow }, { clock })
  const { response, hangUp } = await open(`${api.url}/api/v1/builds/1/follow`)
  let text = ''
  response.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await until(() => text.endsWith('\n\n'))
  const opening = text
  await clock.tick(14_000)
  t.equal(text, opening)
  await clock.tick(32_000)
  await until(() => text === `${opening}:\n\n:\n\n:\n\n`)
  hangUp()
  await until(() => build.listenerCount === 0)
})

t.test('the server stops within two seconds although somebody follows and waits', async (t) => {
  const build = new FollowedBuild(t, running())
  let isPolled = false
  let isAborted = false
  const { api } = await startScripted(t, {
    follow: build.follow,
    agents: {
      control: (_caller, _options, signal) =>
        new Promise((resolve) => {
          isPolled = true
          const control = { version: 1, action: 'none', flush_ms: 1000, mask: [] } as const
          signal.addEventListener('abort', () => {
            isAborted = true
            resolve({ ok: true, value: { control: { ...control, mask: [] } } })
          })
        }),
    },
  })
  const { response } = await open(`${api.url}/api/v1/builds/1/follow`)
  await once(response, 'readable')
  const path = '/api/v1/agent/5a4ea06b7d560d000116830f-0/1/control?wait_ms=60000'
  const poll = call(api, 'GET', path)
  await until(() => isPolled)
  const startMs = performance.now()
  await api.close()
  t.ok(performance.now() - startMs < 2000)
  t.ok(isAborted)
  t.equal((await poll).status, 200, 'who polls is answered')
  await until(() => response.destroyed)
  t.notOk(response.complete, 'who follows sees a cut, for the build is not over')
  t.equal(build.listenerCount, 0)
})
