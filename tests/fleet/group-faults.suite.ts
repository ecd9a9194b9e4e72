/** Calls to AWS that are refused, late, lost, or answered from the past. On a virtual clock. */
import t from 'tap'
import { Refusal } from '../../src/dev/aws/index.ts'
import {
  busyCluster,
  closings,
  count,
  endByHand,
  idleCluster,
  lost,
  MINUTE,
  notes,
  putLaunchHook,
  refusing,
  running,
  SECOND,
  sizes,
  TERMINATE,
  untilGone,
  withCluster,
} from './support/situations.ts'

t.test('F48: protection waits until a machine serves, and is let be while it goes', async (t) => {
  const cluster = await withCluster(t, { bootMs: 20 * SECOND })
  putLaunchHook(cluster)
  cluster.start()
  cluster.queue.add(2, 5 * MINUTE)
  await cluster.until('they run', () => running(cluster) === 2)
  await cluster.pass(MINUTE)
  const [instance = ''] = cluster.members('Pending:Wait')
  t.equal(count(cluster, 'SetInstanceProtection'), 0, 'it could only be refused')
  cluster.call('CompleteLifecycleAction', {
    LifecycleHookName: 'launch',
    AutoScalingGroupName: 'clients',
    InstanceId: instance,
    LifecycleActionResult: 'CONTINUE',
  })
  const isProtected = () => cluster.group.members.get(instance)?.isProtected === true
  await cluster.until('it is protected', isProtected, 10 * SECOND)
  endByHand(cluster, true, instance)
  const before = count(cluster, 'SetInstanceProtection')
  await untilGone(cluster, 10 * MINUTE)
  t.equal(count(cluster, 'SetInstanceProtection'), before)
  t.equal(cluster.queue.done, 2)
  t.equal(lost(cluster), 0)
})

t.test('F50: a machine that somebody else has ended first is no trouble', async (t) => {
  for (const isHookOver of [false, true]) {
    let isFirst = true
    const cluster = await idleCluster(t, 2, {
      lagMs: 20 * SECOND,
      async intercept(call, next) {
        if (call.action !== TERMINATE || !isFirst) return next()
        isFirst = false
        const instance = endByHand(cluster, true, String(call.input['InstanceId']))
        const { promise, resolve } = Promise.withResolvers<void>()
        cluster.clock.after(SECOND, resolve)
        await promise
        if (!isHookOver) return next()
        const action = { AutoScalingGroupName: 'clients', LifecycleHookName: 'drain' }
        const done = { InstanceId: instance, LifecycleActionResult: 'CONTINUE' }
        cluster.call('CompleteLifecycleAction', { ...action, ...done })
        const over = Promise.withResolvers<void>()
        cluster.clock.after(3 * SECOND, over.resolve)
        await over.promise
        return next()
      },
    })
    await untilGone(cluster, 10 * MINUTE)
    t.notOk(isFirst)
    t.ok(count(cluster, TERMINATE) <= 12, `${count(cluster, TERMINATE)} calls`)
    t.same(sizes(cluster), [1, 0], 'each was taken off once')
    await cluster.pass(2 * MINUTE)
    t.equal(cluster.group.desired, 0)
  }
})

t.test('F51: of five machines two are refused: three go, and the two stay of use', async (t) => {
  const ids = new Set<string>()
  let isRefusing = true
  const cluster = await idleCluster(t, 5, {
    intercept(call, next) {
      const id = String(call.input['InstanceId'])
      if (call.action !== TERMINATE || !isRefusing) return next()
      if (ids.size < 2) ids.add(id)
      if (!ids.has(id)) return next()
      throw new Refusal('AccessDenied', 'by order of the test')
    },
  })
  await cluster.until('three are gone', () => cluster.group.members.size === 2, 5 * MINUTE)
  await cluster.pass(MINUTE)
  t.same(new Set(cluster.group.members.keys()), ids)
  t.ok(count(cluster, TERMINATE) < 60, 'not tried again with every look')
  cluster.queue.add(4, MINUTE)
  await cluster.until('they have run', () => cluster.queue.done === 4, 3 * MINUTE)
  t.same(new Set(cluster.group.members.keys()), ids, 'on the two')
  isRefusing = false
  await untilGone(cluster, 5 * MINUTE)
  t.same(sizes(cluster), [4, 3, 2, 1, 0])
})

