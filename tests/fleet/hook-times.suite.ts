/** The time that hooks give: changed, missed, over, and of launches. On a virtual clock. */
import t from 'tap'
import { AwsEmulator, createInProcessClient } from '../../src/dev/aws/index.ts'
import { keepBeating } from '../../src/fleet/lifecycle/beats.ts'
import { plan } from '../../src/fleet/plan/plan.ts'
import { createAws, TestClock } from '../../src/platform/index.ts'
import { ConnectionLost } from './support/cuts.ts'
import { seeded, type Cluster } from './support/cluster.ts'
import {
  alarms,
  busyCluster,
  closings,
  count,
  endByHand,
  HOUR,
  MINUTE,
  notes,
  putLaunchHook,
  refusing,
  SECOND,
  withCluster,
} from './support/situations.ts'
import { aPolicy, aPool, HOOK, NOW } from './support/views.ts'

type Clients = Parameters<typeof createAws>[0]['clients']

const BEAT = 'RecordLifecycleActionHeartbeat'
const COMPLETE = 'CompleteLifecycleAction'

t.test('F3: the cap that is told is that of the hook as it is now', async (t) => {
  const { view, memory } = aPool([{ state: 'waiting', slices: 1 }])
  const waitingSinceMs = memory.units.get('i-0')?.waitingSinceMs ?? 0
  for (const timeoutMs of [HOUR, 30 * SECOND]) {
    const hooks = [{ ...HOOK, timeoutMs, capMs: Math.min(48 * HOUR, 100 * timeoutMs) }]
    const decided = plan({ ...view, hooks }, aPolicy(), memory, NOW)
    t.match(decided.hooks, [{ timeoutMs, capAtMs: waitingSinceMs + (hooks[0]?.capMs ?? 0) }])
  }
})

t.test('F5: beats hold an instance for 48 hours and no longer, and say so before', async (t) => {
  // Loaded before the clock counts: what comes from the disk takes no virtual time.
  await import('@aws-sdk/client-auto-scaling')
  const clock = new TestClock()
  const emulator = new AwsEmulator({ clock, random: seeded(1), rate: null })
  t.teardown(() => emulator.close())
  const call = (action: string, input: object) => emulator.call('autoscaling', action, input)
  const group = { AutoScalingGroupName: 'clients' }
  call('CreateAutoScalingGroup', {
    ...group,
    LaunchTemplate: { LaunchTemplateName: 'client' },
    MinSize: 0,
    MaxSize: 1,
    DesiredCapacity: 1,
    AvailabilityZones: ['us-east-1a'],
  })
  call('PutLifecycleHook', {
    ...group,
    LifecycleHookName: 'drain',
    LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
    HeartbeatTimeout: 1800,
  })
  await clock.tick(5 * SECOND)
  const [instanceId = ''] = emulator.world.machines.keys()
  call('TerminateInstanceInAutoScalingGroup', {
    InstanceId: instanceId,
    ShouldDecrementDesiredCapacity: true,
  })
  const stateOf = () => emulator.world.groups.get('clients')?.members.get(instanceId)?.state.value
  const autoScaling = createInProcessClient(emulator, 'autoscaling')
  const clients = { autoScaling, ec2: autoScaling } as unknown as Clients
  const aws = createAws({ region: 'us-east-1', clock, ...(clients && { clients }) })
  const shares: number[] = []
  const over: (string | null)[] = []
  const beating = keepBeating(
    { aws, clock, random: () => 1 },
    { instanceId, hook: undefined, sinceMs: clock.now() },
    {
      signal: new AbortController().signal,
      news: {
        beat: () => undefined,
        cap: (_hook, share) => void shares.push(share),
        over: (lifecycle) => void over.push(lifecycle),
        trouble: (cause) => t.fail(String(cause)),
      },
    },
  )
  // A slice of 50 hours.
  await clock.tick(45 * HOUR)
  t.equal(stateOf(), 'Terminating:Wait')
  t.same(shares, [0.8], 'time to look')
  await clock.tick(2 * HOUR)
  t.same(shares, [0.8, 0.95], 'time to do something')
  await clock.tick(3 * HOUR)
  await beating
  t.equal(stateOf(), undefined)
  t.equal(over.length, 1)
})

t.test('F5: the controller tells of a slice that is longer than any hook', async (t) => {
  const at = (hours: number) => {
    const waited = { waitingSinceMs: NOW - hours * HOUR }
    const { view, memory } = aPool([{ state: 'waiting', slices: 1, memory: waited }])
    return plan(view, aPolicy(), memory, NOW).alarms
  }
  t.same(at(45), [])
  t.match(at(46), [{ about: 'i-0', text: /ends i-0 in 2h.*holds for 48h.*job-0-0/ }])
})

t.test('F6: a hook that lapsed is beaten for no more; its slices run elsewhere', async (t) => {
  const rules = { [BEAT]: { times: 0, refusal: new ConnectionLost('InternalFailure') } }
  const cluster = await busyCluster(t, 2, 5 * MINUTE, {
    hook: { timeoutS: 30 },
    intercept: refusing(rules),
  })
  rules[BEAT].times = Infinity
  endByHand(cluster)
  await cluster.until('it lapses', () => closings(cluster).length > 0)
  t.same(closings(cluster), ['timeout'])
  t.same(cluster.violations, [], 'who asks all the time and is refused is not to blame')
  rules[BEAT].times = 0
  const before = count(cluster, BEAT)
  await cluster.pass(MINUTE)
  t.ok(count(cluster, BEAT) - before <= 1, 'one more at most, to be told that it is over')
  t.equal(count(cluster, COMPLETE), 0, 'and nothing is completed')
  await cluster.until('all slices have run', () => cluster.queue.done === 4)
})

