/** Heartbeats on timers of their own. */
import t, { type Test } from 'tap'
import { createHeartbeats, type HeartbeatDeps } from '../../src/fleet/heartbeats.ts'
import type { OpenHook } from '../../src/fleet/plan/draft.ts'
import { createLog, silentLog, TestClock, type Log } from '../../src/platform/index.ts'
import { HOOK } from './support/views.ts'

const hook = (instanceId: string, timeoutMs = 30_000): OpenHook => ({
  group: 'clients',
  hook: HOOK.name,
  transition: 'terminating',
  instanceId,
  timeoutMs,
  capAtMs: 0,
})

function wheel(
  t: Test,
  over: { timeoutMs?: number; answer?: () => Promise<'done' | 'no_action'>; log?: Log } = {},
) {
  const clock = new TestClock()
  const beats: { instanceId: string; atMs: number }[] = []
  const state = { timeoutMs: over.timeoutMs ?? 30_000, gone: 0, isDeaf: false }
  const deps: HeartbeatDeps = {
    awsOf: () => ({
      async heartbeat({ instanceId }) {
        beats.push({ instanceId, atMs: clock.monotonic() })
        return over.answer === undefined ? 'done' : over.answer()
      },
      async readHooks() {
        if (state.isDeaf) throw new Error('Throttling')
        return [{ ...HOOK, timeoutMs: state.timeoutMs }]
      },
    }),
    clock,
    random: { number: () => 0.5 },
    log: over.log ?? silentLog,
    onGone: () => void (state.gone += 1),
  }
  const heartbeats = createHeartbeats(deps)
  t.teardown(() => heartbeats.stop())
  return { clock, beats, heartbeats, state }
}

t.test('F1: the first beat is at once, the next after a third of the timeout', async (t) => {
  const { clock, beats, heartbeats } = wheel(t)
  heartbeats.set('linux', [hook('i-1')])
  await clock.tick(0)
  t.equal(beats.length, 1)
  await clock.tick(30_000)
  t.equal(beats.length, 4)
  const gaps = beats.slice(1).map(({ atMs }, at) => atMs - (beats[at]?.atMs ?? 0))
  t.ok(gaps.every((gap) => gap <= 10_000 && gap >= 8500))
})

t.test(
  'F2: nobody sets how often: a third of the timeout is the most, whatever it is',
  async (t) => {
    for (const timeoutMs of [30_000, 31_000, 300_000, 7_200_000]) {
      const { clock, beats, heartbeats } = wheel(t, { timeoutMs })
      heartbeats.set('linux', [hook('i-1', timeoutMs)])
      await clock.tick(3 * timeoutMs)
      const gaps = beats.slice(1).map(({ atMs }, at) => atMs - (beats[at]?.atMs ?? 0))
      t.ok(gaps.length >= 9 && Math.max(...gaps) <= timeoutMs / 3, `${timeoutMs} ms`)
    }
  },
)

t.test('F2, F3: a timeout that was changed counts from the next beat on', async (t) => {
  const { clock, beats, heartbeats, state } = wheel(t, { timeoutMs: 3600_000 })
  heartbeats.set('linux', [hook('i-1', 3600_000)])
  await clock.tick(1000)
  state.timeoutMs = 30_000
  await clock.tick(1200_000)
  t.ok(beats.length >= 2)
  const before = beats.length
  await clock.tick(30_000)
  t.ok(beats.length - before >= 3)
})

t.test('a timeout that was shortened just before a beat brings the next one forward', async (t) => {
  const { clock, beats, heartbeats, state } = wheel(t, { timeoutMs: 3600_000 })
  heartbeats.set('linux', [hook('i-1', 3600_000)])
  await clock.tick(20_000)
  t.equal(beats.length, 1)
  // As a look finds out, for which the beat was too early.
  state.timeoutMs = 60_000
  heartbeats.set('linux', [hook('i-1', 60_000)])
  t.match(heartbeats.list(), [{ expiresMs: 60_000 }])
  await clock.tick(60_000)
  const times = [0, ...beats.slice(1).map(({ atMs }) => atMs), clock.monotonic()]
  const gaps = times.slice(1).map((atMs, at) => atMs - (times[at] ?? 0))
  t.ok(
    gaps.every((gap) => gap <= 20_000),
    gaps.join(' '),
  )
})

