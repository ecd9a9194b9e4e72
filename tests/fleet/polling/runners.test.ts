import t, { type Test } from 'tap'
import { desiredOf, tickRunners } from '../../../src/fleet/polling/runners.ts'
import {
  isPolling,
  readPollingSettings,
  toRunnerGroup,
} from '../../../src/fleet/polling/settings.ts'
import { createHttpClient, systemClock } from '../../../src/platform/index.ts'
import { serve } from '../../support/serve.ts'

const GROUP = {
  AUTO_SCALING_MAX: '5',
  AUTO_SCALING_GROUP_NAME: 'runners',
  AUTO_SCALING_GROUP_REGION: 'us-east-1',
}

interface Asked {
  url: string
  token: string | undefined
}

/** The runner API by script. */
async function startApi(t: Test, { unclaimed = 2, running = 1, status = 200 } = {}) {
  const asked: Asked[] = []
  const url = await serve(t, (request, response) => {
    const token = request.headers['circle-token']
    asked.push({ url: request.url ?? '', token: typeof token === 'string' ? token : undefined })
    const isRunning = request.url?.startsWith('/api/v2/tasks/running?') === true
    const body = isRunning ? { running_runner_tasks: running } : { unclaimed_task_count: unclaimed }
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  return { url, asked }
}

async function tick(t: Test, url: string, options = { dryRun: false }) {
  const updates: unknown[] = []
  const http = createHttpClient({ baseUrl: url, clock: systemClock })
  t.teardown(() => http.close())
  const aws = { updateGroup: async (...args: unknown[]) => void updates.push(args) }
  const runners = { group: 'runners', max: 5, resourceClass: 'acme/linux', token: 'secret' }
  return { updates, done: tickRunners({ http, aws }, runners, options) }
}

t.test('a group has as many machines as tasks wait and run, up to its most', (t) => {
  t.equal(desiredOf({ unclaimed: 0, running: 0, max: 5 }), 0)
  t.equal(desiredOf({ unclaimed: 2, running: 1, max: 5 }), 3)
  t.equal(desiredOf({ unclaimed: 20, running: 1, max: 5 }), 5)
  t.end()
})

t.test('both numbers are asked for with class and token, and the group is told once', async (t) => {
  const { url, asked } = await startApi(t)
  const { updates, done } = await tick(t, url)
  t.match(await done, { unclaimed: 2, running: 1, max: 5, desired: 3, dry_run: false })
  t.same(updates, [['runners', { min: 0, max: 5, desired: 3 }]])
  t.same(
    asked.toSorted((a, b) => (a.url < b.url ? -1 : 1)),
    [
      { url: '/api/v2/tasks/running?resource-class=acme%2Flinux', token: 'secret' },
      { url: '/api/v2/tasks?resource-class=acme%2Flinux', token: 'secret' },
    ].toSorted((a, b) => (a.url < b.url ? -1 : 1)),
  )
})

t.test('a dry run tells and changes nothing', async (t) => {
  const { url } = await startApi(t)
  const { updates, done } = await tick(t, url, { dryRun: true })
  t.match(await done, { desired: 3 })
  t.same(updates, [])
})

t.test('without both answers nothing is changed', async (t) => {
  for (const status of [401, 403, 404, 429, 500, 503]) {
    const { url } = await startApi(t, { status })
    const { updates, done } = await tick(t, url)
    await t.rejects(done, { code: 'SERVER_ERROR' }, String(status))
    t.same(updates, [])
  }
  const page = await serve(t, (_request, response) => response.end('<html>hello</html>'))
  await t.rejects((await tick(t, page)).done, { code: 'SERVER_ERROR' })
  const negative = await startApi(t, { unclaimed: -1 })
  await t.rejects((await tick(t, negative.url)).done, { code: 'SERVER_ERROR' })
  await t.rejects((await tick(t, 'http://127.0.0.1:9')).done, { code: 'SERVER_UNREACHABLE' })
})

t.test('class and token come from the environment, a file or a secret', (t) => {
  t.equal(isPolling({}), false)
  t.equal(isPolling({ ...GROUP, AUTO_SCALING_MAX: '' }), false)
  t.equal(isPolling(GROUP), true)
  const nothing = { secret: null, tokenFile: null }
  const told = { ...GROUP, RESOURCE_CLASS: 'acme/linux', CIRCLE_TOKEN: 'one' }
  t.match(toRunnerGroup(readPollingSettings(told), nothing), {
    group: 'runners',
    max: 5,
    resourceClass: 'acme/linux',
    token: 'one',
  })
  const file = readPollingSettings({
    ...GROUP,
    RESOURCE_CLASS: 'a/b',
    CIRCLE_TOKEN_FILE: '/run/token',
  })
  t.match(toRunnerGroup(file, { secret: null, tokenFile: 'two\n' }), { token: 'two' })
  const kept = { ...GROUP, SECRET_NAME: 'runner', SECRET_REGION: 'us-east-1' }
  const secret = JSON.stringify({ resource_class: 'acme/secret', circle_token: 'three' })
  t.match(toRunnerGroup(readPollingSettings(kept), { secret, tokenFile: null }), {
    resourceClass: 'acme/secret',
    token: 'three',
  })
  const both = readPollingSettings({ ...kept, RESOURCE_CLASS: 'acme/told' })
  t.match(toRunnerGroup(both, { secret, tokenFile: null }), {
    resourceClass: 'acme/told',
    token: 'three',
  })
  t.match(
    toRunnerGroup(both, { secret: '{"circle_token":"four"}', tokenFile: null }),
    { token: 'four' },
    'what is told need not be in the secret',
  )
  t.end()
})

t.test('everything that is missing is told at once, and nothing of a secret ever', (t) => {
  const problemsOf = (env: Record<string, string>) => {
    try {
      readPollingSettings(env)
    } catch (error) {
      const { problems } = (error as { detail: { problems: { file: string }[] } }).detail
      return problems.map(({ file }) => file)
    }
    return []
  }
  t.same(problemsOf({ ...GROUP, AUTO_SCALING_MAX: 'many' }), [
    'AUTO_SCALING_MAX',
    'RESOURCE_CLASS',
    'CIRCLE_TOKEN',
  ])
  t.same(problemsOf({ ...GROUP, SECRET_NAME: 'x', RUNNER_API_URL: 'ftp://x' }), [
    'SECRET_REGION',
    'RESOURCE_CLASS',
    'CIRCLE_TOKEN',
    'RUNNER_API_URL',
  ])
  const kept = readPollingSettings({ ...GROUP, SECRET_NAME: 'x', SECRET_REGION: 'us-east-1' })
  for (const secret of ['hunter2', '{"resource_class":"hunter2"}', '{"circle_token":12}']) {
    try {
      toRunnerGroup(kept, { secret, tokenFile: null })
      t.fail(secret)
    } catch (error) {
      t.match(error, { code: 'SETTINGS_INVALID' })
      t.notMatch(`${String(error)} ${JSON.stringify(error)}`, /hunter2/)
    }
  }
  t.end()
})
