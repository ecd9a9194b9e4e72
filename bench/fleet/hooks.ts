/** Hooks on the real clock: AWS is the emulator in this process, Nomad a table. */
import { AwsEmulator } from '../../src/dev/aws/index.ts'
import { createSteadyTime, openFleetStore, startFleet } from '../../src/fleet/index.ts'
import { noMetrics, silentLog, sleep, systemRandom, type Clock } from '../../src/platform/index.ts'
import { FakeNomad } from '../../tests/fleet/support/nomad.ts'
import { NO_DEMAND } from '../../tests/fleet/support/queue.ts'
import { regionOf } from '../../tests/fleet/support/region.ts'
import { aPolicy } from '../../tests/fleet/support/views.ts'

const DEADLINE_MS = 30_000

/** Nodes that run a slice each, in a group whose hook holds them. */
async function aFleet(clock: Clock, size: number) {
  const aws = new AwsEmulator({ clock, random: systemRandom, rate: null, bootMs: 10, passMs: 1 })
  const nomad = new FakeNomad(clock)
  aws.subscribe((event) => {
    if (event.type === 'booted')
      nomad.run(nomad.add({ instanceId: event.instance }), event.instance)
  })
  aws.call('autoscaling', 'CreateAutoScalingGroup', {
    AutoScalingGroupName: 'clients',
    MinSize: 0,
    MaxSize: size,
    DesiredCapacity: size,
    LaunchTemplate: { LaunchTemplateName: 'client', Version: '1' },
    AvailabilityZones: ['us-east-1a'],
  })
  aws.call('autoscaling', 'PutLifecycleHook', {
    AutoScalingGroupName: 'clients',
    LifecycleHookName: 'drain',
    HeartbeatTimeout: 30,
    LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
  })
  const region = regionOf(aws, clock)
  const store = await openFleetStore(':memory:')
  const fleet = startFleet({
    policies: [aPolicy({ max: size })],
    awsOf: () => region,
    nomad,
    store,
    clock,
    now: createSteadyTime(clock),
    random: systemRandom,
    log: silentLog,
    metrics: noMetrics,
    demand: NO_DEMAND,
    holder: 'bench',
  })
  const group = aws.world.groups.get('clients')
  const until = async (isSo: () => boolean) => {
    const end = clock.monotonic() + DEADLINE_MS
    while (!isSo()) {
      if (clock.monotonic() > end) throw new Error('the fleet of the bench came to nothing')
      await sleep(clock, 5)
    }
  }
  await until(() => nomad.nodes.size === size)
  const close = async () => {
    await fleet.close()
    aws.close()
    store.close()
  }
  const end = (instance: string) =>
    aws.call('autoscaling', 'TerminateInstanceInAutoScalingGroup', {
      InstanceId: instance,
      ShouldDecrementDesiredCapacity: true,
    })
  return { aws, nomad, until, close, end, ids: () => [...(group?.members.keys() ?? [])] }
}

/** From the time when all hooks can be read to the last of their first beats, in milliseconds. */
export async function beatLatencies(clock: Clock, hooks: number): Promise<number> {
  const fleet = await aFleet(clock, hooks)
  try {
    const beaten = new Map<string, number>()
    let readableMs = 0
    fleet.aws.subscribe((event) => {
      if (event.type === 'action-opened') readableMs = clock.monotonic()
      if (event.type === 'heartbeat' && !beaten.has(event.instance)) {
        beaten.set(event.instance, clock.monotonic())
      }
    })
    // As soon as the controller looks often: a quiet one looks every five seconds.
    const ids = fleet.ids()
    fleet.end(ids[0] ?? '')
    await fleet.until(() => beaten.size === 1)
    for (const id of ids.slice(1)) fleet.end(id)
    await fleet.until(() => beaten.size === hooks)
    return Math.max(...beaten.values()) - readableMs
  } finally {
    await fleet.close()
  }
}

const ROUNDS = 10

/** From the end of the last allocation to the completed hook, the slowest of some, in milliseconds. */
export async function completionLatencies(clock: Clock): Promise<number> {
  const fleet = await aFleet(clock, ROUNDS)
  try {
    const completed = new Map<string, number>()
    fleet.aws.subscribe((event) => {
      if (event.type === 'action-closed') completed.set(event.instance, clock.monotonic())
    })
    const ids = fleet.ids()
    for (const id of ids) fleet.end(id)
    await fleet.until(() => fleet.nomad.writes.length >= ROUNDS)
    // Past the time in which a placement from before might still show.
    await sleep(clock, 5000)
    let worst = 0
    for (const id of ids) {
      const node = fleet.nomad.nodeOf(id)
      for (const { ID } of fleet.nomad.liveOn(node?.ID ?? '')) fleet.nomad.finish(ID)
      const emptyMs = clock.monotonic()
      await fleet.until(() => completed.has(id))
      worst = Math.max(worst, (completed.get(id) ?? 0) - emptyMs)
    }
    return worst
  } finally {
    await fleet.close()
  }
}
