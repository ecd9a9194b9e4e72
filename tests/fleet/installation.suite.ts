/** A whole installation as somebody sets it up on the emulated region: every part a process of its own. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  AutoScalingClient,
  CreateAutoScalingGroupCommand,
  DescribeAutoScalingGroupsCommand,
  PutLifecycleHookCommand,
} from '@aws-sdk/client-auto-scaling'
import t, { type Test } from 'tap'
import { eventually } from '../dev/nomad-engine/support.ts'
import { makeCheckout, startCaravan } from '../support/caravan.ts'
import { freePort } from '../support/free-port.ts'

const GROUP = 'nomad-clients'
const LIMIT_MS = 180_000

const CONFIG = `version: 2.1
jobs:
  test:
    machine: true
    resource_class: small
    parallelism: 2
    steps:
      - run: sleep 1
`

const settingsFor = (folder: string, nomad: string, port: number) => `
nomad {
  address = "${nomad}"
}
server {
  listen   = "127.0.0.1:${port}"
  data_dir = "${join(folder, 'server')}"
}
pool "linux" {
  group    = "${GROUP}"
  region   = "us-east-1"
  max      = 4
  idle_off = "3s"
  instance = { vcpu = 16, memory = 65536 }
}
`

/** Runs until the test is over; resolves with what its first line tells. */
async function serve(t: Test, args: string[], folder: string, env: Record<string, string> = {}) {
  const started = startCaravan(args, folder, { timeoutMs: LIMIT_MS, env })
  t.teardown(async () => {
    started.child.kill('SIGKILL')
    await started.ended
  })
  const end = async () => {
    started.child.kill('SIGTERM')
    return started.ended
  }
  return { ready: JSON.parse(await started.firstLine) as Record<string, string>, end }
}

async function makeGroup(t: Test, endpoint: string) {
  const credentials = { accessKeyId: 'x', secretAccessKey: 'x' }
  const client = new AutoScalingClient({ endpoint, region: 'us-east-1', credentials })
  t.teardown(() => client.destroy())
  const group = { AutoScalingGroupName: GROUP }
  await client.send(
    new CreateAutoScalingGroupCommand({
      ...group,
      MinSize: 0,
      MaxSize: 4,
      AvailabilityZones: ['us-east-1a'],
      LaunchTemplate: { LaunchTemplateName: 'client' },
      // As the guide says.
      NewInstancesProtectedFromScaleIn: true,
    }),
  )
  await client.send(
    new PutLifecycleHookCommand({
      ...group,
      LifecycleHookName: 'caravan-drain',
      LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
      HeartbeatTimeout: 1800,
      DefaultResult: 'CONTINUE',
    }),
  )
  return async () => {
    const { AutoScalingGroups = [] } = await client.send(new DescribeAutoScalingGroupsCommand({}))
    return AutoScalingGroups[0]
  }
}

t.test('a build makes the group grow from nothing, and it shrinks to nothing again', async (t) => {
  const folder = t.testdir({ checkout: {} })
  const region = await serve(t, ['dev', 'aws', '--nomad-port', '0', '--boot', '500ms'], folder)
  const { endpoint = '', nomad = '' } = region.ready
  const group = await makeGroup(t, endpoint)
  const settings = join(folder, 'rehearsal.hcl')
  writeFileSync(settings, settingsFor(folder, nomad, await freePort()))
  const server = await serve(t, ['server', '--settings', settings], folder)
  const { api = '' } = server.ready
  const env = {
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: 'x',
    AWS_SECRET_ACCESS_KEY: 'x',
    AWS_EC2_METADATA_DISABLED: 'true',
  }
  const store = ['--settings', settings, '--data', join(folder, 'fleet')]
  const controller = await serve(t, ['fleet', 'run', ...store, '--server', api], folder, env)
  t.equal((await group())?.DesiredCapacity, 0)

  mkdirSync(join(folder, 'checkout/.circleci'))
  const checkout = makeCheckout(join(folder, 'checkout'), { '.circleci/config.yml': CONFIG })
  const build = await startCaravan(['run', '--server', api], checkout, { timeoutMs: LIMIT_MS })
    .ended
  t.equal(build.code, 0, build.stderr + build.stdout)
  await eventually(
    async () => {
      const seen = await group()
      return seen?.DesiredCapacity === 0 && seen.Instances?.length === 0
    },
    'the end of the idle machine',
    120_000,
  )
  const told = await startCaravan(['fleet', 'explain', ...store, '--limit', '200'], folder).ended
  t.match(told.stdout, /set_desired .*for waiting slices/)
  t.match(told.stdout, /cordon .*idle/)
  t.match(told.stdout, /terminate /)
  for (const part of [controller, server, region]) t.equal((await part.end()).code, 0)
})
