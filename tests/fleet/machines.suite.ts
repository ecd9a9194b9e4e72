/** Machines that others stop or replace, that fall silent, or that EC2 takes back. On a virtual clock. */
import t from 'tap'
import {
  anyOf,
  busyCluster,
  count,
  endByHand,
  HOUR,
  lost,
  MINUTE,
  nodeOf,
  SECOND,
  sizes,
  TERMINATE,
  updateGroup,
} from './support/situations.ts'
import type { Cluster } from './support/cluster.ts'

t.test(
  'F62: a machine that is stopped by hand is replaced, and its slices begin again',
  async (t) => {
    const cluster = await busyCluster(t, 2, 10 * MINUTE)
    const instance = anyOf(cluster)
    cluster.aws.call('ec2', 'StopInstances', { InstanceIds: [instance] })
    t.equal(lost(cluster), 2)
    await cluster.until('it is out of the group', () => !cluster.group.members.has(instance))
    await cluster.until('all have run', () => cluster.queue.done === 4, 15 * MINUTE)
    t.equal(lost(cluster), 2, 'and once only')
    t.equal(cluster.aws.world.machines.get(instance)?.state.value, 'terminated')
    t.same(cluster.violations, [])
  },
)

t.test(
  'F63: an unhealthy machine that lives is drained first, one without a node is not',
  async (t) => {
    const cluster = await busyCluster(t, 1, 5 * MINUTE)
    const call = (instance: string) =>
      cluster.call('SetInstanceHealth', { InstanceId: instance, HealthStatus: 'Unhealthy' })
    call(anyOf(cluster))
    await cluster.until('all have run', () => cluster.queue.done === 2, 10 * MINUTE)
    t.equal(lost(cluster), 0)
    t.same(sizes(cluster), [1], 'the group replaces it')
    cluster.aws.disturb({ do: 'break-boots', times: 1 })
    cluster.queue.add(4, 5 * MINUTE)
    const broken = () =>
      [...cluster.group.members.values()].find((each) => each.machine.bootsBroken)
    const serves = () => broken()?.state.value === 'InService'
    await cluster.until('one comes up without its software', serves)
    const { id = '' } = broken()?.machine ?? {}
    call(id)
    await cluster.pass(MINUTE)
    t.ok(cluster.group.members.has(id), 'its node may still come')
    await cluster.until('it is let go', () => !cluster.group.members.has(id), 5 * MINUTE)
  },
)

t.test(
  'F64: a machine that falls silent on its way out is let go, and its slices begin again',
  async (t) => {
    const cluster = await busyCluster(t, 2, 8 * MINUTE)
    const instance = endByHand(cluster)
    await cluster.until('it waits', () => cluster.members('Terminating:Wait').length === 1)
    await cluster.pass(10 * SECOND)
    const node = nodeOf(cluster, instance)
    cluster.queue.lose(node.ID)
    cluster.nomad.lose(node.ID)
    t.equal(cluster.aws.world.machines.get(instance)?.state.value, 'running', 'for EC2 it is well')
    await cluster.pass(MINUTE)
    t.ok(cluster.group.members.has(instance), 'it might come back')
    await cluster.until('it is let go', () => !cluster.group.members.has(instance), 3 * MINUTE)
    await cluster.until('all have run', () => cluster.queue.done === 4, 20 * MINUTE)
    t.equal(lost(cluster), 2)
  },
)

t.test(
  'F66: a recommendation before, with or without the notice ends nothing of ours',
  async (t) => {
    const recommend = (cluster: Cluster, instance: string) =>
      cluster.aws.disturb({ do: 'rebalance-recommendation', instance })
    const notice = (cluster: Cluster, instance: string) =>
      cluster.aws.disturb({ do: 'spot-notice', instance })
    const orders = [[recommend], [recommend, notice], [notice, recommend], [notice]]
    for (const [at, steps] of orders.entries()) {
      const cluster = await busyCluster(t, 2, 3 * MINUTE, { seed: at + 1 })
      updateGroup(cluster, { CapacityRebalance: true })
      const instance = anyOf(cluster)
      for (const step of steps) {
        step(cluster, instance)
        await cluster.pass(10 * SECOND)
      }
      await cluster.until('all have run', () => cluster.queue.done === 4, 20 * MINUTE)
      t.equal(lost(cluster), steps.includes(notice) ? 2 : 0, 'what EC2 itself took, and no more')
      t.equal(count(cluster, TERMINATE), 0)
      const isReplaced = () => !cluster.group.members.has(instance)
      await cluster.until('it is replaced by its group', isReplaced, 3 * MINUTE)
      t.same(cluster.violations, [])
    }
  },
)

t.test('F67: while a group tries to replace what is at risk, no more is asked for', async (t) => {
  const cluster = await busyCluster(t, 2, 6 * MINUTE)
  updateGroup(cluster, { CapacityRebalance: true })
  cluster.aws.disturb({ do: 'fail-launches' })
  for (const instance of cluster.members('InService')) {
    cluster.aws.disturb({ do: 'rebalance-recommendation', instance })
    cluster.aws.disturb({ do: 'spot-notice', instance })
  }
  await cluster.pass(110 * SECOND)
  t.same(sizes(cluster), [2], 'not for what is at risk')
  await cluster.pass(5 * MINUTE)
  t.equal(lost(cluster), 4)
  cluster.aws.disturb({ do: 'mend-launches' })
  await cluster.until('all have run', () => cluster.queue.done === 4, HOUR)
  t.ok(
    Math.max(...sizes(cluster)) <= 4,
    'one for each that was lost, however often launches failed',
  )
})
