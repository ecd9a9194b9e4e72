import t from 'tap'
import { healthAnswer } from '../../src/model/index.ts'
import { TestClock } from '../../src/platform/index.ts'
import { call, startScripted } from '../support/scripted-api.ts'
import { until } from '../support/serve.ts'

const PATHS = ['/healthz', '/health-check', '/healthcheck', '/status']

t.test('a server that is well says so under every name', async (t) => {
  const { api } = await startScripted(t)
  for (const path of [...PATHS, '/readyz']) {
    const { status, json } = await call(api, 'GET', path)
    t.equal(status, 200, path)
    t.same(healthAnswer.parse(json), { status: 'ok', version: '1.2.3', reasons: [] })
    t.equal((await call(api, 'HEAD', path)).status, 200, `HEAD ${path}`)
  }
})

t.test('a server that is not well says why', async (t) => {
  const { api } = await startScripted(t, { health: async () => ['Nomad is away'] })
  const expected = { status: 'failing', version: '1.2.3', reasons: ['Nomad is away'] }
  for (const path of PATHS) {
    const { status, json } = await call(api, 'GET', path)
    t.equal(status, 500, path)
    t.same(healthAnswer.parse(json), expected)
  }
  t.equal((await call(api, 'GET', '/readyz')).status, 503)
})

t.test('a check that fails or hangs is a reason of its own', async (t) => {
  const broken = await startScripted(t, {
    health: async () => {
      throw new Error('secret detail')
    },
  })
  const failed = await call(broken.api, 'GET', '/healthz')
  t.equal(failed.status, 500)
  t.notMatch(failed.text, 'secret')
  t.match(broken.log, [{ level: 'error', fields: { cause: 'secret detail' } }])

  const clock = new TestClock()
  let isAsked = false
  const health = () => {
    isAsked = true
    return new Promise<string[]>(() => undefined)
  }
  const { api } = await startScripted(t, { health }, { clock })
  const hung = call(api, 'GET', '/healthz')
  await until(() => isAsked)
  await clock.tick(3000)
  t.match(await hung, { status: 500, json: { reasons: ['the server is overloaded'] } })
})
