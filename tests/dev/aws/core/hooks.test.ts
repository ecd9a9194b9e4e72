/** Lifecycle hooks hold an instance until they are completed, abandoned or out of time. */
import t, { type Test } from 'tap'
import { HOUR, LAUNCHING, MINUTE, SECOND, aServingGroup, putHook, refusalOf } from '../support.ts'

const WAIT = 'Terminating:Wait'

t.test('an instance waits for the hook, goes on when it is completed, and is gone', async (t) => {
  const region = await aServingGroup(t)
  const [id = ''] = region.ids
  region.terminate(id)
  t.equal(region.stateOf(id), 'Terminating')
  await region.clock.tick(SECOND)
  t.equal(region.stateOf(id), WAIT)
  t.equal(region.machineState(id), 'running')
  t.match(region.activities()[0], { StatusCode: 'MidLifecycleAction', Progress: 50 })
  region.complete(id)
  t.equal(region.stateOf(id), 'Terminating:Proceed')
  t.equal(region.machineState(id), 'shutting-down')
  await region.clock.tick(SECOND)
  t.equal(region.stateOf(id), undefined)
  t.equal(region.machineState(id), 'terminated')
  t.match(region.activities()[0], { StatusCode: 'Successful', Progress: 100 })
  t.same(region.states(), ['InService'])
})

t.test('without a heartbeat the default result comes after the timeout', async (t) => {
  const region = await aServingGroup(t)
  const [id = ''] = region.ids
  region.terminate(id)
  await region.clock.tick(30 * SECOND)
  t.equal(region.stateOf(id), WAIT)
  await region.clock.tick(SECOND)
  t.equal(region.stateOf(id), 'Terminating:Proceed')
  t.match(
    region.events.find(({ type }) => type === 'action-closed'),
    { result: 'CONTINUE', by: 'timeout' },
  )
  const late = refusalOf(() => region.beat(id))
  t.match(late, {
    code: 'ValidationError',
    message: `No active Lifecycle Action found with instance ID ${id}`,
  })
})

t.test('a heartbeat moves the deadline by a whole timeout from now', async (t) => {
  const region = await aServingGroup(t)
  const [id = ''] = region.ids
  region.terminate(id)
  await region.clock.tick(25 * SECOND)
  region.beat(id)
  await region.clock.tick(29 * SECOND)
  t.equal(region.stateOf(id), WAIT)
  await region.clock.tick(2 * SECOND)
  t.not(region.stateOf(id), WAIT)
})

t.test('a hundred timeouts are the cap, however many heartbeats come', async (t) => {
  const region = await aServingGroup(t)
  const [id = ''] = region.ids
  region.terminate(id)
  await region.clock.tick(SECOND)
  let beats = 0
  while (region.stateOf(id) === WAIT && beats < 1000) {
    region.beat(id)
    beats++
    await region.clock.tick(10 * SECOND)
  }
  const closed = region.events.find(({ type }) => type === 'action-closed')
  const opened = region.events.find(({ type }) => type === 'action-opened')
  t.match(closed, { by: 'cap', result: 'CONTINUE' })
  t.equal((closed?.at ?? 0) - (opened?.at ?? 0), 100 * 30 * SECOND)
})

t.test('two days are the cap of a long timeout', async (t) => {
  const region = await aServingGroup(t, { hook: { HeartbeatTimeout: 7200 } })
  const [id = ''] = region.ids
  region.terminate(id)
  await region.clock.tick(SECOND)
  for (let hours = 0; hours < 47; hours++) {
    region.beat(id)
    await region.clock.tick(HOUR)
  }
  t.equal(region.stateOf(id), WAIT)
  region.beat(id)
  await region.clock.tick(HOUR)
  t.not(region.stateOf(id), WAIT)
  t.match(
    region.events.find(({ type }) => type === 'action-closed'),
    { by: 'cap' },
  )
})

t.test('the global timeout is told: a hundred timeouts, two days at most', async (t) => {
  const region = await aServingGroup(t)
  const capOf = (HeartbeatTimeout: number) => {
    putHook(region, { HeartbeatTimeout })
    const described = region.call('DescribeLifecycleHooks', { AutoScalingGroupName: 'clients' })
    return (described['LifecycleHooks'] as { GlobalTimeout: number }[])[0]?.GlobalTimeout
  }
  t.equal(capOf(30), 3000)
  t.equal(capOf(300), 30_000)
  t.equal(capOf(1728), 172_800)
  t.equal(capOf(7200), 172_800)
})

t.test(
  'a timeout that is changed while an instance waits counts from the next heartbeat',
  async (t) => {
    const region = await aServingGroup(t, { hook: { HeartbeatTimeout: 3600 } })
    const [id = ''] = region.ids
    region.terminate(id)
    await region.clock.tick(MINUTE)
    putHook(region, { HeartbeatTimeout: 60 })
    await region.clock.tick(10 * MINUTE)
    t.equal(region.stateOf(id), WAIT)
    region.beat(id)
    await region.clock.tick(61 * SECOND)
    t.not(region.stateOf(id), WAIT)
  },
)

