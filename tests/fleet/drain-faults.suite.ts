/** Drains, and what Nomad, people and bad luck do to them. On a virtual clock. */
import t from 'tap'
import { CaravanError } from '../../src/model/index.ts'
import type { NomadNode } from '../../src/nomad/index.ts'
import type { Cluster } from './support/cluster.ts'
import {
  busyCluster,
  closings,
  count,
  endByHand,
  HOUR,
  idleCluster,
  lost,
  MINUTE,
  SECOND,
  TERMINATE,
  untilGone,
} from './support/situations.ts'

/** Somebody ends a busy machine. @returns its node, once it is out. */
async function aDrainedNode(cluster: Cluster): Promise<{ instance: string; node: NomadNode }> {
  const instance = endByHand(cluster)
  const node = cluster.nomad.nodeOf(instance)
  if (node === undefined) throw new Error('it has no node')
  await cluster.until('it is drained', () => node.SchedulingEligibility === 'ineligible', MINUTE)
  await cluster.pass(5 * SECOND)
  return { instance, node }
}

/** What runs there is ended, and begins elsewhere. */
function endWork({ nomad, queue }: Cluster, { ID }: NomadNode): void {
  queue.lose(ID)
  for (const allocation of nomad.liveOn(ID)) nomad.finish(allocation.ID, 'failed')
}

t.test('F20: a drain that is called complete proves nothing while allocations stop', async (t) => {
  const cluster = await busyCluster(t, 2, HOUR)
  const { instance, node } = await aDrainedNode(cluster)
  // As at a deadline: the last one is told to end, and takes its time for it.
  node.Drain = false
  node.DrainStrategy = null
  node.LastDrain = { ...node.LastDrain, Status: 'complete' }
  for (const allocation of cluster.nomad.liveOn(node.ID)) allocation.DesiredStatus = 'stop'
  await cluster.pass(30 * SECOND)
  t.same(cluster.members('Terminating:Wait'), [instance])
  t.equal(count(cluster, 'CompleteLifecycleAction'), 0, 'it is not even tried')
  endWork(cluster, node)
  await cluster.until('it is over', () => closings(cluster).length > 0, MINUTE)
  t.same(closings(cluster), ['complete'])
  t.same(cluster.violations, [])
})

/** What still runs at its deadline is ended, unless somebody drains it anew. */
function drainByHand(cluster: Cluster, node: NomadNode, deadlineMs: number): void {
  cluster.nomad.drainByHand(node, deadlineMs)
  const given = node.DrainStrategy
  cluster.clock.after(deadlineMs, () => {
    if (node.DrainStrategy === given) endWork(cluster, node)
  })
}

t.test('F21: a deadline that somebody gave before a machine has to go is lifted', async (t) => {
  const cluster = await busyCluster(t, 1, 8 * MINUTE)
  const [instance = ''] = cluster.members('InService')
  const node = cluster.nomad.nodeOf(instance)
  t.ok(node)
  drainByHand(cluster, node!, 5 * MINUTE)
  await cluster.pass(MINUTE)
  t.same(cluster.nomad.writes, [], 'as long as it serves that is their business')
  endByHand(cluster)
  await cluster.until('it is over', () => closings(cluster).length > 0)
  t.equal(lost(cluster) + failed(cluster), 0, 'its slices have run to their end')
  t.same(closings(cluster), ['complete'])
  t.same(cluster.violations, [])
})

t.test('F21: so is one that somebody gives afterwards, and once is enough', async (t) => {
  const cluster = await busyCluster(t, 1, 8 * MINUTE)
  const { node } = await aDrainedNode(cluster)
  drainByHand(cluster, node, 2 * MINUTE)
  await cluster.until('it is over', () => closings(cluster).length > 0)
  t.equal(lost(cluster) + failed(cluster), 0)
  t.equal(cluster.nomad.writes.filter((write) => write.startsWith('drain')).length, 2)
  t.same(cluster.violations, [])
})

function failed({ nomad }: Cluster): number {
  return [...nomad.allocations.values()].filter(({ ClientStatus }) => ClientStatus === 'failed')
    .length
}

t.test('F23: without a leader for 20 s a drain is neither lost nor begun anew', async (t) => {
  const noLeader = new CaravanError('NOMAD_UNREACHABLE', 'No cluster leader')
  const moments = ['before the drain', 'with its answer', 'during the drain'] as const
  for (const when of moments) {
    const cluster = await busyCluster(t, 2, 2 * MINUTE, { hook: { timeoutS: 30 } })
    let isLeaderless = when === 'before the drain'
    cluster.nomad.before = () => {
      if (isLeaderless) throw noLeader
    }
    const drainNode = cluster.nomad.drainNode.bind(cluster.nomad)
    cluster.nomad.drainNode = async (...args) => {
      const receipt = await drainNode(...args)
      if (when !== 'with its answer' || isLeaderless) return receipt
      isLeaderless = true
      throw new CaravanError('NOMAD_UNKNOWN_OUTCOME', 'No cluster leader')
    }
    const instance = endByHand(cluster)
    if (when === 'with its answer') {
      await cluster.until('the answer is lost', () => isLeaderless, MINUTE)
    } else if (when === 'during the drain') {
      await cluster.pass(15 * SECOND)
      isLeaderless = true
    }
    await cluster.pass(20 * SECOND)
    cluster.nomad.drainNode = drainNode
    isLeaderless = false
    await cluster.until('it is over', () => closings(cluster).length > 0)
    t.same(closings(cluster), ['complete'], when)
    t.same(
      cluster.nomad.writes.filter((write) => write.startsWith('drain')),
      [`drain ${instance}`],
      'drained once',
    )
    t.same(cluster.violations, [])
  }
})

