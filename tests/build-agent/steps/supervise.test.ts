import t, { type Test } from 'tap'
import { SilenceWatch } from '../../../src/build-agent/steps/supervise.ts'
import { TestClock } from '../../../src/platform/index.ts'

t.test('any byte starts the silence anew', async (t) => {
  const { clock, watch, isExpired } = aWatch(t, { limitMs: 600_000 })
  for (let n = 0; n < 5; n++) {
    await clock.tick(599_999)
    watch.heard()
  }
  t.equal(isExpired(), false)
  await clock.tick(599_999)
  t.equal(isExpired(), false)
  await clock.tick(1)
  t.equal(isExpired(), true)
  t.equal(watch.message(), 'Too long with no output (exceeded 10m0s): context deadline exceeded')
})

t.test('a jump of the wall clock is no silence', async (t) => {
  const { clock, isExpired } = aWatch(t, { limitMs: 1000 })
  clock.jump(3_600_000)
  await clock.tick(999)
  t.equal(isExpired(), false)
})

t.test('a step that is held back is not silent', async (t) => {
  let isHeldBack = true
  const { clock, isExpired } = aWatch(t, { limitMs: 1000, isExcused: () => isHeldBack })
  await clock.tick(5000)
  t.equal(isExpired(), false)
  isHeldBack = false
  await clock.tick(1000)
  t.equal(isExpired(), true)
})

t.test('a step without a limit may be silent for ever', async (t) => {
  const { clock, isExpired } = aWatch(t, { limitMs: Number.POSITIVE_INFINITY })
  await clock.tick(10 ** 12)
  t.equal(isExpired(), false)
})

function aWatch(t: Test, options: { limitMs: number; isExcused?: () => boolean }) {
  const clock = new TestClock()
  const watch = new SilenceWatch(clock, { isExcused: () => false, ...options })
  let expired = false
  void watch.expired.then(() => (expired = true))
  watch.start()
  t.teardown(() => watch.stop())
  return { clock, watch, isExpired: () => expired }
}
