import t from 'tap'
import { upgrade, type UpgradeOptions } from '../../src/cli/upgrade.ts'
import { startScripted } from '../support/scripted-api.ts'
import { serve } from '../support/serve.ts'

async function check(options: UpgradeOptions): Promise<{ code: number; printed: string }> {
  let printed = ''
  const out = {
    write: (text: string | Uint8Array) => {
      printed += String(text)
      return true
    },
    once: () => undefined,
    off: () => undefined,
  }
  const { signal } = new AbortController()
  const io = { stdout: out, stderr: out, env: {}, cwd: '/', signal }
  return { code: await upgrade({ check: true, ...options }, io), printed }
}

t.test('what is installed is told without a server', async (t) => {
  const { code, printed } = await check({})
  t.equal(code, 0)
  t.match(printed, /^installed +\d+\.\d+\.\d+ +1$/m)
  t.match(printed, 'name a server with --server to compare')
})

t.test(
  'a server that agents of this version work with is told, for people and for scripts',
  async (t) => {
    const { api } = await startScripted(t)
    const { code, printed } = await check({ server: api.url })
    t.equal(code, 0)
    t.match(printed, /^server +1\.2\.3 +1$/m)
    t.match(printed, 'Caravan 1.2.3 may be installed here')
    const json = await check({ server: api.url, json: true })
    t.match(JSON.parse(json.printed), {
      installed: { protocols: { oldest: 1, newest: 1 } },
      server: { version: '1.2.3', protocols: { oldest: 1, newest: 1 } },
      works_together: true,
    })
  },
)

t.test(
  'a server without a protocol in common is a failure, and a silent one speaks the first',
  async (t) => {
    const answer = (more: object) =>
      serve(t, (_request, response) =>
        response.end(JSON.stringify({ status: 'ok', version: '9.0.0', reasons: [], ...more })),
      )
    const apart = await check({ server: await answer({ protocols: { oldest: 8, newest: 9 } }) })
    t.equal(apart.code, 3)
    t.match(apart.printed, 'they do not work together: install Caravan 9.0.0 here')
    t.equal((await check({ server: await answer({}) })).code, 0)
  },
)

t.test('nothing is replaced: without --check the way to upgrade is told', async (t) => {
  await t.rejects(check({ check: false }), {
    code: 'INPUT_INVALID',
    message: /install the package/,
  })
})
