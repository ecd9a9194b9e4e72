/** Nodes that come late, twice, unnamed, or go silent: whose they are, and what may be ended. */
import t from 'tap'
import { carryOut } from '../../src/fleet/actor.ts'
import { silentLog } from '../../src/platform/index.ts'
import type { NomadNode } from '../../src/nomad/index.ts'
import type { Cluster } from './support/cluster.ts'
import {
  alarms,
  busyCluster,
  closings,
  count,
  endByHand,
  idleCluster,
  lost,
  MINUTE,
  notes,
  recording,
  running,
  SECOND,
  TERMINATE,
  untilGone,
  withCluster,
  type SeenCall,
} from './support/situations.ts'

t.test('F30: a machine has to go before its node is there: it is taken out on sight', async (t) => {
  const cluster = await withCluster(t, { bootMs: MINUTE })
  cluster.start()
  cluster.queue.add(2, 2 * MINUTE)
  await cluster.until('it is in service', () => cluster.members('InService').length === 1)
  await cluster.pass(10 * SECOND)
  const instance = endByHand(cluster, false)
  await cluster.until('its node comes', () => cluster.nomad.nodeOf(instance) !== undefined, MINUTE)
  t.same(cluster.members('Terminating:Wait'), [instance])
  await cluster.pass(2 * SECOND)
  t.equal(cluster.nomad.nodeOf(instance)?.SchedulingEligibility, 'ineligible')
  await cluster.until('the slices have run', () => cluster.queue.done === 2)
  await cluster.until('it is gone', () => !cluster.group.members.has(instance))
  t.equal(closings(cluster)[0], 'complete')
  t.equal(lost(cluster), 0)
  t.same(cluster.violations, [])
})

/** The first node that registers does not tell which machine it is, but for its address. */
function hideFirst(cluster: Cluster, hasAddress: boolean): { node: NomadNode | null; of: string } {
  const hidden: { node: NomadNode | null; of: string } = { node: null, of: '' }
  const add = cluster.nomad.add.bind(cluster.nomad)
  cluster.nomad.add = (options) => {
    if (hidden.node !== null) return add(options)
    const attributes = { 'platform.aws.instance-type': 'm5.large' }
    const node = add({ instanceId: null, name: 'worker-7', attributes })
    hidden.of = options.instanceId ?? ''
    hidden.node = node
    if (hasAddress) node.Address = cluster.aws.world.machines.get(hidden.of)?.privateIp ?? ''
    return node
  }
  return hidden
}

t.test('F31: a node that does not tell its machine is known by its address', async (t) => {
  const cluster = await withCluster(t, { bootMs: 20 * SECOND })
  const hidden = hideFirst(cluster, true)
  cluster.start()
  cluster.queue.add(2, 2 * MINUTE)
  await cluster.until('they run', () => running(cluster) === 2)
  await cluster.pass(20 * SECOND)
  endByHand(cluster, true, hidden.of)
  await cluster.pass(10 * SECOND)
  t.equal(hidden.node?.SchedulingEligibility, 'ineligible')
  await cluster.pass(MINUTE)
  t.same(closings(cluster), [], 'it is waited for')
  await cluster.until('it is over', () => closings(cluster).length > 0)
  t.same([closings(cluster), cluster.queue.done], [['complete'], 2])
})

t.test('F31: of one that nothing tells of only its machine is held up, and told', async (t) => {
  const cluster = await withCluster(t, {
    bootMs: 20 * SECOND,
    hook: { timeoutS: 30 },
    policy: { idleOffMs: 30 * SECOND },
  })
  const hidden = hideFirst(cluster, false)
  cluster.start()
  cluster.queue.add(4, 2 * MINUTE)
  await cluster.until('all run', () => running(cluster) === 4)
  endByHand(cluster, true, hidden.of)
  await cluster.until('all slices have run', () => cluster.queue.done === 4)
  await cluster.until('the other one is gone', () => cluster.group.members.size === 1)
  await cluster.pass(2 * MINUTE)
  t.same(cluster.members('Terminating:Wait'), [hidden.of], 'the beats go on')
  t.match(notes(cluster), '1 nodes belong to no known machine, and one may be its own')
  t.match(alarms(cluster), [new RegExp(`${hidden.of} waits: .* belong to no known machine`)])
  // A person sees to it.
  cluster.nomad.nodes.delete(hidden.node?.ID ?? '')
  await untilGone(cluster, MINUTE)
  t.same(cluster.violations, [])
})

t.test(
  'F32: of two nodes with one machine the dead one is purged, the other drained',
  async (t) => {
    const cluster = await idleCluster(t, 1, { policy: { idleOffMs: 30 * MINUTE } })
    const [instance = ''] = cluster.members('InService')
    const old = cluster.nomad.nodeOf(instance)
    t.ok(old)
    // Its disk was wiped: the same machine registers anew, and the old node is dead.
    const fresh = cluster.nomad.add({ instanceId: instance })
    old!.Status = 'down'
    cluster.queue.add(2, 3 * MINUTE)
    await cluster.until('they run', () => running(cluster) === 2)
    t.equal(cluster.nomad.liveOn(fresh.ID).length, 2)
    endByHand(cluster)
    await cluster.pass(2 * MINUTE)
    t.equal(fresh.SchedulingEligibility, 'ineligible')
    t.same(closings(cluster), [])
    t.notOk(cluster.nomad.nodes.has(old!.ID), 'the dead one is purged')
    t.ok(cluster.nomad.nodes.has(fresh.ID))
    await cluster.until('it is over', () => closings(cluster).length > 0)
    t.equal(cluster.queue.done, 2)
    t.same(cluster.violations, [])
  },
)

