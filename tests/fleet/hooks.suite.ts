/** Hooks that wait for us: beats, drains, completion, and what disturbs them. On a virtual clock. */
import t from 'tap'
import { Refusal, type AwsIntercept } from '../../src/dev/aws/index.ts'
import {
  busyCluster,
  closings,
  completeByHand,
  endByHand,
  MINUTE,
  running,
} from './support/situations.ts'
import { aCluster, type Cluster } from './support/cluster.ts'

t.test('F1, F15: a drain that outlasts the hook by far, of which no event ever came', async (t) => {
  const cluster = await busyCluster(t, 2, 12 * MINUTE, { hook: { timeoutS: 30 } })
  const instance = endByHand(cluster)
  await cluster.pass(10 * MINUTE)
  t.same(cluster.members('Terminating:Wait'), [instance], 'it is held')
  await cluster.until('it is completed', () => closings(cluster).length > 0)
  t.same(closings(cluster), ['complete'])
  t.same(cluster.violations, [])
})

t.test('F3: a timeout that is shortened during a drain counts from the next beat on', async (t) => {
  const cluster = await busyCluster(t, 2, 8 * MINUTE, { hook: { timeoutS: 3600 } })
  endByHand(cluster)
  await cluster.pass(MINUTE)
  cluster.putHook(60)
  await cluster.until('it is over', () => closings(cluster).length > 0)
  t.same(closings(cluster), ['complete'])
})

t.test('F4: with a hook of 30 s the cap comes after 50 minutes, and is told before', async (t) => {
  const cluster = await busyCluster(t, 2, 90 * MINUTE, { hook: { timeoutS: 30 } })
  const instance = endByHand(cluster)
  await cluster.until('the cap has passed', () => closings(cluster).length > 0)
  t.same(closings(cluster), ['cap'])
  t.same(cluster.violations, [], 'it was told')
  const told = (text: RegExp) =>
    cluster.lines.filter(({ level, message }) => level === 'error' && text.test(message)).length
  t.equal(told(new RegExp(`Auto Scaling ends ${instance} in 2m`)), 1, 'once')
  t.equal(told(/a slice on .* will probably run/), 1, 'and long before, by what is predicted')
  const ticks = cluster.store.readTicks({ about: instance, limit: 1000 })
  t.ok(
    ticks.some(({ why }) =>
      why.some(({ actions }) => actions.some(({ kind }) => kind === 'report')),
    ),
  )
})

t.test(
  'F6: a hook that is not open any more is neither beaten for nor asked about for ever',
  async (t) => {
    const cluster = await busyCluster(t, 2, 40 * MINUTE)
    const instance = endByHand(cluster)
    await cluster.pass(10_000)
    completeByHand(cluster, instance)
    cluster.violations.length = 0
    await cluster.pass(5000)
    const beats = () =>
      cluster.calls.filter((call) => call === 'RecordLifecycleActionHeartbeat').length
    const before = beats()
    await cluster.pass(30 * MINUTE)
    t.equal(beats(), before)
    t.same(cluster.violations, [])
  },
)

/** Each of these calls fails so often. */
function failing(rules: Record<string, { times: number; code: string }>): AwsIntercept {
  return (call, next) => {
    const rule = rules[call.action]
    if (rule === undefined || rule.times <= 0) return next()
    rule.times -= 1
    throw new Refusal(rule.code, 'by order of the test')
  }
}

t.test('F7: heartbeats that are throttled are repeated within the timeout', async (t) => {
  const rules = { RecordLifecycleActionHeartbeat: { times: 0, code: 'Throttling' } }
  const cluster = await busyCluster(t, 2, 7 * MINUTE, {
    hook: { timeoutS: 30 },
    intercept: failing(rules),
  })
  endByHand(cluster)
  for (let round = 0; round < 5; round++) {
    rules.RecordLifecycleActionHeartbeat.times = 3
    await cluster.pass(MINUTE)
  }
  await cluster.until('it is over', () => closings(cluster).length > 0)
  t.same(closings(cluster), ['complete'])
})