t.test(
  'F56: calls that meet another change of the group are made again, and count once',
  async (t) => {
    const contention = () => ({ times: 3, refusal: new Refusal('ResourceContention', 'pending') })
    const rules = {
      SetDesiredCapacity: contention(),
      SetInstanceProtection: contention(),
      [TERMINATE]: contention(),
      CompleteLifecycleAction: contention(),
    }
    const cluster = await busyCluster(t, 2, 2 * MINUTE, {
      policy: { idleOffMs: 30 * SECOND },
      intercept: refusing(rules),
    })
    await untilGone(cluster, 15 * MINUTE)
    t.same(
      Object.values(rules).map(({ times }) => times),
      [0, 0, 0, 0],
    )
    t.same(sizes(cluster), [2, 1, 0])
    t.same(new Set(closings(cluster)), new Set(['complete']))
    t.same(cluster.violations, [])
  },
)

t.test(
  'F57: with a bucket that is nearly always empty it is slow, and does no wrong',
  async (t) => {
    let throttled = 0
    const cluster = await withCluster(t, {
      policy: { idleOffMs: 30 * SECOND },
      bootMs: 20 * SECOND,
      aws: { rate: { burst: 3, perSecond: 0.2 } },
      intercept: async (_call, next) => {
        try {
          return await next()
        } catch (error) {
          if (error instanceof Refusal && error.code.startsWith('Throttling')) throttled += 1
          throw error
        }
      },
    })
    cluster.start()
    cluster.queue.add(4, 3 * MINUTE)
    await cluster.until('all have run', () => cluster.queue.done === 4, 15 * MINUTE)
    await untilGone(cluster, 30 * MINUTE)
    t.ok(throttled > 5 && throttled < 60, `${throttled} were throttled`)
    t.same(sizes(cluster), [2, 1, 0])
    t.same(cluster.store.loadMemory().get('linux')?.backoff, {}, 'it is no failed launch')
    t.same(cluster.violations, [])
  },
)

t.test(
  'F59: EC2 that does not know a fresh machine yet is asked again, and believed later',
  async (t) => {
    const cluster = await withCluster(t, { bootMs: 5 * SECOND })
    cluster.aws.disturb({ do: 'lag', ec2: '40s' })
    cluster.start()
    cluster.queue.add(4, 5 * MINUTE)
    await cluster.until('all run', () => running(cluster) === 4, MINUTE)
    const [instance = ''] = cluster.members('InService')
    const describe = () => cluster.aws.call('ec2', 'DescribeInstances', { InstanceIds: [instance] })
    t.throws(describe, { code: 'InvalidInstanceID.NotFound' })
    await cluster.pass(MINUTE)
    const asked = count(cluster, 'DescribeInstances')
    t.ok(asked >= 3, 'more than once')
    await cluster.pass(2 * MINUTE)
    t.ok(count(cluster, 'DescribeInstances') <= asked + 1, 'and not for ever')
    await cluster.until('all have run', () => cluster.queue.done === 4, 5 * MINUTE)
    t.equal(lost(cluster), 0)
    t.equal(count(cluster, TERMINATE) + count(cluster, 'TerminateInstances'), 0)
  },
)

