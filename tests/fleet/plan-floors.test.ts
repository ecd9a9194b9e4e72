/** What a pool has at least, by the clock of a place; and what goes for its age. */
import t from 'tap'
import { plan } from '../../src/fleet/plan/plan.ts'
import type { AwsGroup } from '../../src/platform/index.ts'
import { aPolicy, aPool, MINUTE, NOW } from './support/views.ts'

const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

t.test('F92: floors by a wall clock, at both edges of summer time', async (t) => {
  const at = (time: string, cron: string, hours: number, zone = 'Europe/Berlin') => {
    const nowMs = Date.parse(time)
    const { view, memory } = aPool([], { demand: { classes: [], atMs: nowMs } })
    const schedules = [{ name: 'edge', cron, zone, forMs: hours * HOUR, floor: 4 }]
    return plan(view, aPolicy({ schedules }), memory, nowMs).why.target
  }
  // On the 29th of March the clocks go from 2:00 to 3:00.
  t.equal(at('2026-03-28T05:59:59Z', '0 7 * * *', 2), 0)
  t.equal(at('2026-03-28T06:00:00Z', '0 7 * * *', 2), 4, 'seven in winter')
  t.equal(at('2026-03-29T04:59:59Z', '0 7 * * *', 2), 0)
  t.equal(at('2026-03-29T05:00:00Z', '0 7 * * *', 2), 4, 'seven in summer, a day later')
  t.equal(at('2026-03-29T01:29:00Z', '30 2 * * *', 1), 0)
  t.equal(at('2026-03-29T01:30:00Z', '30 2 * * *', 1), 4, 'a time that is skipped')
  t.equal(at('2026-03-29T02:30:00Z', '30 2 * * *', 1), 0, 'an hour lasts an hour')
  // On the 25th of October they go from 3:00 to 2:00.
  t.equal(at('2026-10-25T00:30:00Z', '30 2 * * *', 1), 4, 'the first half past two')
  t.equal(at('2026-10-25T01:30:00Z', '30 2 * * *', 1), 0, 'the second one is no other')
  t.equal(at('2026-10-24T22:00:00Z', '0 0 * * *', 24), 4)
  t.equal(at('2026-10-25T22:30:00Z', '0 0 * * *', 24), 0, 'a day of 25 hours is longer than "24h"')
  t.equal(at('2026-03-08T07:00:00Z', '0 2 * * *', 1, 'America/New_York'), 4, 'elsewhere')
})

t.test('F70: machines go in our order before the group ends them for their age', async (t) => {
  const decide = (group: Partial<AwsGroup>, ageMs: number, maxAgeMs: number | null = null) => {
    const seen = { memory: { firstSeenMs: NOW - ageMs, readyMs: NOW - ageMs + 1 } }
    const { view, memory } = aPool([seen, seen, seen], { group })
    for (const unit of view.units) Object.assign(unit, { launchedMs: NOW - ageMs })
    const policy = aPolicy({ min: 3, maxAgeMs, budget: { count: 1 } })
    return plan(view, policy, memory, NOW)
  }
  t.same(decide({ maxLifetimeMs: 10 * DAY }, 8.9 * DAY).intents, [])
  const old = decide({ maxLifetimeMs: 10 * DAY }, 9.1 * DAY)
  t.match(old.intents, [{ kind: 'cordon', reason: 'max_age' }], 'one at a time, not a tenth')
  t.equal(old.intents.length, 1)
  t.match(old.why.actions, [{ reason: 'near the maximum instance lifetime of its group' }])
  t.match(old.why.notes.join('\n'), '2 more may go; the budget is 1 at once')
  const ours = decide({ maxLifetimeMs: 10 * DAY }, 3 * DAY, 2 * DAY)
  t.match(ours.why.actions, [{ reason: 'older than max_age' }])
})
