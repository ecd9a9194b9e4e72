import t from 'tap'
import {
  KILLED_MS,
  type Observation,
  readEnd,
  UNCLEAR_MAX_MS,
} from '../../../src/build-agent/executors/docker/ending.ts'
import {
  isFinal,
  provideImage,
  toFullName,
  toRegistry,
} from '../../../src/build-agent/executors/docker/images.ts'
import {
  findSharedPorts,
  resolveAuth,
  toPrimaryPlan,
  toProxyVariables,
  toServicePlan,
} from '../../../src/build-agent/executors/docker/plans.ts'
import { CaravanError } from '../../../src/model/index.ts'
import { systemClock, systemRandom } from '../../../src/platform/index.ts'

const RUNNING = { isRunning: true, exitCode: 0 }

function seen(changes: Partial<Observation>): Observation {
  return {
    status: null,
    isConnected: false,
    exec: { isRunning: true, exitCode: null },
    container: RUNNING,
    isAlive: null,
    unclearMs: 0,
    wasUnreachable: false,
    ...changes,
  }
}

t.test('the end of a command is read from whoever knows it best', async (t) => {
  const late = { unclearMs: UNCLEAR_MAX_MS }
  const done = { isRunning: false, exitCode: 137 }
  const cases: [what: string, Partial<Observation>, kind: string, code?: number][] = [
    ['the word of the wrapper', { status: '3', exec: done }, 'exited', 3],
    ['it comes before a dead container', { status: '0', container: done }, 'exited', 0],
    ['no folder', { status: 'folder' }, 'no_folder'],
    ['connected', { isConnected: true }, 'wait'],
    ['cut off while it runs', {}, 'wait'],
    ['cut off while it runs, for long', late, 'wait'],
    ['the wrapper was killed, maybe with its container', { exec: done }, 'wait'],
    ['the wrapper was killed', { exec: done, unclearMs: KILLED_MS }, 'exited', 137],
    ['no code yet', { exec: { isRunning: false, exitCode: null } }, 'wait'],
    ['never a code', { exec: { isRunning: false, exitCode: null }, ...late }, 'lost'],
    ['Docker is away', { exec: 'unreachable', container: 'unreachable' }, 'wait'],
    ['Docker stays away', { exec: 'unreachable', container: 'unreachable', ...late }, 'lost'],
    ['away, but it runs', { exec: 'unreachable', isAlive: true, ...late }, 'wait'],
    ['Docker came back and forgot', { exec: 'unknown', isAlive: true, ...late }, 'wait'],
    ['forgotten and gone', { exec: 'unknown', isAlive: false, ...late }, 'lost'],
    ['the container ended', { container: { isRunning: false, exitCode: 4 } }, 'container_ended', 4],
    ['ended with the engine', { container: done, wasUnreachable: true }, 'lost'],
    ['the container is gone', { container: 'gone' }, 'lost'],
  ]
  for (const [what, changes, kind, code] of cases) {
    t.match(readEnd(seen(changes)), code === undefined ? { kind } : { kind, code }, what)
  }
})

t.test('C-68: a failed pull is repeated only where that may help', async (t) => {
  const final = [
    'manifest for app:9 not found: manifest unknown: manifest unknown',
    'pull access denied for app, repository does not exist or may require docker login',
    'unauthorized: incorrect username or password',
    'invalid reference format',
    'no matching manifest for linux/arm64',
  ]
  const passing = [
    'toomanyrequests: You have reached your pull rate limit',
    'received unexpected HTTP status: 503 Service Unavailable',
    'Get "https://registry.example/v2/": dial tcp: connect: connection refused',
    'net/http: TLS handshake timeout',
  ]
  for (const why of final) t.equal(isFinal(why), true, why)
  for (const why of passing) t.equal(isFinal(why), false, why)
})

