/** The clients of AWS in the package: loaded later, from a bundle, with all that they load in turn. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { packCaravan, unpackCaravan } from '../../scripts/package.ts'
import { startAwsEmulator } from '../../src/dev/index.ts'
import { exec, silentLog, systemClock, systemRandom } from '../../src/platform/index.ts'
import { serve } from '../support/serve.ts'

const folder = mkdtempSync(join(tmpdir(), 'caravan-package-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const tarball = await packCaravan(join(folder, 'one'))
const launcher = await unpackCaravan(tarball, join(folder, 'unpacked'))

t.test('Auto Scaling, EC2 and Secrets Manager answer the packed commands', async (t) => {
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
    MaxSize: 2,
    DesiredCapacity: 1,
    LaunchTemplate: { LaunchTemplateName: 'runners', Version: '1' },
    AvailabilityZones: ['us-east-1a'],
  })
  const secret = JSON.stringify({ resource_class: 'acme/linux', circle_token: 'personal' })
  const secrets = await serve(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' })
    response.end(JSON.stringify({ Name: 'runners', SecretString: secret }))
  })
  const api = await serve(t, (request, response) => {
    const isRunning = request.url?.startsWith('/api/v2/tasks/running') === true
    response.end(
      JSON.stringify(isRunning ? { running_runner_tasks: 1 } : { unclaimed_task_count: 1 }),
    )
  })
  const run = async (...args: string[]) => {
    const { PATH = '' } = process.env
    const env = {
      PATH,
      HOME: folder,
      AWS_ENDPOINT_URL: emulator.endpoint,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_REGION: 'us-east-1',
      AWS_EC2_METADATA_DISABLED: 'true',
      // Nobody is there, and nobody has to be.
      NOMAD_ADDR: 'http://127.0.0.1:9',
      AUTO_SCALING_MAX: '5',
      AUTO_SCALING_GROUP_NAME: 'runners',
      AUTO_SCALING_GROUP_REGION: 'us-east-1',
      SECRET_NAME: 'runners',
      SECRET_REGION: 'us-east-1',
      RUNNER_API_URL: api,
    }
    return exec(process.execPath, [launcher, 'fleet', ...args], {
      cwd: folder,
      env,
      timeoutMs: 60_000,
    })
  }
  const doctor = await run('doctor', '--group', 'runners', '--json')
  const findings = JSON.parse(doctor.stdout.toString()) as { check: string; state: string }[]
  const states = Object.fromEntries(findings.map(({ check, state }) => [check, state]))
  t.match(states, { 'runners: permissions': 'ok', 'runners: sizes': 'ok' }, doctor.stderr)
  const tick = await run('tick', '--json')
  t.equal(tick.code, 0, tick.stderr)
  t.match(JSON.parse(tick.stdout.toString()), { desired: 2 })
})
