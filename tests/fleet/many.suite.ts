/** Many groups, many machines: lists in pages and parts, and few calls. On a virtual clock. */
import t from 'tap'
import { observed } from './support/observed.ts'
import {
  closings,
  endByHand,
  idleCluster,
  lost,
  MINUTE,
  recording,
  SECOND,
  type SeenCall,
} from './support/situations.ts'
import { aPolicy } from './support/views.ts'

t.test('F49: sixty machines are protected, though one of them is on its way out', async (t) => {
  const seen: SeenCall[] = []
  const cluster = await idleCluster(t, 60, {
    group: { max: 60 },
    lagMs: 20 * SECOND,
    intercept: recording(seen),
  })
  const leaving = endByHand(cluster)
  cluster.queue.add(120, 2 * MINUTE)
  const open = () => [...cluster.group.members.values()].filter(({ isProtected }) => !isProtected)
  await cluster.until('all others are', () => open().length === 1, 30 * SECOND)
  t.match(open(), [{ machine: { id: leaving } }])
  const batches = seen
    .filter(({ action }) => action === 'SetInstanceProtection')
    .map(({ input }) => (input['InstanceIds'] as string[]).length)
  t.same(
    batches.slice(0, 3).map((size) => size <= 50),
    [true, true, true],
  )
  t.ok(batches.includes(50) && batches.includes(25), 'halved until the bad one was found')
  await cluster.until('all have run', () => cluster.queue.done === 120, 5 * MINUTE)
  t.equal(lost(cluster), 0)
})

t.test('F57: a hundred and twenty pools are looked at with two calls', async (t) => {
  const policies = Array.from({ length: 120 }, (_, at) =>
    aPolicy({ name: `pool-${at}`, group: `group-${at}` }),
  )
  const seen: SeenCall[] = []
  const { observer, look } = observed(t, policies, recording(seen))
  const { views, faults } = await look()
  t.same(faults, [])
  t.equal([...views.values()].filter(({ group }) => group !== null).length, 120)
  const groupReads = () => seen.filter(({ action }) => action === 'DescribeAutoScalingGroups')
  t.equal(groupReads().length, 2)
  seen.length = 0
  observer.forget()
  t.equal((await look()).views.size, 120)
  t.equal(groupReads().length, 2)
  t.equal(seen.length, 2, 'and nothing else is asked for each time')
})

t.test(
  'F79: a hundred and eighty machines, seen a page at a time, are held and let go',
  async (t) => {
    let pages = 0
    const cluster = await idleCluster(t, 180, {
      group: { max: 200 },
      hook: { timeoutS: 60 },
      intercept(call, next) {
        if (call.action !== 'DescribeInstances') return next()
        pages += 1
        // As EC2 may: fewer than were asked for.
        call.input['MaxResults'] = 50
        return next()
      },
    })
    t.equal(pages, 8, 'four of what is in the group, four of all there is')
    cluster.queue.add(360, 2 * MINUTE)
    const isProtected = () => [...cluster.group.members.values()].every((each) => each.isProtected)
    await cluster.until('all are protected', isProtected, 30 * SECOND)
    for (const id of cluster.members('InService')) endByHand(cluster, true, id)
    await cluster.until('all are gone', () => closings(cluster).length === 180, 10 * MINUTE)
    t.strictSame([...new Set(closings(cluster))], ['complete'])
    t.equal(lost(cluster), 0)
    await cluster.until('no node is left', () => cluster.nomad.nodes.size === 0, 20 * MINUTE)
  },
)