t.test('F25: one drain of five fails: the others go on, and it is tried again', async (t) => {
  const cluster = await busyCluster(t, 5, 2 * MINUTE, { hook: { timeoutS: 30 } })
  const ids = cluster.members('InService')
  const stubborn = cluster.nomad.nodeOf(ids[2] ?? '')
  const drainNode = cluster.nomad.drainNode.bind(cluster.nomad)
  cluster.nomad.drainNode = async (id, ...rest) => {
    if (id === stubborn?.ID) throw new CaravanError('NOMAD_REJECTED', 'rpc error')
    return drainNode(id, ...rest)
  }
  for (const id of ids) endByHand(cluster, true, id)
  await cluster.until('four are gone', () => closings(cluster).length === 4)
  await cluster.pass(2 * MINUTE)
  t.same(cluster.members('Terminating:Wait'), [ids[2]], 'it is held, and not completed undrained')
  cluster.nomad.drainNode = drainNode
  await cluster.until('it is gone as well', () => closings(cluster).length === 5, MINUTE)
  t.same(new Set(closings(cluster)), new Set(['complete']))
  t.same(cluster.violations, [])
})

t.test('F27: a node that somebody gives back is taken out again, with what came', async (t) => {
  const cluster = await busyCluster(t, 2, 2 * MINUTE)
  const { instance, node } = await aDrainedNode(cluster)
  cluster.nomad.giveBack(node)
  const late = cluster.nomad.run(node, 'late')
  await cluster.pass(5 * SECOND)
  t.equal(node.SchedulingEligibility, 'ineligible')
  await cluster.pass(5 * MINUTE)
  t.same(cluster.members('Terminating:Wait'), [instance], 'what came in between is waited for')
  cluster.nomad.finish(late.ID)
  await cluster.until('it is over', () => closings(cluster).length > 0, MINUTE)
  t.same(closings(cluster), ['complete'])
  t.same(cluster.violations, [])
})

t.test('F37: a slice that comes while its node is cordoned is not ended with it', async (t) => {
  const cluster = await idleCluster(t, 2)
  const drainNode = cluster.nomad.drainNode.bind(cluster.nomad)
  let late: string | null = null
  cluster.nomad.drainNode = async (id, drain, options) => {
    const receipt = await drainNode(id, drain, options)
    const node = cluster.nomad.nodes.get(id)
    if (drain === null || node === undefined || late !== null) return receipt
    late = ''
    // Nomad had decided it before the cordon, and writes it after.
    cluster.clock.after(400, () => void (late = cluster.nomad.run(node, 'late').ID))
    return receipt
  }
  await cluster.until('one machine is ended', () => count(cluster, TERMINATE) > 0)
  await cluster.pass(2 * MINUTE)
  const on = cluster.nomad.nodes.get(cluster.nomad.allocations.get(late ?? '')?.NodeID ?? '')
  t.same(cluster.members('InService'), [on?.Name], 'the other one is gone')
  t.equal(on?.SchedulingEligibility, 'eligible', 'given back')
  cluster.nomad.finish(late ?? '')
  await untilGone(cluster)
  t.same(cluster.violations, [])
})

t.test('F38: jobs that run on every node for ever keep none of them', async (t) => {
  const cluster = await idleCluster(t, 2)
  const [one, other] = [...cluster.nomad.nodes.values()]
  for (const node of cluster.nomad.nodes.values()) {
    cluster.nomad.run(node, 'metrics', { type: 'system' })
  }
  const cleanup = other && cluster.nomad.run(other, 'cleanup', { type: 'sysbatch' })
  await cluster.until('one is called for', () => count(cluster, TERMINATE) === 1, 5 * MINUTE)
  await cluster.pass(5 * MINUTE)
  t.notOk(cluster.group.members.has(one?.Name ?? ''))
  // What runs once on every node ends by itself: Nomad's drain waits for it, and does not see its end.
  t.ok(cluster.group.members.has(other?.Name ?? ''))
  cluster.nomad.finish(cleanup?.ID ?? '')
  await untilGone(cluster, 5 * MINUTE)
})

t.test('F39: all victims of a round are cordoned before the first of them is ended', async (t) => {
  const cluster = await idleCluster(t, 5)
  const log: string[] = []
  const drainNode = cluster.nomad.drainNode.bind(cluster.nomad)
  cluster.nomad.drainNode = async (...args) => {
    log.push('cordon')
    return drainNode(...args)
  }
  const push = cluster.calls.push.bind(cluster.calls)
  cluster.calls.push = (...calls) => {
    log.push(...calls.filter((call) => call === TERMINATE))
    return push(...calls)
  }
  await cluster.until('all are called for', () => count(cluster, TERMINATE) === 5, 5 * MINUTE)
  t.same(log.slice(0, 5), Array(5).fill('cordon'))
  t.same(log.slice(5, 10), Array(5).fill(TERMINATE))
  // What waits from now on goes to none of them.
  cluster.queue.add(4, MINUTE)
  await cluster.until('the slices have run', () => cluster.queue.done === 4)
  t.equal(lost(cluster), 0)
  t.same(cluster.violations, [])
})