t.test('with two hooks both must be completed, and an abandoned one ends the wait', async (t) => {
  const region = await aServingGroup(t)
  putHook(region, { LifecycleHookName: 'upload' })
  const [first = '', second = ''] = region.ids
  region.terminate(first)
  region.terminate(second)
  await region.clock.tick(SECOND)
  region.complete(first, 'CONTINUE', 'upload')
  t.equal(region.stateOf(first), WAIT)
  region.complete(first)
  t.equal(region.stateOf(first), 'Terminating:Proceed')
  region.complete(second, 'ABANDON', 'upload')
  t.equal(region.stateOf(second), 'Terminating:Proceed')
})

t.test('a token finds the action, and only of the hook that it belongs to', async (t) => {
  const region = await aServingGroup(t)
  const [id = ''] = region.ids
  region.terminate(id)
  await region.clock.tick(SECOND)
  const opened = region.events.find(({ type }) => type === 'action-opened')
  const token = opened?.type === 'action-opened' ? opened.token : ''
  t.equal(token.length, 36)
  const beat = (fields: object) =>
    region.call('RecordLifecycleActionHeartbeat', {
      AutoScalingGroupName: 'clients',
      LifecycleHookName: 'drain',
      LifecycleActionToken: token,
      ...fields,
    })
  t.same(beat({}), {})
  const foreign = '00000000-0000-4000-8000-000000000000'
  t.match(
    refusalOf(() => beat({ LifecycleActionToken: foreign })),
    {
      code: 'ValidationError',
      message: `No active Lifecycle Action found with token ${foreign}`,
    },
  )
  t.match(
    refusalOf(() => beat({ LifecycleHookName: 'other' })),
    { code: 'ValidationError' },
  )
})

t.test('deleting a hook lets a terminating instance go', async (t) => {
  const region = await aServingGroup(t)
  const [id = ''] = region.ids
  region.terminate(id)
  await region.clock.tick(SECOND)
  region.call('DeleteLifecycleHook', {
    AutoScalingGroupName: 'clients',
    LifecycleHookName: 'drain',
  })
  t.equal(region.stateOf(id), 'Terminating:Proceed')
  t.match(
    region.events.find(({ type }) => type === 'action-closed'),
    { by: 'hook deleted', result: 'CONTINUE' },
  )
})

t.test('a launch hook holds a new instance, and serving begins with its completion', async (t) => {
  const region = await aHeldLaunch(t)
  t.same(region.states(), ['Pending:Wait'])
  const id = region.instances()[0]?.InstanceId ?? ''
  region.complete(id, 'CONTINUE', 'ready')
  t.same(region.states(), ['Pending:Proceed'])
  await region.clock.tick(SECOND)
  t.same(region.states(), ['InService'])
})

t.test('an instance whose launch hook runs out is ended and replaced', async (t) => {
  const region = await aHeldLaunch(t)
  const id = region.instances()[0]?.InstanceId ?? ''
  await region.clock.tick(32 * SECOND)
  t.equal(region.stateOf(id), undefined)
  const [other] = region.instances()
  t.not(other?.InstanceId, id)
  const failed = region.activities().find(({ StatusCode }) => StatusCode === 'Cancelled')
  t.match(failed?.StatusMessage, /was abandoned: Heartbeat Timeout/)
})

t.test(
  'a group that retains keeps the instance of an abandoned hook, and fills its place',
  async (t) => {
    const region = await aServingGroup(t, {
      group: { InstanceLifecyclePolicy: { RetentionTriggers: { TerminateHookAbandon: 'retain' } } },
    })
    const [id = ''] = region.ids
    region.terminate(id, false)
    await region.clock.tick(SECOND)
    region.complete(id, 'ABANDON')
    await region.clock.tick(10 * MINUTE)
    t.equal(region.stateOf(id), 'Terminating:Retained')
    t.equal(region.machineState(id), 'running')
    t.equal(region.states().filter((state) => state === 'InService').length, 2)
    region.terminate(id)
    await region.clock.tick(2 * SECOND)
    t.equal(region.machineState(id), 'terminated')
    t.equal(region.stateOf(id), undefined)
  },
)

/** One instance that a launch hook named `ready` holds. */
async function aHeldLaunch(t: Test) {
  const region = await aServingGroup(t, { group: { DesiredCapacity: 0 }, hook: null })
  putHook(region, {
    LifecycleHookName: 'ready',
    LifecycleTransition: LAUNCHING,
    DefaultResult: 'ABANDON',
  })
  region.call('SetDesiredCapacity', { AutoScalingGroupName: 'clients', DesiredCapacity: 1 })
  await region.clock.tick(2 * SECOND)
  return region
}
