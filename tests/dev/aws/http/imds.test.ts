/** Instance metadata, version 2, for every machine on one port. */
import t from 'tap'
import type { Test } from 'tap'
import { startAwsEmulator } from '../../../../src/dev/index.ts'
import { TestClock, silentLog } from '../../../../src/platform/index.ts'
import { GROUP, MINUTE, SECOND, countingRandom } from '../support.ts'

async function aMachine(t: Test, options: { imdsLag?: string } = {}) {
  const clock = new TestClock()
  const running = await startAwsEmulator({ clock, random: countingRandom(), log: silentLog })
  t.teardown(() => running.close())
  const { aws, imds } = running
  const order = (action: string, input: object) => aws.order('autoscaling', action, input)
  order('CreateAutoScalingGroup', {
    AutoScalingGroupName: GROUP,
    MinSize: 0,
    MaxSize: 2,
    DesiredCapacity: 2,
    AvailabilityZones: ['us-east-1a'],
    LaunchTemplate: { LaunchTemplateName: 'client' },
    Tags: [{ Key: 'team', Value: 'ci', PropagateAtLaunch: true }],
  })
  if (options.imdsLag !== undefined) aws.disturb({ do: 'lag', imds: options.imdsLag })
  await clock.tick(3 * SECOND)
  const ids = [...aws.world.machines.keys()]
  const takeToken = async (base: string, ttl = '60') => {
    const headers = { 'X-aws-ec2-metadata-token-ttl-seconds': ttl }
    const answer = await fetch(`${base}/latest/api/token`, { method: 'PUT', headers })
    return answer.status === 200 ? answer.text() : String(answer.status)
  }
  const read = async (base: string, path: string, token: string) => {
    const headers = { 'X-aws-ec2-metadata-token': token }
    const answer = await fetch(`${base}/latest/${path}`, { headers })
    return answer.status === 200 ? answer.text() : answer.status
  }
  /** What a program on that machine reads. */
  const on = async (id: string, path: string) => {
    const base = `${imds}/${id}`
    return read(base, `meta-data/${path}`, await takeToken(base))
  }
  return { aws, clock, imds, ids, order, takeToken, read, on }
}

t.test('a machine finds out who and where it is', async (t) => {
  const { ids, on } = await aMachine(t)
  const [first = '', second = ''] = ids
  t.equal(await on(first, 'instance-id'), first)
  t.equal(await on(second, 'instance-id'), second)
  t.equal(await on(first, 'placement/availability-zone'), 'us-east-1a')
  t.equal(await on(first, 'tags/instance/team'), 'ci')
  t.equal(await on(first, 'autoscaling/'), 'target-lifecycle-state')
  t.equal(await on(first, 'no/such/thing'), 404)
  t.match(await on(first, ''), /instance-id\n/)
})

t.test('a token is needed, is good for its time, and for its own machine', async (t) => {
  const { clock, imds, ids, takeToken, read } = await aMachine(t)
  const [first = '', second = ''] = ids
  const path = 'meta-data/instance-id'
  t.equal(await read(`${imds}/${first}`, path, ''), 401)
  t.equal(await takeToken(imds, '0'), '400')
  t.equal(await takeToken(imds, '21601'), '400')
  const token = await takeToken(`${imds}/${second}`)
  t.equal(await read(imds, path, token), second, 'the token tells whose it is')
  t.equal(await read(`${imds}/${first}`, path, token), 401)
  await clock.tick(MINUTE)
  t.equal(await read(imds, path, token), 401)
  t.equal(await read(imds, path, await takeToken(imds)), first, 'the oldest when none is named')
})

t.test('the target state is that of the transition that has begun', async (t) => {
  const { clock, ids, order, on } = await aMachine(t)
  const [id = '', other = ''] = ids
  const target = 'autoscaling/target-lifecycle-state'
  t.equal(await on(id, target), 'InService')
  order('PutLifecycleHook', {
    AutoScalingGroupName: GROUP,
    LifecycleHookName: 'drain',
    LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
  })
  order('TerminateInstanceInAutoScalingGroup', {
    InstanceId: id,
    ShouldDecrementDesiredCapacity: true,
  })
  t.equal(await on(id, target), 'Terminated')
  await clock.tick(10 * SECOND)
  t.equal(await on(id, target), 'Terminated', 'while it waits')
  order('CompleteLifecycleAction', {
    AutoScalingGroupName: GROUP,
    LifecycleHookName: 'drain',
    InstanceId: id,
    LifecycleActionResult: 'CONTINUE',
  })
  t.equal(await on(id, target), 404, 'its network is gone')
  const one = { AutoScalingGroupName: GROUP, InstanceIds: [other] }
  order('EnterStandby', { ...one, ShouldDecrementDesiredCapacity: true })
  t.equal(await on(other, target), 'Standby')
  await clock.tick(SECOND)
  order('DetachInstances', { ...one, ShouldDecrementDesiredCapacity: false })
  t.equal(await on(other, target), 404, 'it is in no group any more')
})

t.test('a spot notice and a recommendation can be read from when they are given', async (t) => {
  const { aws, clock, ids, on } = await aMachine(t)
  const [id = ''] = ids
  t.equal(await on(id, 'spot/instance-action'), 404)
  t.equal(await on(id, 'events/recommendations/rebalance'), 404)
  aws.disturb({ do: 'rebalance-recommendation', instance: id })
  aws.disturb({ do: 'spot-notice', instance: id })
  const notice = JSON.parse(String(await on(id, 'spot/instance-action')))
  t.equal(notice.action, 'terminate')
  t.equal(Date.parse(notice.time), clock.now() + 2 * MINUTE)
  t.match(String(await on(id, 'events/recommendations/rebalance')), /"noticeTime":"20/)
  await clock.tick(2 * MINUTE)
  t.equal(await on(id, 'instance-id'), 404, 'the machine is gone')
})

t.test('metadata may lag', async (t) => {
  const { aws, clock, ids, on } = await aMachine(t, { imdsLag: '2s' })
  const [id = ''] = ids
  aws.disturb({ do: 'spot-notice', instance: id })
  t.equal(await on(id, 'spot/instance-action'), 404)
  await clock.tick(2 * SECOND)
  t.match(String(await on(id, 'spot/instance-action')), /terminate/)
})
