/** What Nomad may do to whoever polls it. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { startNomad, type Answer } from './support/nomad.ts'
import { eventually } from './support/sink.ts'
import { CLIENT_FAILED, SERVER_FAILED, startReporting } from './support/reporter.ts'

const SOUND_SERVER = [
  'circle.nomad.server_agent.poll_failure:0|g',
  'circle.nomad.server_agent.jobs.pending:1|g',
  'circle.nomad.server_agent.jobs.running:1|g',
  'circle.nomad.server_agent.jobs.complete:0|g',
  'circle.nomad.server_agent.jobs.dead:0|g',
].join('\n')

/** The first thing that is sent, and the first complaint, when Nomad answers the list of jobs so. */
async function answered(t: Test, jobs: Answer, more: Record<string, Answer> = {}, token?: string) {
  const nomad = await startNomad(t, { '/v1/jobs': jobs, ...more })
  const options = { address: nomad.address, ...(token === undefined ? {} : { token }) }
  const reporting = await startReporting(t, ['server'], options)
  const [first] = await reporting.sink.next(1)
  await reporting.stop()
  return { first, told: reporting.told.join('\n'), nomad }
}

t.test('all is well: the five gauges in one datagram, and not a word', async (t) => {
  const { first, told } = await answered(t, {
    json: [{ Status: 'running' }, { Status: 'pending' }],
  })
  t.equal(first, SOUND_SERVER)
  t.equal(told, '')
})

t.test('D1: Nomad is not there', async (t) => {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  const reporting = await startReporting(t, ['server'], { address: `http://127.0.0.1:${port}` })
  t.same((await reporting.sink.next(3)).slice(0, 3), [SERVER_FAILED, SERVER_FAILED, SERVER_FAILED])
  t.equal(reporting.told.length, 1, 'told once')
  t.match(reporting.told[0], `http://127.0.0.1:${port}`)
  t.match(reporting.told[0], /ECONNREFUSED/)
})

t.test('D2: Nomad takes the request and never answers', async (t) => {
  const nomad = await startNomad(t, { '/v1/jobs': () => undefined })
  const startMs = performance.now()
  const reporting = await startReporting(t, ['server'], { address: nomad.address })
  t.equal((await reporting.sink.next(1))[0], SERVER_FAILED)
  t.ok(performance.now() - startMs < 8000, 'before the next poll is due')
  await reporting.sink.next(4)
  t.ok(nomad.open.size <= 1, 'a request that was given up keeps no connection')
  await reporting.stop()
  await eventually(() => nomad.open.size === 0, 'no connection is left')
})

t.test('D3: an answer that drips for ever', async (t) => {
  const drip: Answer = (response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    const timer = setInterval(() => response.write(' '), 20)
    response.on('close', () => clearInterval(timer))
  }
  const { first } = await answered(t, drip)
  t.equal(first, SERVER_FAILED)
})