/** The slices of a machine end now, and are told as ended. */
function endSlices({ queue, nomad }: Cluster, nodeId: string): void {
  for (const slice of queue.slices.values()) {
    if (slice.nodeId !== nodeId || slice.allocation === null) continue
    nomad.finish(slice.allocation)
    queue.drop(slice)
  }
}

t.test('F9: completion and timeout at the same moment, in either order', async (t) => {
  const seen = new Set<string>()
  for (let shiftMs = -1500; shiftMs <= 1500; shiftMs += 300) {
    let beats = 0
    const cluster = await busyCluster(t, 2, 10 * MINUTE, {
      hook: { timeoutS: 30 },
      intercept(call, next) {
        if (call.action !== BEAT) return next()
        beats += 1
        if (beats > 1) throw new ConnectionLost('InternalFailure')
        return next()
      },
    })
    const instance = endByHand(cluster)
    const nodeId = cluster.nomad.nodeOf(instance)?.ID ?? ''
    await cluster.until('the only beat', () => beats > 0, MINUTE)
    // It lapses 30 s after the beat; the end of the slices is seen within a second.
    cluster.clock.after(29_500 + shiftMs, () => endSlices(cluster, nodeId))
    await cluster.pass(MINUTE)
    t.equal(closings(cluster).length, 1, `${shiftMs} ms`)
    t.notOk(cluster.group.members.has(instance), 'it is gone')
    t.same(alarms(cluster), [])
    const complaints = cluster.violations.filter((text) => !text.endsWith('lapsed'))
    t.same(complaints, [], 'and nothing was completed while slices ran')
    for (const by of closings(cluster)) seen.add(by)
  }
  t.same(seen, new Set(['complete', 'timeout']), 'both have come first')
})

t.test('F9: what somebody else has completed a moment before is done', async (t) => {
  let isFirst = true
  const cluster: Cluster = await busyCluster(t, 1, MINUTE, {
    intercept(call, next) {
      if (call.action !== COMPLETE || !isFirst) return next()
      isFirst = false
      cluster.call(COMPLETE, call.input)
      return next()
    },
  })
  const instance = endByHand(cluster)
  await cluster.until('it is gone', () => !cluster.group.members.has(instance))
  await cluster.pass(MINUTE)
  t.equal(count(cluster, COMPLETE), 1, 'not asked for again')
  const told = cluster.lines.filter(({ fields }) => fields['kind'] === 'complete')
  t.match(told, [{ fields: { outcome: 'done', text: /nothing to complete any more/ } }])
  t.same(cluster.violations, [])
})

t.test(
  'F11, F12: a hook that is deleted lets its machine go; without one none is taken away',
  async (t) => {
    const cluster = await busyCluster(t, 2, 8 * MINUTE, { policy: { idleOffMs: 30_000 } })
    const instance = endByHand(cluster)
    await cluster.pass(10 * SECOND)
    cluster.call('DeleteLifecycleHook', {
      AutoScalingGroupName: 'clients',
      LifecycleHookName: 'drain',
    })
    t.same(closings(cluster), ['hook deleted'])
    await cluster.pass(10 * SECOND)
    const before = count(cluster, BEAT)
    t.notOk(cluster.group.members.has(instance))
    await cluster.until('its slices have run elsewhere', () => cluster.queue.done === 4)
    t.equal(count(cluster, BEAT), before)
    const left = cluster.members('InService').length
    await cluster.pass(5 * MINUTE)
    t.equal(cluster.members('InService').length, left, 'idle ones stay')
    t.match(notes(cluster), 'nothing is taken away: the group has no hook')
    t.match(alarms(cluster), [/no hook for terminating instances/])
    cluster.putHook(300)
    await cluster.until('idle ones go again', () => cluster.group.members.size === 0)
    t.same(cluster.violations, [])
  },
)

t.test(
  'F13: a launch hook that runs out is a launch that failed: told, and asked for ever more rarely',
  async (t) => {
    const cluster = await withCluster(t, { bootMs: 20 * SECOND })
    putLaunchHook(cluster, { timeoutS: 30 })
    cluster.aws.disturb({ do: 'break-boots', times: 1000 })
    cluster.start()
    cluster.queue.add(2, MINUTE)
    await cluster.pass(8 * MINUTE)
    t.ok(cluster.aws.world.machines.size > 3, 'the group itself tries again and again')
    t.match(notes(cluster), /launches fail \(never_registered\): .*Lifecycle Action/)
    t.match(alarms(cluster), [/launches have failed 3 times in a row \(never_registered\)/])
    cluster.queue.add(8, MINUTE)
    await cluster.pass(10 * SECOND)
    t.equal(cluster.group.desired, 1, 'no more are asked for now')
    t.match(notes(cluster), /launches failed \d+ times \(never_registered\): asking again at/)
    cluster.aws.change((world) => void (world.conditions.brokenBoots = 0))
    cluster.call('DeleteLifecycleHook', {
      AutoScalingGroupName: 'clients',
      LifecycleHookName: 'launch',
    })
    await cluster.until('the slices have run', () => cluster.queue.done === 10, 2 * HOUR)
    t.same(cluster.violations, [])
  },
)
