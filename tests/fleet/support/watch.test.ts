/** What watches over a cluster: it must see every way in which we can do harm, and blame nobody else. */
import t from 'tap'
import { TestClock } from '../../../src/platform/index.ts'
import { FakeNomad } from './nomad.ts'
import { Watch, type Line } from './watch.ts'

const INSTANCE = 'i-0123456789abcdef0'
const GROUP = 'clients'
const COMMON = { at: 0, group: GROUP, instance: INSTANCE } as const

function aWatch({ slices = 1 } = {}) {
  const clock = new TestClock()
  const nomad = new FakeNomad(clock)
  const lines: Line[] = []
  const node = nomad.add({ instanceId: INSTANCE })
  for (let at = 0; at < slices; at++) nomad.run(node, `slice-${at}`)
  const watch = new Watch({
    clock,
    nomad,
    lines,
    boundsOf: () => ({ min: 2, max: 5 }),
    isOurHook: (hook) => hook === 'drain',
    retains: () => false,
  })
  const as = (actor: string | null, run: () => void) => {
    watch.actor = actor
    run()
    watch.actor = null
    return watch.violations.splice(0)
  }
  return { clock, watch, nomad, node, lines, as }
}

const closed = (by: 'complete' | 'timeout' | 'cap' | 'hook deleted', hook = 'drain') =>
  ({ ...COMMON, type: 'action-closed', hook, result: 'CONTINUE', by }) as const
const resized = (from: number, to: number) =>
  ({ at: 0, type: 'desired', group: GROUP, from, to }) as const

t.test('a hook that is completed while a slice runs is a violation, if it was us', async (t) => {
  const { watch, nomad, node, as } = aWatch()
  const complete = () => watch.onEvent(closed('complete'))
  t.match(as('one', complete), [/one completed the hook of .* while 1 slices ran/])
  t.same(as(null, complete), [], 'somebody else')
  t.same(
    as('one', () => watch.onEvent(closed('complete', 'of-others'))),
    [],
  )
  nomad.disconnect(node.ID)
  t.match(as('one', complete), [/while 1 slices ran/], 'what runs unseen runs as well')
  nomad.lose(node.ID)
  t.same(as('one', complete), [], 'it was lost before')
})

t.test('what a person has brought onto a leaving machine is theirs, for a while', async (t) => {
  const { watch, clock, as } = aWatch()
  watch.excuse(INSTANCE, 1000)
  const complete = () => watch.onEvent(closed('complete'))
  t.same(as('one', complete), [])
  await clock.tick(1000)
  t.match(as('one', complete), [/while 1 slices ran/])
})

t.test('so is a call that ends a machine in use', async (t) => {
  const { watch, as } = aWatch({ slices: 2 })
  const calls = [
    { action: 'TerminateInstanceInAutoScalingGroup', input: { InstanceId: INSTANCE } },
    { action: 'TerminateInstances', input: { InstanceIds: [INSTANCE] } },
  ]
  for (const call of calls) {
    const violations = as('one', () => watch.onCall('one', { service: 'ec2', ...call }))
    t.match(violations, [/one calls for the end of .* and its 2 slices/])
  }
})

t.test('a hook must not lapse, and its cap must be told before', async (t) => {
  const { watch, lines, as } = aWatch({ slices: 0 })
  t.match(
    as(null, () => watch.onEvent(closed('timeout'))),
    [/lapsed/],
  )
  t.same(
    as(null, () => watch.onEvent(closed('hook deleted'))),
    [],
  )
  const cap = () => watch.onEvent(closed('cap'))
  t.match(as(null, cap), [/nobody was told of the cap/])
  const message = `Auto Scaling ends ${INSTANCE} in 2m, whatever runs`
  lines.push({ at: 0, level: 'error', message, fields: {} })
  t.same(as(null, cap), [])
})

t.test('nobody can beat for what AWS does not show, or does not take', async (t) => {
  const look = { service: 'autoscaling', action: 'DescribeAutoScalingGroups', input: {} } as const
  const input = { InstanceId: INSTANCE, LifecycleHookName: 'drain' }
  const beat = { ...look, action: 'RecordLifecycleActionHeartbeat', input }
  const list = (LifecycleState: string) => {
    return { AutoScalingGroups: [{ Instances: [{ InstanceId: INSTANCE, LifecycleState }] }] }
  }
  const lapse = async ({ everyMs = 15_000, beats = false, shows = '' } = {}) => {
    const { watch, clock, as } = aWatch({ slices: 0 })
    const transition = 'autoscaling:EC2_INSTANCE_TERMINATING' as const
    const times = { token: 't', deadlineAt: 0, capAt: 0, transition }
    watch.onEvent({ ...COMMON, type: 'action-opened', hook: 'drain', ...times })
    for (let ms = 0; ms < 60_000; ms += everyMs) {
      await clock.tick(everyMs)
      watch.onCall('one', look)
      if (shows !== '' && ms === 0) watch.onAnswer(look, list(shows))
      if (beats) watch.onCall('one', beat)
    }
    return as(null, () => watch.onEvent(closed('timeout')))
  }
  t.same(await lapse(), [])
  t.same(await lapse({ shows: 'InService' }), [], 'a list that lags shows nothing')
  t.match(await lapse({ everyMs: 30_000 }), [/lapsed/], 'it was asked twice only')
  const shows = 'Terminating:Wait'
  t.match(await lapse({ shows }), [/lapsed/], 'it was known, and nobody beat')
  t.same(await lapse({ shows, beats: true }), [], 'all heartbeats were refused')
  t.match(await lapse({ shows, beats: true, everyMs: 30_000 }), [/lapsed/], 'there were two')
})

t.test('sizes are kept within the bounds by us, whatever others do', async (t) => {
  const { watch, as } = aWatch()
  const resize = (from: number, to: number) => () => watch.onEvent(resized(from, to))
  t.match(as('one', resize(2, 1)), [/from 2 to 1, outside 2..5/])
  t.match(as('one', resize(5, 6)), [/from 5 to 6, outside 2..5/])
  t.same(as('one', resize(9, 8)), [], 'others made it too large')
  t.same(as('one', resize(0, 1)), [], 'or too small')
  t.same(as(null, resize(2, 0)), [])
})

t.test('nobody can know of a size that was changed since it was told', async (t) => {
  const { watch, as } = aWatch()
  const look = { service: 'autoscaling', action: 'DescribeAutoScalingGroups', input: {} } as const
  const tell = (DesiredCapacity: number) =>
    watch.onAnswer(look, {
      AutoScalingGroups: [{ AutoScalingGroupName: GROUP, DesiredCapacity, Instances: [] }],
    })
  const resize = (from: number, to: number) => () => watch.onEvent(resized(from, to))
  tell(3)
  t.same(as('one', resize(2, 1)), [], 'it was 3')
  t.match(as('one', resize(2, 1)), [/from 2 to 1/], 'its own change it knows')
  tell(3)
  t.same(as('one', resize(3, 2)), [])
  t.match(as('one', resize(2, 1)), [/from 2 to 1/])
  tell(2)
  t.match(as('one', resize(2, 1)), [/from 2 to 1/])
})