t.test('F8: a completion that fails is repeated, and the beats go on meanwhile', async (t) => {
  const rules = { CompleteLifecycleAction: { times: 60, code: 'ResourceContention' } }
  const cluster = await busyCluster(t, 2, 5 * MINUTE, {
    hook: { timeoutS: 30 },
    intercept: failing(rules),
  })
  endByHand(cluster)
  await cluster.until('it is over', () => closings(cluster).length > 0)
  t.same(closings(cluster), ['complete'])
  t.equal(rules.CompleteLifecycleAction.times, 0)
})

t.test('F9: a completion whose answer is lost is found to be done', async (t) => {
  let isLost = false
  const cluster = await busyCluster(t, 2, 5 * MINUTE, {
    async intercept(call, next) {
      const answer = await next()
      if (call.action !== 'CompleteLifecycleAction' || isLost) return answer
      isLost = true
      return 'cut'
    },
  })
  const instance = endByHand(cluster)
  await cluster.until('it is gone', () => !cluster.group.members.has(instance))
  await cluster.pass(MINUTE)
  t.ok(isLost)
  t.same(closings(cluster), ['complete'])
})

t.test('F10: of two hooks only ours is completed', async (t) => {
  const cluster = await busyCluster(t, 2, 2 * MINUTE, { hook: null })
  cluster.putHook(300, 'caravan')
  cluster.putHook(600, 'backup')
  const instance = endByHand(cluster)
  await cluster.pass(8 * MINUTE)
  t.same(cluster.members('Terminating:Wait'), [instance], 'the other one still holds it')
  t.match(closings(cluster), ['complete'])
  const warned = cluster.lines.filter(({ message }) => message === 'a hook is not open any more')
  t.same(warned, [], 'ours is over by our hand')
  cluster.call('CompleteLifecycleAction', {
    AutoScalingGroupName: 'clients',
    LifecycleHookName: 'backup',
    InstanceId: instance,
    LifecycleActionResult: 'CONTINUE',
  })
  await cluster.pass(10_000)
  t.notOk(cluster.group.members.has(instance))
})

t.test('F24: what fails at one reading, or at one call, is neither lost nor over', async (t) => {
  const cluster = await busyCluster(t, 2, 3 * MINUTE)
  let failures = 0
  cluster.nomad.before = (call) => {
    if (call !== 'drainNode' && call !== 'listNodes') return
    failures += 1
    if (failures % 3 === 0) throw new Error('504')
  }
  endByHand(cluster)
  endByHand(cluster)
  await cluster.until('both are gone', () => closings(cluster).length === 2)
  t.same(closings(cluster), ['complete', 'complete'])
  t.ok(failures > 4)
  t.same(cluster.violations, [])
})

t.test('F61: a machine that EC2 ends at once is replaced, and holds nothing up', async (t) => {
  const cluster = await busyCluster(t, 2, 10 * MINUTE)
  const [instance = ''] = cluster.members('InService')
  cluster.aws.call('ec2', 'TerminateInstances', { InstanceIds: [instance] })
  await cluster.until('all slices have run', () => cluster.queue.done === 4)
  t.notOk(cluster.group.members.has(instance))
  t.same(cluster.violations, [])
})

t.test('F91: a hundred hooks at once are all beaten for within a second', async (t) => {
  const cluster = await aCluster({
    group: { min: 0, max: 100, desired: 100 },
    hook: { timeoutS: 30 },
  })
  t.teardown(() => cluster.close())
  cluster.start()
  await cluster.until('all are there', () => cluster.members('InService').length === 100)
  cluster.queue.add(200, 2 * MINUTE)
  await cluster.until('all run', () => running(cluster) === 200)
  for (let at = 0; at < 100; at++) endByHand(cluster)
  await cluster.until('all wait', () => cluster.members('Terminating:Wait').length === 100)
  await cluster.until('the first is beaten for', () => beaten(cluster).size > 0)
  await cluster.pass(1000)
  t.equal(beaten(cluster).size, 100)
  await cluster.until('all are gone', () => closings(cluster).length === 100)
  t.strictSame([...new Set(closings(cluster))], ['complete'])
})

function beaten({ events }: Cluster): Set<string> {
  return new Set(events.flatMap((event) => (event.type === 'heartbeat' ? [event.instance] : [])))
}
