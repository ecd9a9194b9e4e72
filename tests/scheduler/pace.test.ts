import t from 'tap'
import { TestClock } from '../../src/platform/index.ts'
import { createPace } from '../../src/scheduler/pace.ts'

t.test('the pace halves once for all that were under way, and never stops', async (t) => {
  const clock = new TestClock()
  const pace = createPace(clock, 8)
  const limits: number[] = []
  for (let round = 0; round < 5; round += 1) {
    const startedMs = clock.monotonic()
    await clock.tick(100)
    // A whole round fails: each of its failures tells the same.
    for (let times = 0; times < 8; times += 1) pace.strained(startedMs)
    limits.push(pace.limit)
    await clock.tick(1)
  }
  t.strictSame(limits, [4, 2, 1, 1, 1])
})

t.test('the pace grows by one for each round that went well, up to its most', async (t) => {
  const clock = new TestClock()
  const pace = createPace(clock, 4)
  pace.strained(clock.monotonic())
  t.equal(pace.limit, 2)
  const limits: number[] = []
  for (let times = 0; times < 12; times += 1) {
    pace.went()
    limits.push(pace.limit)
  }
  t.strictSame(limits, [2, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4])
})
