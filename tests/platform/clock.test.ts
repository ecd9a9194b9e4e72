import t from 'tap'
import { TestClock, backoffMs, deadline, sleep, systemClock } from '../../src/platform/index.ts'

t.test('a sleep ends with its delay, or early with its signal', async (t) => {
  const clock = new TestClock()
  const stop = new AbortController()
  const whole = sleep(clock, 1000)
  const cut = sleep(clock, 1000, stop.signal)
  await clock.tick(400)
  stop.abort()
  t.equal(await cut, false)
  await clock.tick(600)
  t.equal(await whole, true)
  t.equal(await sleep(clock, 1000, stop.signal), false, 'an aborted signal does not wait at all')
})

t.test('a deadline aborts in time, or with another signal, and can be taken back', async (t) => {
  const clock = new TestClock()
  const other = new AbortController()
  const first = deadline(clock, 100)
  const second = deadline(clock, 100, other.signal, undefined)
  const third = deadline(clock, 100)
  other.abort()
  third.cancel()
  t.ok(second.signal.aborted)
  await clock.tick(100)
  t.ok(first.signal.aborted)
  t.notOk(third.signal.aborted)
})

t.test('timers of the driven clock fire in order of their time', async (t) => {
  const clock = new TestClock()
  const seen: string[] = []
  clock.after(20, () => seen.push('b'))
  clock.after(10, () => {
    seen.push('a')
    clock.after(5, () => seen.push('a2'))
  })
  await clock.tick(30)
  t.same(seen, ['a', 'a2', 'b'])
  t.equal(clock.monotonic(), 30)
})

t.test('of many timers each fires once, at its time, or never when it was canceled', async (t) => {
  const clock = new TestClock()
  const fired: { order: number; atMs: number }[] = []
  const wanted: { order: number; atMs: number }[] = []
  let due = 7
  for (let order = 0; order < 500; order++) {
    due = (due * 211) % 1009
    const atMs = due
    const timer = clock.after(atMs, () => fired.push({ order, atMs: clock.monotonic() }))
    if (order % 3 === 0) timer.cancel()
    else wanted.push({ order, atMs })
    timer.unref()
    if (order % 9 === 0) timer.cancel()
  }
  await clock.tick(500)
  await clock.tick(600)
  t.same(
    fired,
    wanted.sort((a, b) => a.atMs - b.atMs || a.order - b.order),
  )
})

t.test('the wall clock may jump, durations do not', (t) => {
  const clock = new TestClock(5_000_000)
  clock.jump(-1_000_000)
  t.equal(clock.now(), 4_000_000)
  t.equal(clock.monotonic(), 0)
  t.end()
})

t.test('a delay longer than a timer can hold does not fire at once', (t) => {
  const timer = systemClock.after(2 ** 40, () => t.fail('fired'))
  setImmediate(() => {
    timer.cancel()
    t.end()
  })
})

t.test('backing off doubles up to its bound, with jitter', (t) => {
  const at = (attempt: number, random: number) =>
    backoffMs(attempt, { baseMs: 100, maxMs: 5000, random: () => random })
  t.equal(at(0, 1), 100)
  t.equal(at(0, 0), 50)
  t.equal(at(3, 1), 800)
  t.equal(at(1000, 1), 5000)
  t.end()
})
