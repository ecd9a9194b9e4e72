/** The scaling policy on a whole cluster, on a virtual clock: what settles, what stands aside, who stands in. */
import t, { type Test } from 'tap'
import { disturb } from '../../src/dev/aws/disturbance.ts'
import { TOLD, toDrainMeta } from '../../src/fleet/drain-mark.ts'
import { aCluster, type Cluster, type ClusterOptions } from './support/cluster.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const CLIENTS = { AutoScalingGroupName: 'clients' }

async function withCluster(t: Test, options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = await aCluster(options)
  t.teardown(() => cluster.close())
  return cluster
}

function launches({ events }: Cluster): number {
  return events.filter((event) => event.type === 'booted').length
}

/** What the controller decided last of the pool. */
function why({ store }: Cluster, pool = 'linux') {
  return store
    .readTicks({ limit: 50 })
    .flatMap((tick) => tick.why)
    .find((each) => each.pool === pool)
}

t.test('F88: load that goes up and down at the edge of a machine moves no machine', async (t) => {
  const cluster = await withCluster(t, { policy: { idleOffMs: 'auto' } })
  cluster.start()
  let settled = 0
  for (let minute = 0; minute < 30; minute++) {
    if (minute === 10) settled = launches(cluster)
    // Two fit on a machine: one minute it is two slices, the next one three.
    cluster.queue.add(minute % 2 === 0 ? 2 : 3, 50_000)
    await cluster.pass(MINUTE)
  }
  t.equal(launches(cluster), settled, 'after the first minutes')
  t.ok(settled <= 3)
  await cluster.until('all is gone', () => cluster.group.members.size === 0, HOUR)
  t.equal(cluster.queue.done, 75)
  t.same(cluster.violations, [])
})

t.test('F69: launches fail, and the pool that stands in runs the slices', async (t) => {
  const cluster = await withCluster(t, { standIn: {} })
  cluster.start()
  cluster.aws.change((world) => disturb(world, { do: 'fail-launches', group: 'clients' }))
  cluster.queue.add(6, MINUTE)
  await cluster.until('all have run', () => cluster.queue.done === 6, 6 * MINUTE)
  t.equal(cluster.group.members.size, 0)
  const spare = cluster.aws.world.groups.get('spare')
  t.equal(spare?.desired, 3, 'each slice was counted once')
  cluster.aws.change((world) => disturb(world, { do: 'mend-launches' }))
  await cluster.until('the first one launches', () => cluster.group.members.size > 0, HOUR)
  const ended = () => cluster.group.members.size === 0 && spare?.members.size === 0
  await cluster.until('all is gone', ended, 2 * HOUR)
  t.same(cluster.violations, [])
})

t.test('F74: machines of a warm pool are counted apart, and nobody ends them', async (t) => {
  const cluster = await withCluster(t, { policy: { idleOffMs: 3 * MINUTE } })
  cluster.call('PutWarmPool', { ...CLIENTS, MaxGroupPreparedCapacity: 2, PoolState: 'Running' })
  cluster.start()
  await cluster.pass(40 * MINUTE)
  const warm = cluster.members('Warmed:Running')
  t.equal(warm.length, 2)
  t.match(why(cluster)?.ledger, { warm: 2 }, 'they are no machines that their group has lost')
  t.equal(cluster.group.desired, 0)
  for (const id of warm) t.equal(cluster.aws.world.machines.get(id)?.state.value, 'running')
})

t.test('F66: a hint costs nothing: another machine stands in before it goes', async (t) => {
  const cluster = await withCluster(t, { policy: { min: 1 }, group: { min: 1, max: 10 } })
  cluster.start()
  await cluster.until('one is there', () => cluster.eligible() === 1)
  await cluster.pass(5000)
  const [instance = ''] = cluster.members('InService')
  const node = cluster.nomad.nodeOf(instance)
  // As the daemon on the instance does.
  const meta = toDrainMeta({ by: 'lifecycle', reason: TOLD.atRisk, sinceMs: cluster.clock.now() })
  await cluster.nomad.drainNode(
    node?.ID ?? '',
    { deadlineMs: null, ignoreSystemJobs: true },
    { meta },
  )
  await cluster.until('it serves again', () => cluster.eligible() === 1, 5000)
  let least = 1
  const isGone = () => {
    least = Math.min(least, cluster.eligible())
    return !cluster.group.members.has(instance)
  }
  await cluster.until('it is gone', isGone, 5 * MINUTE)
  t.equal(least, 1, 'there was one for slices all the time')
  t.equal(cluster.group.desired, 1)
  t.equal(launches(cluster), 2)
  t.same(cluster.violations, [])
})
