import t from 'tap'
import { keepBeating } from '../../../src/fleet/lifecycle/beats.ts'
import {
  beatEveryMs,
  chooseHook,
  chooseLaunchHook,
  mayHaveAction,
} from '../../../src/fleet/lifecycle/hooks.ts'
import { spotStopMs, wishOf } from '../../../src/fleet/lifecycle/wish.ts'
import { TestClock } from '../../../src/platform/index.ts'
import { aHook, INSTANCE, ScriptedGroup, throttled } from '../support/scripted-aws.ts'

function start(hook?: string) {
  const clock = new TestClock()
  const group = new ScriptedGroup(() => clock.monotonic())
  const abort = new AbortController()
  const news: string[] = []
  const begin = () =>
    keepBeating(
      { aws: group, clock, random: () => 1 },
      { instanceId: INSTANCE, hook, sinceMs: clock.now() },
      {
        signal: abort.signal,
        news: {
          beat: () => undefined,
          cap: (name, share, capMs) => void news.push(`${name} ${share} ${capMs}`),
          over: (lifecycle) => void news.push(`over ${lifecycle}`),
          trouble: (cause) => void news.push(String(cause)),
        },
      },
    )
  return { clock, group, abort, news, begin }
}

t.test('F1: the first beat comes at once, the others within a third of the time', async (t) => {
  const { clock, group, abort, begin } = start()
  const beating = begin()
  await clock.tick(0)
  t.strictSame(group.beats, [0])
  await clock.tick(600_000)
  const gaps = group.beats.slice(1).map((at, index) => at - (group.beats[index] ?? 0))
  t.ok(gaps.length >= 59, `${gaps.length} beats in ten minutes`)
  t.ok(
    gaps.every((gap) => gap <= 10_000),
    Math.max(...gaps).toString(),
  )
  abort.abort()
  await clock.tick(0)
  await beating
})

t.test('F3: a time that somebody makes shorter is kept from the next beat on', async (t) => {
  const { clock, group, abort, begin } = start()
  group.hooks = [aHook({ timeoutMs: 90_000 })]
  const beating = begin()
  await clock.tick(1000)
  group.hooks = [aHook({ timeoutMs: 6000 })]
  await clock.tick(30_000)
  const before = group.beats.length
  await clock.tick(20_000)
  t.ok(group.beats.length - before >= 9, `${group.beats.length - before} beats in 20 s`)
  abort.abort()
  await clock.tick(0)
  await beating
})

t.test('F7: a throttled call is tried again, well before the time is over', async (t) => {
  const { clock, group, abort, begin, news } = start()
  group.faults = {
    heartbeat: [throttled(), throttled(), throttled()],
    readMembers: [throttled()],
    readHooks: [throttled()],
  }
  const beating = begin()
  await clock.tick(30_000)
  t.ok((group.beats[0] ?? Infinity) < 20_000, `first beat after ${group.beats[0]} ms`)
  t.equal(news.length, 5)
  group.faults = { readHooks: [throttled()] }
  const before = group.beats.length
  await clock.tick(10_000)
  t.ok(group.beats.length > before, 'a hook that can not be read has a name all the same')
  abort.abort()
  await clock.tick(0)
  await beating
})

t.test('F7: a timeout that can not be read may have become the shortest there is', async (t) => {
  const { clock, group, abort, begin } = start()
  group.hooks = [aHook({ timeoutMs: 300_000 })]
  group.faults = { readHooks: [] }
  const beating = begin()
  await clock.tick(1000)
  group.faults = { readHooks: Array.from({ length: 3 }, throttled) }
  await clock.tick(300_000)
  const gaps = group.beats.slice(1).map((ms, at) => ms - (group.beats[at] ?? 0))
  t.same(
    gaps.map((ms) => ms <= 10_000),
    [false, true, true, true, false],
    gaps.join(' '),
  )
  abort.abort()
  await clock.tick(0)
  await beating
})

t.test('F6: when nothing waits any more it ends, and asks no further', async (t) => {
  const { clock, group, begin, news } = start()
  const beating = begin()
  await clock.tick(15_000)
  group.lifecycle = 'Terminating:Proceed'
  await clock.tick(60_000)
  await beating
  t.strictSame(news, ['over Terminating:Proceed'])
  const calls = group.calls.length
  await clock.tick(600_000)
  t.equal(group.calls.length, calls)
})

