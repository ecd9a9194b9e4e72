/** When a poll begins. */
import t from 'tap'
import { createComplaints } from '../../src/metrics/complaints.ts'
import { runTicks, toOffsetMs } from '../../src/metrics/ticks.ts'
import { sleep, TestClock } from '../../src/platform/index.ts'

async function ticking(
  clock: TestClock,
  run: () => Promise<void>,
  onSkipped?: (runs: number) => void,
) {
  const stop = new AbortController()
  const { signal } = stop
  const over = runTicks({ intervalMs: 10_000, clock, signal, run, ...(onSkipped && { onSkipped }) })
  return async () => {
    stop.abort()
    await over
  }
}

t.test('the first one comes at once, the others every interval', async (t) => {
  const clock = new TestClock()
  const at: number[] = []
  const stop = await ticking(clock, async () => void at.push(clock.monotonic()))
  await clock.tick(35_000)
  await stop()
  t.same(at, [0, 10_000, 20_000, 30_000])
})

t.test('D22: the wall clock jumps', async (t) => {
  const clock = new TestClock()
  let polls = 0
  const stop = await ticking(clock, async () => void (polls += 1))
  for (const jump of [3_600_000, -7_200_000]) {
    clock.jump(jump)
    await clock.tick(10_000)
  }
  t.equal(polls, 3)
  await stop()
})

t.test('D22: a machine that slept polls once', async (t) => {
  const clock = new TestClock()
  let polls = 0
  // The sleep of the machine falls into a poll: its clock is an hour further afterwards.
  const stop = await ticking(clock, async () => {
    polls += 1
    if (polls === 2) await sleep(clock, 3_600_000)
  })
  await clock.tick(10_000 + 3_600_000 + 9000)
  t.equal(polls, 2)
  await clock.tick(2000)
  t.equal(polls, 3)
  await stop()
})

t.test('D23: polls never overlap, and what was left out is counted', async (t) => {
  const clock = new TestClock()
  let running = 0
  let most = 0
  let skipped = 0
  const at: number[] = []
  const poll = async () => {
    at.push(clock.monotonic())
    running += 1
    most = Math.max(most, running)
    await sleep(clock, 15_000)
    running -= 1
  }
  const stop = await ticking(clock, poll, (runs) => (skipped += runs))
  await clock.tick(60_000)
  t.equal(most, 1)
  t.same(at, [0, 20_000, 40_000, 60_000], 'on the grid')
  t.equal(skipped, 3)
  const ending = stop()
  await clock.tick(15_000)
  await ending
})

t.test('D25: ten thousand nodes that boot at once are spread over the interval', async (t) => {
  const buckets = Array.from({ length: 100 }, () => 0)
  for (let node = 0; node < 10_000; node++) {
    const bucket = Math.floor(toOffsetMs(`node-${node}`, 10_000) / 100)
    buckets[bucket] = (buckets[bucket] ?? 0) + 1
  }
  t.ok(Math.max(...buckets) < 200, `${Math.max(...buckets)} in the fullest tenth of a second`)
  t.ok(Math.min(...buckets) > 0)
})

t.test('a complaint is told when it changes, and every five minutes', async (t) => {
  const clock = new TestClock()
  const told: string[] = []
  const complaints = createComplaints(clock, (line) => void told.push(line))
  const over = async (minutes: number, text: string) => {
    for (let at = 0; at < minutes * 6; at++) {
      complaints.tell('server', text)
      await clock.tick(10_000)
    }
  }
  await over(6, 'a')
  t.same(told, ['a', 'a'])
  await over(1, 'b')
  t.same(told, ['a', 'a', 'b'])
  complaints.clear('server')
  await over(1, 'b')
  t.equal(told.length, 4, 'what comes again is news')
  complaints.tell('x', 'one\n\u001b[2Jtwo')
  t.equal(told.at(-1), 'one [2Jtwo')
})
