import { type RequestListener } from 'node:http'
import t, { type Test } from 'tap'
import { createImds, systemClock } from '../../src/platform/index.ts'
import { serve } from '../support/serve.ts'

async function open(t: Test, listener: RequestListener) {
  const imds = createImds({ endpoint: await serve(t, listener), clock: systemClock })
  t.teardown(() => imds.close())
  return imds
}

/** A metadata service that knows these paths, and wants a token of its own. */
function answering(paths: Record<string, string>, tokens = ['token-one=']): RequestListener {
  let at = 0
  return (request, response) => {
    if (request.method === 'PUT') {
      const ttl = request.headers['x-aws-ec2-metadata-token-ttl-seconds']
      return void response.writeHead(ttl ? 200 : 400).end(tokens[Math.min(at++, tokens.length - 1)])
    }
    const current = tokens[Math.min(at, tokens.length) - 1]
    if (request.headers['x-aws-ec2-metadata-token'] !== current)
      return void response.writeHead(401).end()
    const text = paths[(request.url ?? '').replace('/latest/meta-data/', '')]
    response.writeHead(text === undefined ? 404 : 200).end(text)
  }
}

t.test('an instance learns who it is and what is wanted of it', async (t) => {
  const imds = await open(
    t,
    answering({
      'instance-id': 'i-0123456789abcdef0',
      'placement/region': 'us-east-1',
      'autoscaling/target-lifecycle-state': 'Warmed:Stopped',
      'spot/instance-action': '{"action":"terminate","time":"2026-01-01T00:02:00Z"}',
      'events/recommendations/rebalance': '{"noticeTime":"2026-01-01T00:01:00Z"}',
    }),
  )
  t.equal(await imds.instanceId(), 'i-0123456789abcdef0')
  t.equal(await imds.region(), 'us-east-1')
  t.equal(await imds.targetState(), 'Warmed:Stopped')
  t.same(await imds.spotNotice(), { action: 'terminate', atMs: Date.UTC(2026, 0, 1, 0, 2) })
  t.equal(await imds.rebalanceHint(), Date.UTC(2026, 0, 1, 0, 1))
})

t.test('an instance in no group has no target, and no notice is no error', async (t) => {
  const imds = await open(t, answering({}))
  t.equal(await imds.targetState(), null)
  t.equal(await imds.spotNotice(), null)
  t.equal(await imds.rebalanceHint(), null)
  await t.rejects(imds.instanceId(), { code: 'AWS_UNREACHABLE' })
})

t.test('a token that lapsed is replaced, once for each question', async (t) => {
  let isFresh = false
  let puts = 0
  const imds = await open(t, (request, response) => {
    if (request.method === 'PUT') {
      puts += 1
      return void response.end(`token-${puts}`)
    }
    if (request.headers['x-aws-ec2-metadata-token'] === 'token-1' && !isFresh) {
      isFresh = true
      return void response.writeHead(401).end()
    }
    response.end('InService')
  })
  t.equal(await imds.targetState(), 'InService')
  t.equal(puts, 2)
  t.equal(await imds.targetState(), 'InService')
  t.equal(puts, 2, 'the new one is kept')
})

t.test('what is no answer of the service is none: pages, refusals, silence', async (t) => {
  const page = '<html><body>Please log in</body></html>'
  const all = await open(t, (_request, response) => response.end(page))
  await t.rejects(all.targetState(), { code: 'AWS_UNREACHABLE', message: /no metadata service/ })
  const only = await open(t, (request, response) => {
    response.end(request.method === 'PUT' ? 'token' : page)
  })
  await t.rejects(only.targetState(), { code: 'AWS_UNREACHABLE' })
  await t.rejects(only.spotNotice(), { code: 'AWS_UNREACHABLE' })
  await t.rejects(only.instanceId(), { code: 'AWS_UNREACHABLE' })
  const refusing = await open(t, (request, response) => {
    response.writeHead(request.method === 'PUT' ? 200 : 401).end('token')
  })
  await t.rejects(refusing.targetState(), { code: 'AWS_UNREACHABLE' })
  const off = await open(t, (_request, response) => response.writeHead(403).end())
  await t.rejects(off.targetState(), { code: 'AWS_FORBIDDEN', message: /switched off/ })
  const odd = await open(t, answering({ 'spot/instance-action': '{"action":"dance"}' }))
  await t.rejects(odd.spotNotice(), { message: /unknown shape/ })
  const cut = await open(t, (_request, response) => response.destroy())
  await t.rejects(cut.targetState(), { code: 'AWS_UNREACHABLE', message: /does not answer/ })
})