t.test('an instance that is told before its hook begins waits for it', async (t) => {
  const { clock, group, abort, begin } = start()
  group.lifecycle = 'InService'
  const beating = begin()
  await clock.tick(20_000)
  t.equal(group.beats.length, 0)
  group.lifecycle = 'Terminating:Wait'
  await clock.tick(15_000)
  t.ok(group.beats.length > 0)
  abort.abort()
  await clock.tick(0)
  await beating
})

t.test('one answer without the instance is no proof, three are', async (t) => {
  const { clock, group, abort, begin } = start()
  group.lifecycle = null
  const beating = begin()
  await clock.tick(600)
  group.lifecycle = 'Terminating:Wait'
  await clock.tick(10_000)
  t.ok(group.beats.length > 0)
  group.lifecycle = null
  await clock.tick(120_000)
  await beating
  abort.abort()
})

t.test('F4: what heartbeats can give is told before it is over', async (t) => {
  const { clock, group, abort, begin, news } = start()
  const beating = begin()
  // 100 times 30 s.
  await clock.tick(2_300_000)
  t.strictSame(news, [])
  await clock.tick(650_000)
  t.match(news, [/^caravan-drain 0.8 \d+$/, /^caravan-drain 0.95 \d+$/])
  t.equal(group.hooks[0]?.capMs, 3_000_000)
  abort.abort()
  await clock.tick(0)
  await beating
})

t.test('F10: of several hooks ours is beaten for, or none', (t) => {
  const [ours, theirs, start] = [
    aHook(),
    aHook({ name: 'logs' }),
    aHook({ name: 'boot', transition: 'launching' }),
  ]
  t.match(chooseHook([theirs, ours, start], undefined), {
    kind: 'one',
    hook: { name: 'caravan-drain' },
  })
  t.match(chooseHook([theirs], undefined), { kind: 'one', hook: { name: 'logs' } })
  t.match(chooseHook([theirs, ours], 'logs'), { kind: 'one', hook: { name: 'logs' } })
  t.same(chooseHook([theirs, { ...theirs, name: 'x' }], undefined), {
    kind: 'several',
    names: ['logs', 'x'],
  })
  t.same(chooseHook([start], undefined), { kind: 'none' })
  t.same(chooseHook([ours], 'other'), { kind: 'none' })
  const alike = aHook({ name: 'not-caravan' })
  t.match(chooseHook([alike, theirs], undefined), { kind: 'several' }, 'it has to begin so')
  t.same(chooseLaunchHook([ours, start]), { kind: 'none' }, 'the only one may be theirs')
  const own = aHook({ name: 'caravan-launch', transition: 'launching' })
  t.match(chooseLaunchHook([start, own, ours]), { kind: 'one', hook: { name: 'caravan-launch' } })
  t.equal(beatEveryMs({ timeoutMs: 300_000 }), 100_000)
  t.end()
})

t.test('F74: each state of a group says whether to stay, to rest or to leave', (t) => {
  for (const state of [null, 'InService', 'Detached', 'SomethingNew']) {
    t.equal(wishOf(state, null), 'stay', String(state))
  }
  for (const state of ['Standby', 'Warmed:Stopped', 'Warmed:Hibernated', 'Warmed:Running']) {
    t.equal(wishOf(state, null), 'rest', state)
  }
  for (const state of ['Terminated', 'Warmed:Terminated'])
    t.equal(wishOf(state, null), 'leave', state)
  const notice = { action: 'terminate' as const, atMs: 1_000_120_000 }
  t.equal(wishOf('InService', notice), 'leave')
  t.equal(spotStopMs(notice, 1_000_000_000), 100_000, 'a hundred seconds after the notice')
  t.equal(spotStopMs(notice, 1_000_119_000), 0)
  t.equal(spotStopMs(notice, 0), 100_000, 'a clock that is off makes no hours of it')
  t.equal(spotStopMs(null, 0), null)
  for (const state of ['Terminating', 'Terminating:Wait', 'InService', 'Warmed:Terminating:Wait']) {
    t.ok(mayHaveAction(state), state)
  }
  for (const state of ['Terminating:Proceed', 'Terminated', 'Terminating:Retained', 'Detached']) {
    t.notOk(mayHaveAction(state), state)
  }
  for (const state of ['Pending', 'Pending:Wait']) t.ok(mayHaveAction(state, 'launching'), state)
  for (const state of ['Pending:Proceed', 'InService', 'Terminating:Wait']) {
    t.notOk(mayHaveAction(state, 'launching'), state)
  }
  t.end()
})
