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

const POOL = `{
  group = "clients"
  region = "us-east-1"
  max = 10
  instance = { vcpu = 16, memory = 65536 }
}`

t.test('all that is wrong with pools is told at once', async (t) => {
  const text = `pool "linux" {
  group    = "clients"
  region   = "Frankfurt"
  min      = 20
  max      = 10
  instance = { vcpu = 2, memory = 65536 }
  budget   = { percent = 10, count = 1 }
  schedule "work" {
    cron  = "0 25 * * *"
    zone  = "Europe/Entenhausen"
    for   = "12 hours"
    floor = 11
  }
}
pool "other" ${POOL}
class "medium" {
  vcpu   = 4
  memory = 8192
  pool   = "linus"
}`
  t.same(await refuse(text), [
    'caravan.hcl:3: pool.linux.region: no region such as "us-east-1"',
    'caravan.hcl:9: pool.linux.schedule.work.cron: no line of cron such as "0 7 * * 1-5": "25" is no hour from 0 to 23',
    'caravan.hcl:10: pool.linux.schedule.work.zone: no time zone such as "Europe/Berlin"',
    'caravan.hcl:11: pool.linux.schedule.work.for: not a duration such as "10m" or "1h30m": "12 hours"',
  ])
  const sound = text
    .replace('Frankfurt', 'us-east-1')
    .replace('0 25', '0 7')
    .replace('Entenhausen', 'Berlin')
    .replace('12 hours', '12h')
  t.same(
    await refuse(sound),
    [
      'caravan.hcl:4: pool.linux.min: is above max, which is 10',
      'caravan.hcl:7: pool.linux.budget: takes percent or count, not both',
      "caravan.hcl:12: pool.linux.schedule.work.floor: is above the pool's max, which is 10",
      'caravan.hcl:16: pool.other.group: is the group of pool "linux" already',
      'caravan.hcl:24: class.medium.pool: there is no pool "linus"',
      'caravan.hcl:6: pool.linux.instance: leaves nothing for slices beside the reserve',
    ].sort((a, b) => Number(a.split(':')[1]) - Number(b.split(':')[1])),
  )
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
    ['pool {}', 'caravan.hcl:1: pool: write pool "name" { ... }'],
    [
      `pool "a" ${POOL.replace('\n}', '\n  schedule {}\n}')}`,
      'caravan.hcl:6: pool.0.schedule: write schedule "name" { ... }',
    ],
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
