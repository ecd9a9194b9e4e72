/** How drains end: by proof, with the group keeping the machine, and as numbers. On a virtual clock. */
import t from 'tap'
import {
  busyCluster,
  closings,
  completeByHand,
  drainTimes,
  endByHand,
  MINUTE,
} from './support/situations.ts'

t.test(
  'F5, F76: a build that outlasts its hook is kept by the group, and its machine ended after it',
  async (t) => {
    const cluster = await busyCluster(t, 2, 52 * MINUTE, { hook: { timeoutS: 30 } })
    cluster.call('UpdateAutoScalingGroup', {
      AutoScalingGroupName: 'clients',
      InstanceLifecyclePolicy: { RetentionTriggers: { TerminateHookAbandon: 'retain' } },
    })
    const instance = endByHand(cluster)
    await cluster.until(
      'it is retained',
      () => cluster.members('Terminating:Retained').length > 0,
      55 * MINUTE,
    )
    t.equal(cluster.queue.done, 0)
    await cluster.until('it is gone', () => !cluster.group.members.has(instance), 30 * MINUTE)
    await cluster.until('all slices have run', () => cluster.queue.done === 4, MINUTE)
    t.same(closings(cluster), ['complete'])
    t.ok((drainTimes(cluster)[0] ?? 0) > 50 * 60, 'longer than any hook of 30 s')
    t.same(cluster.violations, [])
  },
)

t.test('what a drain took, and what was lost in one, is counted', async (t) => {
  const cluster = await busyCluster(t, 2, 10 * MINUTE, {
    bootMs: MINUTE,
    hook: { timeoutS: 30 },
  })
  endByHand(cluster)
  await cluster.until('it is over', () => closings(cluster).length > 0)
  await cluster.pass(MINUTE)
  const [took = 0] = drainTimes(cluster)
  t.ok(took > 9 * 60 && took < 10 * 60, `${took} s`)
  const warned = cluster.lines.filter(({ message }) => message === 'a hook is not open any more')
  t.same(warned, [], 'our own completion is no news')
  const other = await busyCluster(t, 2, 20 * MINUTE, { hook: { timeoutS: 3600 } })
  // Nomad hears of a machine for some seconds after its end has begun.
  other.nomad.lose = () => undefined
  const instance = endByHand(other)
  await other.pass(10_000)
  completeByHand(other, instance)
  other.violations.length = 0
  await other.pass(MINUTE)
  const abandoned = other.metrics.filter(({ name }) => name === 'circle.fleet.hooks.abandoned')
  t.same(abandoned, [{ name: 'circle.fleet.hooks.abandoned', value: 1 }])
  t.same(drainTimes(other), [])
})

t.test('F20: a build that our token may not see keeps its machine', async (t) => {
  const cluster = await busyCluster(t, 2, 2 * MINUTE, { policy: { idleOffMs: 30_000 } })
  cluster.nomad.hidden.add('secret')
  const [instance = ''] = cluster.members('InService')
  const secrets = cluster.members('InService').flatMap((id) => {
    const node = cluster.nomad.nodeOf(id)
    return node === undefined ? [] : [cluster.nomad.run(node, 'deploy', { namespace: 'secret' })]
  })
  t.equal(secrets.length, 2)
  cluster.call('TerminateInstanceInAutoScalingGroup', {
    InstanceId: instance,
    ShouldDecrementDesiredCapacity: true,
  })
  await cluster.pass(8 * MINUTE)
  t.equal(cluster.queue.done, 4)
  t.same(cluster.members('Terminating:Wait'), [instance], 'the one that goes waits for it')
  t.equal(cluster.members('InService').length, 1, 'the idle one is cordoned, and not ended')
  t.equal(cluster.eligible(), 0)
  for (const { ID } of secrets) cluster.nomad.finish(ID)
  await cluster.until('both are gone', () => cluster.group.members.size === 0, 5 * MINUTE)
  t.same([...new Set(closings(cluster))], ['complete'])
  t.same(cluster.violations, [])
})
