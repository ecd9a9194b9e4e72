import t from 'tap'
import { healthAnswer, PROTOCOLS } from '../../src/model/index.ts'
import { TestClock } from '../../src/platform/index.ts'
import { call, startScripted } from '../support/scripted-api.ts'
import { until } from '../support/serve.ts'

const PATHS = ['/healthz', '/health-check', '/healthcheck', '/status']

t.test('a server that is well says so under every name', async (t) => {
  const { api } = await startScripted(t)
  for (const path of [...PATHS, '/readyz']) {
    const { status, json } = await call(api, 'GET', path)
    t.equal(status, 200, path)
    t.same(healthAnswer.parse(json), {
      status: 'ok',
      version: '1.2.3',
      protocols: PROTOCOLS,
      reasons: [],
    })
    t.equal((await call(api, 'HEAD', path)).status, 200, `HEAD ${path}`)
  }
})

t.test('a process that is not well says why under every name', async (t) => {
  const script = { health: async () => ['the disk is full'], faults: () => ['the disk is full'] }
  const { api } = await startScripted(t, script)
  const reasons = ['the disk is full']
  const expected = { status: 'failing', version: '1.2.3', protocols: PROTOCOLS, reasons }
  for (const path of PATHS) {
    const { status, json } = await call(api, 'GET', path)
    t.equal(status, 500, path)
    t.same(healthAnswer.parse(json), expected)
  }
  t.equal((await call(api, 'GET', '/readyz')).status, 503)
})

t.test('while Nomad is away the process is well, and not ready', async (t) => {
  const { api } = await startScripted(t, { health: async () => ['Nomad is away'] })
  for (const path of PATHS) t.equal((await call(api, 'GET', path)).status, 200, path)
  const ready = await call(api, 'GET', '/readyz')
  t.match(ready, { status: 503, json: { status: 'failing', reasons: ['Nomad is away'] } })
})

t.test('a check that fails or hangs is a reason of its own', async (t) => {
  const broken = await startScripted(t, {
    health: async () => {
      throw new Error('secret detail')
    },
  })
  const failed = await call(broken.api, 'GET', '/readyz')
  t.equal(failed.status, 503)
  t.notMatch(failed.text, 'secret')
  t.match(broken.log, [{ level: 'error', fields: { cause: 'secret detail' } }])

  const clock = new TestClock()
  let isAsked = false
  const health = () => {
    isAsked = true
    return new Promise<string[]>(() => undefined)
  }
  const { api } = await startScripted(t, { health }, { clock })
  const hung = call(api, 'GET', '/readyz')
  await until(() => isAsked)
  await clock.tick(3000)
  t.match(await hung, { status: 503, json: { reasons: ['the server is overloaded'] } })
})
