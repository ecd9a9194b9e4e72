import t from 'tap'
import { formatProblem, isCaravanError, type Problem } from '../../src/model/index.ts'
import { resolveSettings, type SettingsSources } from '../../src/platform/config.ts'

async function refuse(text: string, more: Partial<SettingsSources> = {}): Promise<string[]> {
  try {
    await resolveSettings({ flags: {}, env: {}, file: { name: 'caravan.hcl', text }, ...more })
    return []
  } catch (error) {
    if (!isCaravanError(error, 'SETTINGS_INVALID')) throw error
    return (error.detail['problems'] as Problem[]).map(formatProblem)
  }
}

t.test('all problems are told at once, each with its line, variable or flag', async (t) => {
  const text = `server {
  listn = "0.0.0.0:80"
}
nomad {
  datacenters = []
  region      = 5
}
limits {
  no_output = "10 minutes"
  infrastructure_retries = 2.5
}
class "medium" {
  vcpu = "four"
}
polo "linux" {}
tokens = ["short"]
`
  const env = { NOMAD_NAMESPACE: '', CARAVAN_LIMIT_OUTPUT: 'much', CARAVAN_DATASENTERS: 'x' }
  t.same(await refuse(text, { env, flags: { nomad: 'localhost' } }), [
    'CARAVAN_DATASENTERS: is unknown; did you mean CARAVAN_DATACENTERS?',
    '--nomad: nomad.address: expected an http(s) URL',
    'CARAVAN_LIMIT_OUTPUT: limits.output: not a size such as "1GiB": "much"',
    'caravan.hcl:2: server.listn: is unknown; did you mean listen?',
    'caravan.hcl:5: nomad.datacenters: must not be empty',
    'caravan.hcl:6: nomad.region: expected a text in double quotes',
    'caravan.hcl:9: limits.no_output: not a duration such as "10m" or "1h30m": "10 minutes"',
    'caravan.hcl:10: limits.infrastructure_retries: expected a whole number',
    'caravan.hcl:12: class.medium.memory: is missing',
    'caravan.hcl:13: class.medium.vcpu: expected a number',
    'caravan.hcl:15: polo: is unknown; did you mean pool?',
    'caravan.hcl:16: tokens.0: is shorter than 16 characters',
  ])
})

t.test('blocks are refused where they do not belong, or a second time', async (t) => {
  const cases: [text: string, problem: string][] = [
    ['server {}\nserver {}', 'caravan.hcl:2: server: is already there, on line 1'],
    ['server "x" {}', 'caravan.hcl:1: server: takes no label; write server { ... }'],
    ['server = 5', 'caravan.hcl:1: server: expected a block'],
    [
      'store {\n  url {}\n}',
      'caravan.hcl:2: store.url: write url = ...; there is no block of this name',
    ],
    ['class {}', 'caravan.hcl:1: class: write class "name" { ... }'],
    [
      'class "a" {\n  name = "b"\n  vcpu = 1\n  memory = 1\n}',
      'caravan.hcl:2: class.a.name: is the label',
    ],
    ['pool "linux" {\n  min = 2\n}', 'caravan.hcl:1: pool: is not supported yet'],
    ['organisation "acme" {}', 'caravan.hcl:1: organisation: is not supported yet'],
    [
      'metrics { statsd = "x" }',
      'caravan.hcl:1: metrics.statsd: expected host:port or unix:///path',
    ],
    ['objects {}', 'caravan.hcl:1: objects: is not supported yet'],
    ['constructor = 5', 'caravan.hcl:1: constructor: is unknown'],
    ['server {\n  listen = "nowhere"\n}', 'caravan.hcl:2: server.listen: expected host:port'],
  ]
  for (const [text, problem] of cases) {
    t.same(await refuse(text, { env: { CARAVAN_DATA: 'x' } }), [problem], text)
  }
  const twins = 'class "a" {\n  vcpu = 1\n  memory = 1\n}\n'
  t.same(await refuse(twins + twins), ['caravan.hcl:5: class: "a" is already there, on line 1'])
})

t.test('settings are literal, and a secret is never shown', async (t) => {
  const message = 'settings are not evaluated: write a literal, a text in double quotes'
  t.same(await refuse('nomad {\n  token = hunter2\n}'), [`caravan.hcl:2: nomad.token: ${message}`])
  t.same(await refuse('nomad {\n  token = "${env.SECRET}"\n}'), [
    `caravan.hcl:2: nomad.token: ${message}`,
  ])
  const hint = 'is no HCL value; texts stand in double quotes'
  t.same(await refuse("nomad {\n  token = 'hunter2'\n}"), [
    `caravan.hcl:2: "token": what is written ${hint}`,
  ])
})

t.test('the problem of a value that was overridden is not told', async (t) => {
  const text = 'nomad {\n  address = "nowhere"\n}'
  t.same(await refuse(text), ['caravan.hcl:2: nomad.address: expected an http(s) URL'])
  t.same(await refuse(text, { env: { NOMAD_ADDR: 'http://nomad' } }), [])
})

t.test('variables of other commands and of the agent are no misspelt settings', async (t) => {
  const env = {
    CARAVAN_SERVER: 'http://x',
    CARAVAN_TOKEN: 'x',
    CARAVAN_LOG_LEVEL: 'debug',
    CARAVAN_URL: 'http://x',
    CARAVAN_SLICE: 'x-0',
    CARAVAN_EPOCH: '1',
    CARAVAN_INSTALL: 'x',
    CARAVAN_CLAIM_TOKEN: 'x',
    CARAVAN_SOMETHING_ELSE: 'x',
    CARAVANSERAI: 'x',
  }
  t.same(await refuse('', { env }), [])
})