t.test('F33: a node that is down and eligible is no victim', async (t) => {
  const seen: SeenCall[] = []
  const cluster = await idleCluster(t, 2, { intercept: recording(seen) })
  const stale = cluster.nomad.add({ instanceId: 'i-0123456789abcdef0' })
  stale.Status = 'down'
  const [silent = '', idle = ''] = cluster.members('InService')
  const node = cluster.nomad.nodeOf(silent)
  t.ok(node)
  node!.Status = 'down'
  const ended = () =>
    seen.filter(({ action }) => action === TERMINATE).map(({ input }) => input['InstanceId'])
  await cluster.pass(4 * MINUTE)
  t.same(ended(), [idle])
  t.ok(
    cluster.nomad.writes.every((write) => write.endsWith(idle)),
    'no other is touched',
  )
  node!.Status = 'ready'
  await untilGone(cluster, 5 * MINUTE)
  t.same(ended(), [idle, silent], 'once it lives again, and is idle')
  t.ok(cluster.nomad.nodes.has(stale.ID))
  t.same(cluster.violations, [])
})

t.test(
  'F35: a silent node whose machine runs is not purged, nor one that has come back',
  async (t) => {
    const cluster = await idleCluster(t, 2, { policy: { idleOffMs: 60 * MINUTE } })
    const [instance = ''] = cluster.members('InService')
    const node = cluster.nomad.nodeOf(instance)
    t.ok(node)
    cluster.call('DetachInstances', {
      AutoScalingGroupName: 'clients',
      InstanceIds: [instance],
      ShouldDecrementDesiredCapacity: true,
    })
    node!.Status = 'down'
    await cluster.pass(10 * MINUTE)
    t.ok(cluster.nomad.nodes.has(node!.ID), 'EC2 says that it runs')
    const purge = { kind: 'purge', pool: 'linux', nodeId: node!.ID, instanceId: instance } as const
    node!.Status = 'ready'
    const deps = {
      awsOf: () => t.fail('AWS is not asked') as never,
      nomad: cluster.nomad,
      now: () => 0,
      log: silentLog,
    }
    const outcome = await carryOut(purge, deps, new AbortController().signal)
    t.match(outcome, { kind: 'refused', text: 'the node is ready' }, 'it came back in between')
    node!.Status = 'down'
    cluster.aws.call('ec2', 'TerminateInstances', { InstanceIds: [instance] })
    await cluster.pass(20 * SECOND)
    t.ok(cluster.nomad.nodes.has(node!.ID), 'one proof is none')
    await cluster.pass(2 * MINUTE)
    t.notOk(cluster.nomad.nodes.has(node!.ID))
  },
)

t.test(
  'F36: builds on a node that is cut off are waited for, in service and on its way out',
  async (t) => {
    for (const cutMs of [MINUTE, 12 * MINUTE]) {
      const cluster = await busyCluster(t, 2, 15 * MINUTE)
      const ids = cluster.members('InService')
      const [going = ''] = ids
      endByHand(cluster, true, going)
      await cluster.pass(10 * SECOND)
      const all = [...cluster.nomad.nodes.values()]
      const setAll = (status: NomadNode['Status'], allocations: 'unknown' | 'running') => {
        for (const node of all) {
          node.Status = status
          for (const each of cluster.nomad.liveOn(node.ID)) each.ClientStatus = allocations
        }
      }
      setAll('disconnected', 'unknown')
      await cluster.pass(cutMs)
      t.same(cluster.members('Terminating:Wait'), [going], `${cutMs} ms`)
      t.equal(cluster.members('InService').length, 1)
      t.equal(count(cluster, TERMINATE), 0)
      setAll('ready', 'running')
      await cluster.until('all slices have run', () => cluster.queue.done === 4)
      t.equal(lost(cluster), 0)
      t.same(cluster.violations, [])
    }
  },
)

t.test('F36: a machine whose slices Nomad gives up is replaced, after a while', async (t) => {
  const cluster = await busyCluster(t, 2, 5 * MINUTE)
  const [instance = ''] = cluster.members('InService')
  const node = cluster.nomad.nodeOf(instance)
  t.ok(node)
  cluster.queue.lose(node!.ID)
  cluster.nomad.lose(node!.ID)
  await cluster.pass(9 * MINUTE)
  t.ok(cluster.members('InService').includes(instance), 'it may come back')
  t.equal(cluster.queue.done, 4, 'its slices have not waited for that')
  await cluster.until('it is gone', () => !cluster.group.members.has(instance), 10 * MINUTE)
  t.same(cluster.violations, [])
})

t.test('F40: what waits behind a slice that has no place is demand all the same', async (t) => {
  const cluster = await withCluster(t, {
    bootMs: 20 * SECOND,
    group: { max: 40 },
    policy: { max: 40 },
  })
  cluster.start()
  cluster.queue.add(1, MINUTE, { cpuMhz: 64_000, memoryMiB: 1024 })
  cluster.queue.add(50, MINUTE)
  await cluster.until('all others have run', () => cluster.queue.done === 50, 5 * MINUTE)
  t.equal(Math.max(...cluster.events.map((event) => (event.type === 'desired' ? event.to : 0))), 25)
  t.match(alarms(cluster), [/no machine of the pool can ever hold 1 slice/])
})