t.test('F60: an id that EC2 has forgotten spoils the question about no other', async (t) => {
  const cluster = await idleCluster(t, 2, { policy: { min: 1 }, group: { min: 1 } })
  const keeping = cluster.nomad.purgeNode.bind(cluster.nomad)
  cluster.nomad.purgeNode = () => Promise.reject(new Error('Nomad answers 500'))
  await cluster.until('one is gone', () => cluster.group.members.size === 1, 5 * MINUTE)
  const [gone = ''] = [...cluster.aws.world.machines.keys()].filter(
    (id) => !cluster.group.members.has(id),
  )
  // EC2 shows what has ended for about an hour.
  cluster.aws.change((world) => void world.machines.delete(gone))
  const [left = ''] = cluster.group.members.keys()
  const both = { InstanceIds: [left, gone] }
  t.throws(() => cluster.aws.call('ec2', 'DescribeInstances', both), {
    code: 'InvalidInstanceID.NotFound',
  })
  cluster.call('SetDesiredCapacity', { AutoScalingGroupName: 'clients', DesiredCapacity: 2 })
  await cluster.pass(MINUTE)
  const dead = cluster.nomad.nodeOf(gone)
  t.equal(dead?.Status, 'down', 'its node is still there')
  cluster.nomad.purgeNode = keeping
  await cluster.until('it is purged', () => cluster.nomad.nodeOf(gone) === undefined, 2 * MINUTE)
  const failed = ['AWS could not be asked', 'a part of the fleet could not be read']
  t.same(
    cluster.lines.filter(({ message }) => failed.includes(message)),
    [],
    'and every question was answered',
  )
})

t.test('F69: launches that fail are told, waited out, and go where there is room', async (t) => {
  const codes = { InsufficientInstanceCapacity: 'capacity', VcpuLimitExceeded: 'quota' }
  for (const [code, kind] of Object.entries(codes)) {
    const cluster = await withCluster(t, { bootMs: 20 * SECOND })
    cluster.aws.disturb({ do: 'fail-launches', code })
    cluster.start()
    cluster.queue.add(2, MINUTE)
    await cluster.pass(40 * SECOND)
    cluster.queue.add(6, MINUTE)
    await cluster.pass(20 * SECOND)
    t.match(notes(cluster), `launches fail (${kind}): `)
    t.match(notes(cluster), /asking again at /)
    t.same(sizes(cluster), [1], 'not asked for more meanwhile')
    cluster.aws.disturb({ do: 'mend-launches' })
    await cluster.until('all have run', () => cluster.queue.done === 8, 30 * MINUTE)
  }
  const cluster = await withCluster(t, { bootMs: 20 * SECOND, group: { zones: ['a', 'b'] } })
  cluster.aws.disturb({ do: 'fail-launches', zone: 'a' })
  cluster.start()
  cluster.queue.add(4, MINUTE)
  await cluster.until('all have run', () => cluster.queue.done === 4, 10 * MINUTE)
  t.same(new Set([...cluster.aws.world.machines.values()].map(({ zone }) => zone)), new Set(['b']))
})

t.test('F81: words of activities that change do not change what is done', async (t) => {
  const run = async (isReworded: boolean) => {
    const cluster = await withCluster(t, {
      policy: { idleOffMs: 30 * SECOND },
      bootMs: 20 * SECOND,
      async intercept(call, next) {
        const answer = await next()
        if (call.action !== 'DescribeScalingActivities' || !isReworded) return answer
        const said = answer['Activities'] as object[]
        const words = { Description: 'Something', Cause: 'Otherwise', StatusMessage: 'New words' }
        return { ...answer, Activities: said.map((each) => ({ ...each, ...words })) }
      },
    })
    cluster.aws.disturb({ do: 'fail-launches', times: 1 })
    cluster.start()
    cluster.queue.add(6, MINUTE)
    await cluster.until('all have run', () => cluster.queue.done === 6, 10 * MINUTE)
    await untilGone(cluster, 10 * MINUTE)
    t.ok(count(cluster, 'DescribeScalingActivities') > 0)
    return sizes(cluster)
  }
  t.same(await run(true), await run(false))
})
