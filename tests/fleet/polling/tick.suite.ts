/** `caravan fleet tick` for polling runners, as its own process: the group is the emulator's. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { startAwsEmulator } from '../../../src/dev/index.ts'
import { silentLog, systemClock, systemRandom } from '../../../src/platform/index.ts'
import { startCaravan } from '../../support/caravan.ts'
import { serve } from '../../support/serve.ts'
import { lines } from '../support/farm.ts'

const SECRET = JSON.stringify({ resource_class: 'acme/linux', circle_token: 'personal' })

async function start(t: Test) {
  const emulator = await startAwsEmulator({
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    bootMs: 50,
  })
  t.teardown(() => emulator.close())
  emulator.aws.call('autoscaling', 'CreateAutoScalingGroup', {
    AutoScalingGroupName: 'runners',
    MinSize: 0,
    MaxSize: 0,
    LaunchTemplate: { LaunchTemplateName: 'runners', Version: '1' },
    AvailabilityZones: ['us-east-1a'],
  })
  const counts = { unclaimed: 2, running: 1 }
  const tokens: unknown[] = []
  const api = await serve(t, (request, response) => {
    tokens.push(request.headers['circle-token'])
    const { unclaimed, running } = counts
    const isRunning = request.url?.startsWith('/api/v2/tasks/running?') === true
    const isOurs = request.url?.endsWith('?resource-class=acme%2Flinux') === true
    if (!isOurs) return void response.writeHead(404).end()
    const body = isRunning ? { running_runner_tasks: running } : { unclaimed_task_count: unclaimed }
    response.end(JSON.stringify(body))
  })
  const secrets = await serve(t, (request, response) => {
    const isRead = request.headers['x-amz-target'] === 'secretsmanager.GetSecretValue'
    response.writeHead(isRead ? 200 : 400, { 'content-type': 'application/x-amz-json-1.1' })
    response.end(isRead ? JSON.stringify({ Name: 'runners-ci', SecretString: SECRET }) : '{}')
  })
  const folder = t.testdir()
  const tick = async (env: Record<string, string>, ...args: string[]) =>
    startCaravan(['fleet', 'tick', '--json', ...args], folder, {
      env: {
        AWS_ENDPOINT_URL: emulator.endpoint,
        AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets,
        AWS_ACCESS_KEY_ID: 'test',
        AWS_SECRET_ACCESS_KEY: 'test',
        AWS_EC2_METADATA_DISABLED: 'true',
        AUTO_SCALING_MAX: '5',
        AUTO_SCALING_GROUP_NAME: 'runners',
        AUTO_SCALING_GROUP_REGION: 'us-east-1',
        RUNNER_API_URL: api,
        ...env,
      },
    }).ended
  const group = () => emulator.aws.world.groups.get('runners')
  return { tick, counts, tokens, folder, group }
}

t.test('the group follows the tasks, with class and token from a secret', async (t) => {
  const { tick, counts, tokens, group } = await start(t)
  const secret = { SECRET_NAME: 'runners-ci', SECRET_REGION: 'us-east-1' }
  const dry = await tick(secret, '--dry-run')
  t.equal(dry.code, 0, dry.stderr)
  t.match(lines(dry), [{ group: 'runners', unclaimed: 2, running: 1, desired: 3, dry_run: true }])
  t.match(group(), { max: 0, desired: 0 })
  const up = await tick(secret)
  t.equal(up.code, 0, up.stderr)
  t.match(lines(up), [{ desired: 3, max: 5, dry_run: false }])
  t.match(group(), { min: 0, max: 5, desired: 3 })
  counts.unclaimed = 40
  t.equal((await tick(secret)).code, 0)
  t.match(group(), { desired: 5 })
  t.same(new Set(tokens), new Set(['personal']))
})

t.test(
  'class and token from the environment and a file; without them, or without an answer, nothing',
  async (t) => {
    const { tick, tokens, folder, group } = await start(t)
    const file = join(folder, 'token')
    writeFileSync(file, 'from-a-file\n')
    const told = { RESOURCE_CLASS: 'acme/linux', CIRCLE_TOKEN_FILE: file }
    t.equal((await tick(told)).code, 0)
    t.same(new Set(tokens), new Set(['from-a-file']))
    t.match(group(), { desired: 3 })
    const nothing = await tick({})
    t.equal(nothing.code, 2)
    t.match(nothing.stderr, /RESOURCE_CLASS.*\n.*CIRCLE_TOKEN/)
    const other = await tick({ ...told, RESOURCE_CLASS: 'acme/other' })
    t.equal(other.code, 3)
    t.match(group(), { desired: 3 })
  },
)
