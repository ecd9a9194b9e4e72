import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Settings } from '../../src/model/index.ts'
import { readSettings, resolveSettings, type SettingsSources } from '../../src/platform/config.ts'

function resolve(text: string, more: Partial<SettingsSources> = {}): Promise<Settings> {
  return resolveSettings({ flags: {}, env: {}, file: { name: 'caravan.hcl', text }, ...more })
}

t.test('without any source there are defaults', async (t) => {
  const settings = await resolveSettings({ flags: {}, env: {} })
  t.match(settings, {
    server: { listen: '127.0.0.1:8080', data_dir: '.caravan' },
    nomad: { address: 'http://127.0.0.1:4646', namespace: 'default', datacenters: ['*'] },
    store: { url: 'sqlite:caravan.db' },
    limits: { output: 1024 ** 3, max_run_time: 18_000_000, infrastructure_retries: 2 },
    class: [],
    tokens: [],
  })
})

t.test('a file sets what it names and leaves the rest', async (t) => {
  const settings = await resolve(`
# Caravan at example.org
server {
  listen     = "0.0.0.0:80"
  public_url = "https://ci.example.org"
}
nomad {
  address       = "https://nomad.service:4646"
  datacenters   = ["dc1", "dc2"]
  agent_command = ["/usr/bin/caravan", "build-agent"]
}
limits {
  output  = "500MB"
  orphan  = "1h30m"
  infrastructure_retries = 0
}
class "medium" {
  vcpu   = 2.5
  memory = 4096
}
class "gpu" {
  vcpu       = 8
  memory     = 65536
  node_class = "gpu"
  pool       = "accelerated"
}
tokens = ["0123456789abcdef$\${x}"]
`)
  t.match(settings, {
    server: { listen: '0.0.0.0:80', public_url: 'https://ci.example.org', data_dir: '.caravan' },
    nomad: { datacenters: ['dc1', 'dc2'], namespace: 'default' },
    limits: { output: 500e6, orphan: 5_400_000, no_output: 600_000, infrastructure_retries: 0 },
    tokens: ['0123456789abcdef${x}'],
  })
  t.same(settings.class, [
    { name: 'medium', vcpu: 2.5, memory: 4096, node_class: 'linux-64bit' },
    { name: 'gpu', vcpu: 8, memory: 65_536, node_class: 'gpu', pool: ['accelerated'] },
  ])
})

t.test('the environment lies over the file, and flags over both', async (t) => {
  const file = `
server {
  listen   = "10.0.0.1:80"
  data_dir = "from-file"
}
nomad {
  address   = "http://file:4646"
  namespace = "file"
  region    = "file"
}
`
  const env = {
    CARAVAN_DATA: 'from-environment',
    NOMAD_ADDR: 'http://environment:4646',
    NOMAD_NAMESPACE: 'environment',
    NOMAD_REGION: '',
  }
  const flags = { nomad: 'http://flag:4646', port: 81 }
  t.match(await resolve(file, { env }), {
    server: { listen: '10.0.0.1:80', data_dir: 'from-environment' },
    nomad: { address: 'http://environment:4646', namespace: 'environment', region: 'file' },
  })
  t.match(await resolve(file, { env, flags }), {
    server: { listen: '10.0.0.1:81', data_dir: 'from-environment' },
    nomad: { address: 'http://flag:4646', namespace: 'environment' },
  })
})