t.test('D4: status 500', async (t) => {
  const { first, told } = await answered(t, {
    status: 500,
    text: `rpc \u001b[31mdied\n${'x'.repeat(3000)}`,
  })
  t.equal(first, SERVER_FAILED)
  t.match(told, /rpc \[31mdied/)
  t.ok(told.length < 700, 'the start of it is enough')
})

t.test('D5: status 200 with something that is no JSON', async (t) => {
  for (const text of ['<html><body>Welcome</body></html>', '[{"Status":"run', '']) {
    const { first, told } = await answered(t, { status: 200, text })
    t.equal(first, SERVER_FAILED, text)
    t.match(told, /is the address right/)
  }
})

t.test('D6: JSON of another shape', async (t) => {
  const summary = { JobSummary: { Summary: { g: { Complete: '1' } } } }
  for (const json of [{}, 'x', 7, [1], [{}], [{ Status: 5 }], [{ Status: 'dead', ...summary }]]) {
    t.equal((await answered(t, { json })).first, SERVER_FAILED, JSON.stringify(json))
  }
})

t.test('D7: a redirection is not followed, and no token goes there', async (t) => {
  const other = await startNomad(t)
  const headers = { location: `${other.address}/v1/jobs` }
  const { first, told } = await answered(t, { status: 307, text: '', headers }, {}, 'secret-token')
  t.equal(first, SERVER_FAILED)
  t.match(told, other.address)
  t.same(other.asked, [])
})

t.test('D10: no right to ask', async (t) => {
  const { first, told } = await answered(
    t,
    { status: 403, text: 'Permission denied' },
    {},
    'secret-token',
  )
  t.equal(first, SERVER_FAILED)
  t.match(told, /namespace:list-jobs/)
  t.notMatch(told, /secret-token/)
})

t.test('D11: a token that sees some namespaces only', async (t) => {
  const own = {
    '/v1/acl/token/self': { json: { Type: 'client', Policies: ['p'] } },
    '/v1/acl/policy/p': { json: { Rules: 'namespace "ci" { policy = "read" }' } },
  }
  const nomad = await startNomad(t, own)
  const warned = await startReporting(t, ['server'], { address: nomad.address })
  t.match((await warned.sink.next(3))[0], SOUND_SERVER)
  t.match(warned.told, [/all namespaces/])
  t.equal(warned.told.length, 1)
  t.equal(nomad.asked.filter((path) => path.endsWith('/self') && path.includes('acl')).length, 1)
  const strict = await startReporting(t, ['server'], {
    address: nomad.address,
    requireAllNamespaces: true,
  })
  t.equal((await strict.sink.next(1))[0], SERVER_FAILED)
  nomad.answers['/v1/acl/policy/p'] = { json: { Rules: 'namespace "*" { policy = "read" }' } }
  const wide = await startReporting(t, ['server'], {
    address: nomad.address,
    requireAllNamespaces: true,
  })
  t.equal((await wide.sink.next(1))[0], SOUND_SERVER)
})

t.test('D11: a client whose token sees the allocations of some namespaces only', async (t) => {
  const nomad = await startNomad(t, {
    '/v1/acl/token/self': { json: { Type: 'client', Policies: ['p'] } },
    '/v1/acl/policy/p': {
      json: { Rules: 'node { policy = "read" } namespace "*" { capabilities = ["list-jobs"] }' },
    },
  })
  const intervalMs = 200
  const warned = await startReporting(t, ['client'], { address: nomad.address, intervalMs })
  t.match((await warned.sink.next(2))[0], 'client_agent.poll_failure:0')
  t.match(warned.told, [/may not read the jobs of all namespaces/])
  const strict = { address: nomad.address, intervalMs, requireAllNamespaces: true }
  const failing = await startReporting(t, ['client'], strict)
  t.equal((await failing.sink.next(1))[0], 'circle.nomad.client_agent.poll_failure:1|g')
  nomad.answers['/v1/acl/policy/p'] = {
    json: { Rules: 'namespace "*" { capabilities = ["read-job"] }' },
  }
  const wide = await startReporting(t, ['client'], strict)
  t.match((await wide.sink.next(1))[0], 'client_agent.poll_failure:0')
  t.same(wide.told, [])
})

t.test('D12: a cluster without a leader', async (t) => {
  const lost = [
    { status: 500, text: 'No cluster leader' },
    { json: [], headers: { 'x-nomad-knownleader': 'false' } },
    { json: [], headers: { 'x-nomad-knownleader': 'true', 'x-nomad-lastcontact': '31000' } },
  ]
  for (const answer of lost) t.equal((await answered(t, answer)).first, SERVER_FAILED)
  const headers = { 'x-nomad-knownleader': 'true', 'x-nomad-lastcontact': '900' }
  t.match((await answered(t, { json: [], headers })).first, /poll_failure:0/)
})

t.test('D13: too many connections, and never more than one of ours', async (t) => {
  const nomad = await startNomad(t, {
    '/v1/jobs': { status: 429, text: 'Too Many Requests', headers: { 'retry-after': '60' } },
  })
  // Polls so often that a slow machine does not make the pause seem over.
  const options = { address: nomad.address, intervalMs: 1000 }
  const reporting = await startReporting(t, ['server'], options)
  await reporting.sink.next(3)
  t.equal(nomad.asked.filter((path) => path === '/v1/jobs').length, 1, 'waits as it was told')
  nomad.answers['/v1/jobs'] = { json: [] }
  await reporting.stop()
  const busy = await startNomad(t)
  const many = await startReporting(t, ['server'], { address: busy.address, intervalMs: 100 })
  await many.sink.next(50)
  t.equal(busy.connections, 1)
})

t.test('D14: the agent has another node than before', async (t) => {
  const nomad = await startNomad(t)
  const reporting = await startReporting(t, ['client'], {
    address: nomad.address,
    intervalMs: 1000,
  })
  t.match((await reporting.sink.next(1))[0], /poll_failure:0/)
  nomad.answers['/v1/node/node-1'] = { status: 404, text: 'node not found' }
  nomad.answers['/v1/agent/self'] = { json: { stats: { client: { node_id: 'node-2' } } } }
  const before = reporting.sink.datagrams.length
  await eventually(() => nomad.asked.includes('/v1/node/node-2'), 'the new node is read')
  await reporting.sink.next(before + 2)
  t.notOk(
    reporting.sink.datagrams.some((each) => each.includes('poll_failure:1')),
    'within the same poll',
  )
  nomad.answers['/v1/node/'] = { status: 404, text: 'node not found' }
  await eventually(
    () => reporting.sink.datagrams.includes(CLIENT_FAILED),
    'a node that nobody knows',
  )
})

t.test('D26: a page that fails makes the whole poll fail', async (t) => {
  const pages: Answer = (response) => {
    const url = new URL(response.req.url ?? '', 'http://nomad')
    t.equal(url.searchParams.get('per_page'), '1000')
    if (url.searchParams.has('next_token')) return void response.writeHead(500).end('died')
    const jobs = Array.from({ length: 1000 }, () => ({ Status: 'running' }))
    response.writeHead(200, { 'x-nomad-nexttoken': 'more' }).end(JSON.stringify(jobs))
  }
  t.equal((await answered(t, pages)).first, SERVER_FAILED)
})

t.test('D31: one mode fails and the other does not', async (t) => {
  const nomad = await startNomad(t, { '/v1/node/': { status: 500, text: 'died' } })
  const reporting = await startReporting(t, ['server', 'client'], { address: nomad.address })
  await eventually(() => reporting.sink.datagrams.includes(CLIENT_FAILED), 'the client fails')
  t.ok(reporting.sink.datagrams.includes(SOUND_SERVER))
  t.equal(reporting.told.length, 1)
  nomad.answers['/v1/node/'] = { status: 500, text: 'died of something else' }
  await eventually(() => reporting.told.length === 2, 'a new reason is told')
})

t.test('an agent that is no client is a mistake in the command line', async (t) => {
  const nomad = await startNomad(t, { '/v1/agent/self': { json: { stats: {} } } })
  const reporting = await startReporting(t, ['client'], { address: nomad.address })
  await t.rejects(reporting.ended, /--client needs the address of one/)
})