t.test('a pull has its tries, and a missing image none', async (t) => {
  let pulls = 0
  const provide = async (why: string, image = 'app') => {
    pulls = 0
    return await provideImage(
      { image },
      {
        engine: {
          image: async () => null,
          async *pull() {
            pulls += 1
            yield { layer: null, status: 'Pulling' }
            throw new CaravanError('DOCKER_FAILED', why)
          },
        },
        clock: systemClock,
        random: systemRandom,
        retryBaseMs: 1,
        signal: new AbortController().signal,
        say: () => undefined,
      },
    )
  }
  await t.rejects(provide('503 Service Unavailable'), { code: 'DOCKER_FAILED' })
  t.equal(pulls, 4)
  await t.rejects(provide('manifest unknown'), { name: 'ImageMissing' })
  t.equal(pulls, 1)
  const example = provide('manifest unknown', 'caravan-example/app')
  await t.rejects(example, { message: /scripts\/example-images\.sh/ })
  t.equal(pulls, 0, 'nobody is asked for what is made here')
})

t.test('names of images', async (t) => {
  t.equal(toFullName('app'), 'app:latest')
  t.equal(toFullName('host:5000/app'), 'host:5000/app:latest')
  t.equal(toFullName('app@sha256:abc'), 'app@sha256:abc')
  t.equal(toRegistry('host:5000/app'), 'host:5000')
  t.equal(toRegistry('user/app'), '')
  t.equal(toRegistry('app:1'), '')
})

const PARTS = {
  name: 'caravan-x',
  labels: {},
  limits: { memoryBytes: 1, vcpu: 1, pids: 1, cgroupParent: null },
  proxies: ['HTTP_PROXY=p'],
  hasInit: true,
}

t.test('a primary waits for steps unless it has a main process of its own', async (t) => {
  const job = { ...PARTS, network: 'n', binds: [], names: ['db'] }
  const spec = { image: 'app', environment: { A: '1' } }
  const plain = toPrimaryPlan(spec, { labels: {} }, job)
  t.equal(plain.entrypoint?.[0], '/bin/sh')
  t.same(plain.environment, ['HTTP_PROXY=p', 'A=1'])
  t.same(plain.hosts, ['db:127.0.0.1'])
  const own = toPrimaryPlan({ ...spec, command: ['serve'] }, { labels: {} }, job)
  t.equal(own.entrypoint, undefined)
  t.same(own.command, ['serve'])
  const labels = { 'com.circleci.preserve-entrypoint': 'true' }
  t.equal(toPrimaryPlan(spec, { labels }, job).entrypoint, undefined)
  const service = toServicePlan(spec, 1, { ...PARTS, primary: 'id' })
  t.match(service, { network: 'container:id', binds: [], hosts: [] })
})

t.test('a proxy is given only where the operator names one', async (t) => {
  t.same(toProxyVariables({ direct: ['a'] }, { NO_PROXY: 'a' }, []), [])
  const told = toProxyVariables({}, { DOCKER_HTTPS_PROXY: 'p', NO_PROXY: 'a, b' }, ['db'])
  t.same(told, [
    'HTTPS_PROXY=p',
    'https_proxy=p',
    'NO_PROXY=a,b,localhost,127.0.0.1,169.254.169.254,db',
    'no_proxy=a,b,localhost,127.0.0.1,169.254.169.254,db',
  ])
  const node = { DOCKER_HTTP_PROXY: 'node', NO_PROXY: 'a' }
  t.match(
    toProxyVariables({ http: 'server', direct: ['c'] }, node, []),
    ['HTTP_PROXY=server', 'http_proxy=server', /^NO_PROXY=c,/, /^no_proxy=c,/],
    'the settings of the server come first',
  )
})

t.test('a login is looked up in the variables of the task', async (t) => {
  const layers = [{ layer: 'project', values: { USER: 'me', PASSWORD: 'secret' } }]
  const auth = { username: '$USER', password: '${PASSWORD}' }
  t.same(resolveAuth({ image: 'app', auth }, layers), { username: 'me', password: 'secret' })
  t.throws(
    () => resolveAuth({ image: 'app', auth }, []),
    /variable USER, which the auth of app names/,
  )
  t.equal(resolveAuth({ image: 'app' }, layers), undefined)
})

t.test('ports that two services announce are named with both', async (t) => {
  const services = [
    { name: 'a', ports: ['80/tcp', '81/tcp'] },
    { name: 'b', ports: ['80/tcp'] },
  ]
  t.same(findSharedPorts(services), ['port 80/tcp is announced by a and b'])
})