t.test('F3: a look that finds a shorter timeout while a beat is under way is heard', async (t) => {
  const beat = Promise.withResolvers<'done'>()
  const { clock, beats, heartbeats } = wheel(t, {
    timeoutMs: 600_000,
    answer: () => (beats.length === 1 ? beat.promise : Promise.resolve('done')),
  })
  heartbeats.set('linux', [hook('i-1', 600_000)])
  await clock.tick(1000)
  heartbeats.set('linux', [hook('i-1', 60_000)])
  beat.resolve('done')
  await clock.tick(0)
  t.match(heartbeats.list(), [{ expiresMs: 60_000 }])
  await clock.tick(20_000)
  t.equal(beats.length, 2)
})

t.test('F3: a timeout that can not be read is taken for the shortest until it can', async (t) => {
  const { clock, beats, heartbeats, state } = wheel(t, { timeoutMs: 600_000 })
  state.isDeaf = true
  heartbeats.set('linux', [hook('i-1', 600_000)])
  await clock.tick(30_000)
  t.equal(beats.length, 4)
  state.isDeaf = false
  await clock.tick(210_000)
  t.equal(beats.length, 6, 'one soon, the next after a third of ten minutes')
})

t.test('F7: a beat that fails is repeated soon, and for as long as it takes', async (t) => {
  let failures = 6
  const { clock, beats, heartbeats } = wheel(t, {
    async answer() {
      failures -= 1
      if (failures >= 0) throw new Error('Throttling')
      return 'done'
    },
  })
  heartbeats.set('linux', [hook('i-1')])
  await clock.tick(25_000)
  t.ok(beats.length >= 7, 'accepted before the timeout')
  t.match(heartbeats.list(), [{ failures: 0 }])
})

t.test('F6: an action that is over is let be, and told', async (t) => {
  const { clock, beats, heartbeats, state } = wheel(t, { answer: async () => 'no_action' })
  heartbeats.set('linux', [hook('i-1')])
  await clock.tick(60_000)
  heartbeats.set('linux', [hook('i-1')])
  await clock.tick(60_000)
  t.equal(beats.length, 1, 'also while a list that lags still shows it')
  t.equal(state.gone, 1)
  t.same(heartbeats.list(), [])
})

t.test('a hook that we end ourselves is no news when a beat finds it over', async (t) => {
  const lines: string[] = []
  const pending = Promise.withResolvers<'no_action'>()
  let answers = 0
  const { clock, beats, heartbeats, state } = wheel(t, {
    async answer() {
      answers += 1
      return answers === 1 ? 'done' : pending.promise
    },
    log: createLog((_level, message) => void lines.push(message), 'debug'),
  })
  heartbeats.set('linux', [hook('i-1')])
  await clock.tick(10_000)
  t.equal(beats.length, 2, 'one is under way')
  heartbeats.ending('linux', hook('i-1'))
  pending.resolve('no_action')
  await clock.tick(0)
  t.same(lines, [])
  heartbeats.end('linux', hook('i-1'))
  heartbeats.set('linux', [hook('i-1')])
  await clock.tick(60_000)
  t.equal(beats.length, 2, 'a list that lags does not arm it again')
  heartbeats.set('linux', [])
  heartbeats.set('linux', [hook('i-1')])
  await clock.tick(0)
  t.match(lines, ['a hook is not open any more'], 'a later one is')
  t.equal(state.gone, 2)
})

t.test(
  'F16: told twice of the same hook, it beats once; not told of it any more, it stops',
  async (t) => {
    const { clock, beats, heartbeats } = wheel(t)
    heartbeats.set('linux', [hook('i-1'), hook('i-2')])
    heartbeats.set('linux', [hook('i-1'), hook('i-2')])
    heartbeats.set('other', [hook('i-3')])
    await clock.tick(0)
    t.same(
      beats.map(({ instanceId }) => instanceId),
      ['i-1', 'i-2', 'i-3'],
    )
    heartbeats.set('linux', [hook('i-2')])
    await clock.tick(10_000)
    t.same(new Set(beats.slice(3).map(({ instanceId }) => instanceId)), new Set(['i-2', 'i-3']))
  },
)

t.test('F91: a call that hangs holds up no other', async (t) => {
  const hanging = Promise.withResolvers<'done'>()
  let isFirst = true
  const { clock, beats, heartbeats } = wheel(t, {
    async answer() {
      const hangs = isFirst
      isFirst = false
      return hangs ? hanging.promise : 'done'
    },
  })
  heartbeats.set(
    'linux',
    Array.from({ length: 100 }, (_, at) => hook(`i-${at}`)),
  )
  await clock.tick(100)
  t.equal(new Set(beats.map(({ instanceId }) => instanceId)).size, 100)
  hanging.resolve('done')
})
