/** A look of which a part fails, or takes its time. On a virtual clock. */
import t, { type Test } from 'tap'
import { AwsEmulator, createInProcessClient, Refusal } from '../../src/dev/aws/index.ts'
import { createSteadyTime } from '../../src/fleet/index.ts'
import { Observer } from '../../src/fleet/observe/observer.ts'
import { createAws, silentLog, sleep, TestClock } from '../../src/platform/index.ts'
import { FakeNomad } from './support/nomad.ts'
import { NO_DEMAND } from './support/queue.ts'
import { seeded } from './support/seeded.ts'
import { aPolicy } from './support/views.ts'

type Clients = NonNullable<Parameters<typeof createAws>[0]['clients']>

/** One look, whose readings of the groups are refused with these codes first. @returns when what came, in ms. */
async function lookOnce(t: Test, { refusals, nomadMs }: { refusals: string[]; nomadMs: number }) {
  const clock = new TestClock()
  const emulator = new AwsEmulator({ clock, random: seeded(1), rate: null })
  t.teardown(() => emulator.close())
  const policy = aPolicy()
  emulator.call('autoscaling', 'CreateAutoScalingGroup', {
    AutoScalingGroupName: policy.group,
    LaunchTemplate: { LaunchTemplateName: 'client', Version: '1' },
    MinSize: 0,
    MaxSize: 5,
    AvailabilityZones: ['a'],
  })
  const begunMs = clock.monotonic()
  const readMs: number[] = []
  const client = (service: 'autoscaling' | 'ec2') =>
    createInProcessClient(emulator, service, async ({ action }, next) => {
      if (action !== 'DescribeAutoScalingGroups') return next()
      readMs.push(clock.monotonic() - begunMs)
      const code = refusals.shift()
      if (code !== undefined) throw new Refusal(code, 'by order of the test')
      return next()
    }) as unknown
  const clients = {
    autoScaling: client('autoscaling') as Clients['autoScaling'],
    ec2: client('ec2') as Clients['ec2'],
  }
  const nomad = new FakeNomad(clock)
  nomad.before = async (call) => {
    if (call === 'listNodes') await sleep(clock, nomadMs)
  }
  const observer = new Observer({
    policies: [policy],
    awsOf: () => createAws({ region: 'us-east-1', clock, clients }),
    nomad,
    demand: NO_DEMAND,
    clock,
    now: createSteadyTime(clock),
    log: silentLog,
  })
  const toldMs: number[] = []
  const orders = { pins: new Map(), sizes: new Map() }
  const looking = observer.look(
    orders,
    new AbortController().signal,
    () => void toldMs.push(clock.monotonic() - begunMs),
  )
  await clock.tick(9000)
  return { ...(await looking), readMs, toldMs }
}

t.test('F57: groups that could not be read are asked for again while Nomad hangs', async (t) => {
  const refusals = ['InternalFailure', 'Throttling']
  const look = await lookOnce(t, { refusals, nomadMs: 8000 })
  t.same(look.readMs, [0, 500, 3500], 'later when it was throttled')
  t.same(look.faults, [])
  t.equal(look.views.size, 1)
  t.equal(look.toldMs[0], 3500, 'and told at once')
})

t.test('F57: they are asked for once when Nomad has answered; the next look is soon', async (t) => {
  const look = await lookOnce(t, { refusals: ['InternalFailure'], nomadMs: 100 })
  t.same(look.readMs, [0])
  t.match(look.faults, [/^Auto Scaling in us-east-1: /])
  t.equal(look.views.size, 0)
})

t.test('F57: what AWS rejects is not asked for again', async (t) => {
  const look = await lookOnce(t, { refusals: ['AccessDenied'], nomadMs: 8000 })
  t.same(look.readMs, [0])
  t.match(look.faults, [/^Auto Scaling in us-east-1: /])
})
