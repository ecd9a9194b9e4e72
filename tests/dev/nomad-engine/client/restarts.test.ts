import t from 'tap'
import { decideRestart, NO_RESTARTS } from '../../../../src/dev/nomad-engine/client/restarts.ts'
import type { RestartCount } from '../../../../src/dev/nomad-engine/client/restarts.ts'

const policy = (more: object = {}) => ({
  Attempts: 2,
  Interval: 60e9,
  Delay: 1e9,
  Mode: 'fail',
  RenderTemplates: false,
  ...more,
})

/** Decides for a task that ends again and again at these times. */
function live(rule: ReturnType<typeof policy>, times: number[]) {
  let count: RestartCount = NO_RESTARTS
  return times.map((now) => {
    const outcome = decideRestart(rule, count, now, 0)
    count = outcome.count
    return outcome.decision.restart ? outcome.decision.delayMs : outcome.decision.reason
  })
}

t.test('no attempts means none', (t) => {
  t.same(live(policy({ Attempts: 0 }), [0]), ['Policy allows no restarts'])
  t.end()
})

t.test('attempts are counted within the interval, and anew after it', (t) => {
  const used = 'Exceeded allowed attempts 2 in interval 1m0s and mode is "fail"'
  t.same(live(policy(), [0, 10_000, 20_000]), [1000, 1000, used])
  t.same(live(policy(), [0, 10_000, 61_000]), [1000, 1000, 1000])
  t.end()
})

t.test('a policy that delays waits until the interval is over', (t) => {
  t.same(live(policy({ Mode: 'delay' }), [0, 10_000, 20_000]), [1000, 1000, 40_000])
  t.end()
})

t.test('the delay is spread by up to a quarter', (t) => {
  const { decision } = decideRestart(policy(), NO_RESTARTS, 0, 1)
  t.match(decision, { restart: true, delayMs: 1250 })
  t.end()
})
