/** `caravan dev aws` as a user runs it. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  AutoScalingClient,
  CreateAutoScalingGroupCommand,
  DescribeAutoScalingInstancesCommand,
} from '@aws-sdk/client-auto-scaling'
import t from 'tap'
import { parseScript } from '../../src/dev/index.ts'
import { caravan, startCaravan } from '../support/caravan.ts'
import { freePort } from '../support/free-port.ts'

const EXAMPLES = fileURLToPath(new URL('../../examples/fleet/', import.meta.url))

t.test('one line when ready; groups are made through the API; events on stderr', async (t) => {
  const port = await freePort()
  const started = startCaravan(
    ['dev', 'aws', '--boot', '200ms', '--port', String(port)],
    t.testdir(),
  )
  t.teardown(() => started.child.kill('SIGKILL'))
  const ready = JSON.parse(await started.firstLine) as { endpoint: string; imds: string }
  t.same(Object.keys(ready), ['endpoint', 'imds'])
  t.equal(ready.endpoint, `http://127.0.0.1:${port}`)
  const second = await caravan(['dev', 'aws', '--port', String(port)], t.testdir())
  t.equal(second.code, 2)
  t.match(second.stderr, 'a port is taken')
  const client = new AutoScalingClient({
    endpoint: ready.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  })
  t.teardown(() => client.destroy())
  await client.send(
    new CreateAutoScalingGroupCommand({
      AutoScalingGroupName: 'clients',
      MinSize: 1,
      MaxSize: 1,
      AvailabilityZones: ['us-east-1a'],
      LaunchTemplate: { LaunchTemplateName: 'client' },
    }),
  )
  const list = async () => {
    const { AutoScalingInstances: found } = await client.send(
      new DescribeAutoScalingInstancesCommand({}),
    )
    return found?.[0]
  }
  const deadline = Date.now() + 30_000
  while ((await list())?.LifecycleState !== 'InService') {
    if (Date.now() > deadline) throw new Error('the instance is not in service')
  }
  const id = (await list())?.InstanceId ?? ''
  const token = await fetch(`${ready.imds}/latest/api/token`, {
    method: 'PUT',
    headers: { 'X-aws-ec2-metadata-token-ttl-seconds': '60' },
  })
  const headers = { 'X-aws-ec2-metadata-token': await token.text() }
  const read = await fetch(`${ready.imds}/latest/meta-data/instance-id`, { headers })
  t.equal(await read.text(), id)
  started.child.kill('SIGTERM')
  const { code, stdout, stderr } = await started.ended
  t.equal(code, 0, stderr)
  t.equal(stdout.trimEnd().split('\n').length, 1)
  t.match(stderr, `lifecycle state changed instance=${id} group=clients from=Pending to=InService`)
})

t.test(
  'a script is played on a whole cluster, whose controller drains what has to go',
  async (t) => {
    const folder = t.testdir()
    const create = {
      AutoScalingGroupName: 'clients',
      MinSize: 0,
      MaxSize: 1,
      DesiredCapacity: 1,
      AvailabilityZones: ['us-east-1a'],
      LaunchTemplate: { LaunchTemplateName: 'client' },
      LifecycleHookSpecificationList: [
        {
          LifecycleHookName: 'drain',
          LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
          HeartbeatTimeout: 30,
        },
      ],
    }
    const script = [
      { at: '0s', do: 'call', action: 'CreateAutoScalingGroup', input: create },
      { at: '500ms', do: 'run', job: 'slices', for: '1500ms' },
      { at: '1s', do: 'terminate' },
      { at: '1500ms', do: 'end', when: 'settled' },
    ]
    writeFileSync(join(folder, 'script.json'), JSON.stringify(script))
    const { code, stdout, stderr } = await caravan(
      ['dev', 'aws', '--boot', '200ms', '--script', 'script.json'],
      folder,
    )
    t.equal(code, 0, stderr)
    t.same(Object.keys(JSON.parse(stdout) as object), ['endpoint', 'imds', 'nomad'])
    t.match(stderr, /heartbeat recorded instance=i-[0-9a-f]+ hook=drain/)
    t.match(stderr, /node drain complete/)
    t.match(stderr, /hook completed .* result=CONTINUE by=complete/)
    t.match(stderr, /from=Terminating:Proceed to=Terminated/)
  },
)

t.test('flags and scripts that make no sense are told, with exit code 2', async (t) => {
  const folder = t.testdir({ 'bad.json': '[{"at":"5s","do":"dance"}]' })
  const bad = await caravan(['dev', 'aws', '--script', 'bad.json'], folder)
  t.equal(bad.code, 2)
  t.match(bad.stderr, /step 1, do/)
  const none = await caravan(['dev', 'aws', '--script', 'none.json'], folder)
  t.equal(none.code, 2)
  const boot = await caravan(['dev', 'aws', '--boot', 'soon'], folder)
  t.equal(boot.code, 2)
  t.match(boot.stderr, '--boot soon is no duration')
})

t.test('the examples of the guide are scripts', (t) => {
  for (const name of readdirSync(EXAMPLES)) {
    t.ok(parseScript(readFileSync(join(EXAMPLES, name), 'utf8'), name).length > 3)
  }
  t.end()
})
