import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { createApiClient } from '../../../src/cli/api/client.ts'
import { type BuildRequest, type BuildSummary, CaravanError } from '../../../src/model/index.ts'
import { type Clock, systemClock, TestClock } from '../../../src/platform/index.ts'
import { aBuild } from '../../support/builds.ts'
import { type Script, startScripted } from '../../support/scripted-api.ts'
import { serve, until } from '../../support/serve.ts'

const TOKEN = 'a-token-of-the-test'
const A_REQUEST = { config: 'version: 2.1', org: 'acme', repo: 'shop', branch: 'main' }

function connect(t: Test, server: string, token?: string) {
  const api = createApiClient({
    server,
    clock: systemClock,
    ...(token === undefined ? {} : { token }),
  })
  t.teardown(() => api.close())
  return api
}

async function connectTo(t: Test, script: Script) {
  const { api } = await startScripted(t, script, { tokens: [TOKEN] })
  return connect(t, api.url, TOKEN)
}

t.test('builds are made, tried, read and canceled', async (t) => {
  const submitted: BuildRequest[] = []
  const dry = { slices: [], warnings: ['careful'] }
  const api = await connectTo(t, {
    submit: async (request) => {
      submitted.push(request)
      return aBuild()
    },
    dryRun: async () => dry,
    readBuild: async (ref) => (ref === '1' ? aBuild() : null),
    cancelBuild: async () => aBuild({ state: 'canceled' }),
    rerunBuild: async (_ref, { failed }) => aBuild({ rerun_of: failed ? 1 : 2 }),
  })
  t.same(await api.createBuild(A_REQUEST), aBuild())
  t.match(submitted, [A_REQUEST])
  t.same(await api.dryRun(A_REQUEST), dry)
  t.same(await api.readBuild('1'), aBuild())
  t.equal((await api.cancelBuild('1')).state, 'canceled')
  t.equal((await api.rerunBuild('1', { failed: true })).rerun_of, 1)
  t.equal((await api.rerunBuild('1', { failed: false })).rerun_of, 2)
  await t.rejects(api.readBuild('../../healthz'), { code: 'NOT_FOUND' })
})

t.test('a list is read page by page, as far as somebody wants it', async (t) => {
  const cursors: (string | undefined)[] = []
  const toSummary = (number: number): BuildSummary => {
    const { slices: _slices, warnings: _warnings, ...summary } = aBuild({ number })
    return summary
  }
  const api = await connectTo(t, {
    listBuilds: async ({ cursor }) => {
      cursors.push(cursor)
      const page = Number(cursor ?? 0)
      const next = page < 2 ? `${page + 1}` : null
      return { builds: [toSummary(page * 2), toSummary(page * 2 + 1)], next_cursor: next }
    },
  })
  const numbers: number[] = []
  for await (const build of api.listBuilds()) numbers.push(build.number)
  t.same(numbers, [0, 1, 2, 3, 4, 5])
  t.same(cursors, [undefined, '1', '2'])
  for await (const build of api.listBuilds()) if (build.number === 1) break
  t.equal(cursors.length, 4, 'one page was enough')
})

t.test('bytes go up and come down unchanged', async (t) => {
  const bytes = randomBytes(1_000_000)
  const api = await connectTo(t, {
    storeSource: async (source) => {
      const chunks: Buffer[] = []
      for await (const chunk of source as AsyncIterable<Buffer>) chunks.push(chunk)
      return `${Buffer.concat(chunks).equals(bytes)}`
    },
    readOutput: async ({ slice, step }, { offset }) => {
      if (slice !== 2 || step !== 3) return null
      return { bytes: Readable.from([bytes.subarray(offset)]), have: bytes.length, complete: true }
    },
  })
  t.equal(await api.uploadSource(() => Readable.from([bytes])), 'true')
  const read = async (place: { slice: number; step: number; offset?: number }) => {
    const chunks: Uint8Array[] = []
    for await (const chunk of await api.readOutput('1', place)) chunks.push(chunk)
    return Buffer.concat(chunks)
  }
  t.ok((await read({ slice: 2, step: 3 })).equals(bytes))
  t.ok((await read({ slice: 2, step: 3, offset: 999_000 })).equals(bytes.subarray(999_000)))
  await t.rejects(read({ slice: 0, step: 0 }), { code: 'NOT_FOUND' })
})

t.test('output that breaks off is an error, not an end', async (t) => {
  const api = await connectTo(t, {
    readOutput: async () => {
      async function* broken() {
        yield Buffer.from('half')
        throw new Error('the disk is gone')
      }
      return { bytes: Readable.from(broken()), have: 8, complete: true }
    },
  })
  const read = async () => {
    for await (const chunk of await api.readOutput('1', { slice: 0, step: 0 })) t.ok(chunk.length)
  }
  await t.rejects(read(), { code: 'SERVER_UNREACHABLE' })
})

t.test('health is told also when it is bad', async (t) => {
  const api = await connectTo(t, { health: async () => ['Nomad is away'] })
  t.match(await api.health(), {
    status: 'failing',
    version: '1.2.3',
    protocols: { newest: 1 },
    reasons: ['Nomad is away'],
  })
})