t.test('every variable reaches its setting', async (t) => {
  const env = {
    CARAVAN_LISTEN: '[::]:9090',
    CARAVAN_PUBLIC_URL: 'https://ci',
    CARAVAN_DATA: '/data',
    CARAVAN_MASTER_KEY_FILE: '/key',
    NOMAD_ADDR: 'https://nomad',
    NOMAD_NAMESPACE: 'ci',
    NOMAD_REGION: 'eu',
    NOMAD_TOKEN: 'nomad-token',
    NOMAD_CACERT: '/ca.pem',
    NOMAD_CLIENT_CERT: '/cert.pem',
    NOMAD_CLIENT_KEY: '/key.pem',
    NOMAD_TLS_SERVER_NAME: 'server.global.nomad',
    CARAVAN_DATACENTERS: 'dc1, dc2',
    CARAVAN_TEMPLATE: '/template.hcl',
    CARAVAN_AGENT_COMMAND: '/usr/bin/node  /opt/caravan.mjs build-agent',
    CARAVAN_STORE: 'sqlite:other.db',
    CARAVAN_LIMIT_OUTPUT: '1MiB',
    CARAVAN_LIMIT_MAX_RUN_TIME: '1h',
    CARAVAN_LIMIT_NO_OUTPUT: '2m',
    CARAVAN_LIMIT_ORPHAN: '3m',
    CARAVAN_LIMIT_START: '4m',
    CARAVAN_LIMIT_LEASE: '5s',
    CARAVAN_LIMIT_INFRASTRUCTURE_RETRIES: '7',
    CARAVAN_LIMIT_REQUESTS_PER_SECOND: '8',
    CARAVAN_LIMIT_AGENT_REQUESTS_PER_SECOND: '9',
    CARAVAN_LIMIT_FAILED_LOGINS_PER_MINUTE: '10',
    DOCKER_HTTP_PROXY: 'http://10.0.0.33:3128',
    DOCKER_HTTPS_PROXY: 'http://10.0.0.34:3128',
    NO_PROXY: 'localhost, git.example',
    CARAVAN_STATSD: 'statsd:8125',
    CARAVAN_TOKENS: 'aaaaaaaaaaaaaaaa,bbbbbbbbbbbbbbbb',
  }
  t.same(await resolveSettings({ flags: {}, env }), {
    metrics: { statsd: 'statsd:8125', tags: {} },
    server: {
      listen: '[::]:9090',
      public_url: 'https://ci',
      data_dir: '/data',
      master_key_file: '/key',
    },
    nomad: {
      address: 'https://nomad',
      namespace: 'ci',
      region: 'eu',
      token: 'nomad-token',
      ca_cert: '/ca.pem',
      client_cert: '/cert.pem',
      client_key: '/key.pem',
      tls_server_name: 'server.global.nomad',
      datacenters: ['dc1', 'dc2'],
      template: '/template.hcl',
      agent_command: ['/usr/bin/node', '/opt/caravan.mjs', 'build-agent'],
    },
    store: { url: 'sqlite:other.db' },
    limits: {
      output: 1024 ** 2,
      max_run_time: 3_600_000,
      no_output: 120_000,
      orphan: 180_000,
      start: 240_000,
      lease: 5000,
      infrastructure_retries: 7,
      requests_per_second: 8,
      agent_requests_per_second: 9,
      failed_logins_per_minute: 10,
    },
    containers: {
      http_proxy: 'http://10.0.0.33:3128',
      https_proxy: 'http://10.0.0.34:3128',
      no_proxy: ['localhost', 'git.example'],
    },
    class: [],
    pool: [],
    tokens: ['aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb'],
  })
})

t.test('--listen and --port each change their half of the address', async (t) => {
  const listen = async (flags: SettingsSources['flags'], standing?: string) => {
    const env = standing === undefined ? {} : { CARAVAN_LISTEN: standing }
    return (await resolveSettings({ flags, env })).server.listen
  }
  t.equal(await listen({ port: 9 }), '127.0.0.1:9')
  t.equal(await listen({ port: 0 }, '0.0.0.0:80'), '0.0.0.0:0')
  t.equal(await listen({ listen: '0.0.0.0' }), '0.0.0.0:8080')
  t.equal(await listen({ listen: '0.0.0.0:5' }), '0.0.0.0:5')
  t.equal(await listen({ listen: '0.0.0.0:5', port: 6 }), '0.0.0.0:6')
  t.equal(await listen({ listen: '::1', port: 6 }), '[::1]:6')
  t.equal(await listen({ listen: '[::1]' }, '[::]:7'), '[::1]:7')
})

t.test('the file is the one that --settings or CARAVAN_SETTINGS names', async (t) => {
  const folder = t.testdir({})
  const [one, other] = [join(folder, 'one.hcl'), join(folder, 'other.hcl')]
  writeFileSync(one, 'nomad {\n  namespace = "one"\n}\n')
  writeFileSync(other, 'nomad {\n  namespace = "other"\n}\n')
  const namespace = async (sources: Parameters<typeof readSettings>[0]) =>
    (await readSettings(sources)).nomad.namespace
  t.equal(await namespace({ flags: {}, env: { CARAVAN_SETTINGS: one } }), 'one')
  t.equal(await namespace({ flags: { settings: other }, env: { CARAVAN_SETTINGS: one } }), 'other')
  t.equal(await namespace({ flags: {}, env: { CARAVAN_SETTINGS: '' } }), 'default')
  const missing = join(folder, 'missing.hcl')
  await t.rejects(readSettings({ flags: { settings: missing }, env: {} }), {
    code: 'SETTINGS_INVALID',
    message: `The settings file ${missing} can not be read.`,
    cause: { code: 'ENOENT' },
  })
})

t.test('the parser is loaded only when there is a file', (t) => {
  const config = new URL('../../src/platform/config.ts', import.meta.url).href
  const script = (file: string) => `
    const { resolveSettings } = await import(${JSON.stringify(config)})
    await resolveSettings({ flags: {}, env: {}${file} })
    const { createRequire } = await import('node:module')
    const loaded = Object.keys(createRequire(import.meta.url).cache)
    console.log(loaded.some((path) => path.includes('hcl2-parser')))`
  const run = (file: string) =>
    execFileSync(process.execPath, ['--input-type=module', '-e', script(file)], {
      encoding: 'utf8',
    })
  t.equal(run(''), 'false\n')
  t.equal(run(', file: { name: "a", text: "" }'), 'true\n')
  t.end()
})