t.test('what the server refuses is told in its own words', async (t) => {
  const detail = { problems: [{ file: 'a.yml', line: 3, message: 'is wrong' }] }
  const { api: server } = await startScripted(
    t,
    {
      submit: async () => {
        throw new CaravanError('CONFIG_INVALID', 'a.yml cannot be compiled', { detail })
      },
    },
    { tokens: [TOKEN] },
  )
  const refused = connect(t, server.url, TOKEN).createBuild(A_REQUEST)
  await t.rejects(refused, { code: 'CONFIG_INVALID', message: 'a.yml cannot be compiled', detail })
  await t.rejects(connect(t, server.url).readBuild('1'), {
    code: 'UNAUTHORIZED',
    message: 'this server needs a bearer token (--token or CARAVAN_TOKEN)',
  })
  await t.rejects(connect(t, server.url, 'wrong').readBuild('1'), { code: 'UNAUTHORIZED' })
})

t.test('a server that is not there is named, with what to do', async (t) => {
  const closed = createServer()
  await once(closed.listen(0, '127.0.0.1'), 'listening')
  const { port } = closed.address() as AddressInfo
  closed.close()
  const server = `http://127.0.0.1:${port}`
  await t.rejects(connect(t, server).readBuild('1'), {
    code: 'SERVER_UNREACHABLE',
    message: `the Caravan server at ${server} cannot be reached: is it running, and is the address right?`,
  })
  t.throws(() => createApiClient({ server: 'localhost', clock: systemClock }), {
    code: 'INPUT_INVALID',
  })
})

t.test('a server of another version is told from a wrong address', async (t) => {
  const fromOther = async (status: number, body: object, version = '0.0.1') =>
    await serve(t, (_request, response) =>
      response.writeHead(status, { 'caravan-version': version }).end(JSON.stringify(body)),
    )
  const other = /the server runs Caravan 0\.0\.1 and this is .*: upgrade the server/
  const refusal = (error: string, details: object) => ({ error, message: 'no', details })
  for (const [status, body] of [
    [200, { id: 1 }],
    [404, refusal('NOT_FOUND', { path: '/api/v1/news' })],
    [400, refusal('INPUT_INVALID', {})],
    [500, refusal('NO_SUCH_CODE', {})],
  ] as const) {
    const server = await fromOther(status, body)
    await t.rejects(connect(t, server).readBuild('1'), { message: other }, JSON.stringify(body))
  }
  const newer = await fromOther(200, { id: 1 }, '99.0.0')
  await t.rejects(connect(t, newer).readBuild('1'), { message: /: install Caravan 99\.0\.0 here$/ })
  const known = await fromOther(404, refusal('NOT_FOUND', {}))
  await t.rejects(connect(t, known).readBuild('1'), { message: /^no$/ })
})

t.test('whatever else answers is not taken for a Caravan server', async (t) => {
  const answers: [status: number, body: string][] = [
    [200, '<html>welcome</html>'],
    [200, '{"id":1}'],
    [502, '<html>bad gateway</html>'],
    [404, '{"error":"nope"}'],
    [302, ''],
    [500, '{"error":"NO_SUCH_CODE","message":"from the future","details":{}}'],
  ]
  for (const [status, body] of answers) {
    const server = await serve(t, (_request, response) => response.writeHead(status).end(body))
    await t.rejects(connect(t, server).readBuild('1'), { code: 'SERVER_ERROR' }, body)
  }
})

t.test('a server that wants to be left alone is asked again when it said', async (t) => {
  const upstream = await startScripted(t, { submit: async () => aBuild() }, { tokens: [TOKEN] })
  const seen: string[] = []
  const busy = await serve(t, (request, response) => {
    void buffer(request).then(async (body) => {
      seen.push(`${request.method} ${body.toString()}`)
      if (seen.length <= 2) return response.writeHead(429, { 'retry-after': '7' }).end('slow down')
      const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' }
      const init = { method: 'POST', headers, body: body.toString() }
      const answer = await fetch(`${upstream.api.url}${request.url}`, init)
      return response.writeHead(answer.status).end(await answer.text())
    })
  })
  const clock = new TestClock()
  const api = createApiClient({ server: busy, clock, token: TOKEN })
  t.teardown(() => api.close())
  const made = api.createBuild(A_REQUEST)
  for (const count of [1, 2]) {
    await until(() => seen.length === count)
    await clock.tick(6999)
    t.equal(seen.length, count, 'not before')
    // The answer may come after the tick; what it is waited for ends by it all the same.
    await until(async () => {
      await clock.tick(100)
      return seen.length === count + 1
    })
  }
  t.same(await made, aBuild())
  t.equal(new Set(seen).size, 1, 'the whole request, each time')
})

t.test('a server that wants to be left alone for good is given up, in its words', async (t) => {
  let calls = 0
  const busy = await serve(t, (request, response) => {
    calls += 1
    request.resume()
    response.writeHead(429, { 'retry-after': '999999' }).end()
  })
  let sleptMs = 0
  // Of all waits only those that the server asked for pass at once: no more than a minute each.
  const clock: Clock = {
    ...systemClock,
    monotonic: () => systemClock.monotonic() + sleptMs,
    after(delayMs, run) {
      if (delayMs !== 60_000) return systemClock.after(delayMs, run)
      sleptMs += delayMs
      return systemClock.after(0, run)
    },
  }
  const api = createApiClient({ server: busy, clock })
  t.teardown(() => api.close())
  await t.rejects(api.createBuild(A_REQUEST), {
    code: 'RATE_LIMITED',
    message: /has had too many requests: try again later/,
  })
  t.equal(calls, 2, 'a third one would have come after two minutes')
})
