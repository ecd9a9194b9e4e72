import t from 'tap'
import { REASONS, REASON_NAMES } from '../../src/model/index.ts'
import {
  RETRY_WAIT_MAX_MS,
  decide,
  describeRetry,
  type SliceEnd,
} from '../../src/scheduler/retries.ts'
import { createRetryWaits } from '../../src/scheduler/retry-waits.ts'
import { toSliceKey } from '../../src/model/index.ts'
import type { SliceRow } from '../../src/scheduler/store/index.ts'
import { NOW_MS, aBuild, aSlice } from './support/rows.ts'

const build = aBuild({ number: 4 })
const policy = { limit: 2, random: () => 0.5 }

function decideEnd(slice: Partial<SliceRow>, end: Partial<SliceEnd> = {}, more = {}) {
  const row = aSlice(build, { state: 'running', job_open: 1, ...slice })
  const whole: SliceEnd = {
    kind: 'ended',
    epoch: row.epoch,
    reason: 'node_lost',
    detail: 'node n1 is down',
    ...end,
  }
  return decide({ build, slice: row, end: whole, newer: null, policy, nowMs: NOW_MS, ...more })
}

t.test('exactly the reasons that say so are tried again', (t) => {
  for (const reason of REASON_NAMES) {
    const { kind } = decideEnd({}, { reason })
    t.equal(kind, REASONS[reason].retried ? 'retried' : 'ended', reason)
  }
  t.end()
})

t.test('the next attempt has its own job id and is due after a while', (t) => {
  const next = decideEnd({ epoch: 2, retries: 1 })
  t.match(next, { kind: 'retried', epoch: 2, nomadJobId: `${build.id}-0-build-acme-site-4-r3` })
  t.end()
})

t.test('waits grow, are jittered by half, and shorter for a node that is gone', (t) => {
  const waitOf = (reason: SliceEnd['reason'], retries: number, chance: number) => {
    const many = { limit: 10, random: () => chance }
    const fact = decideEnd({ retries }, { reason }, { policy: many })
    return fact.kind === 'retried' ? fact.dueMs - NOW_MS : -1
  }
  t.equal(waitOf('node_lost', 0, 0), 500)
  t.equal(waitOf('node_lost', 0, 1), 1000)
  t.equal(waitOf('agent_crashed', 0, 0), 1500)
  t.equal(waitOf('agent_crashed', 1, 0), 7500)
  t.equal(waitOf('agent_crashed', 9, 1), RETRY_WAIT_MAX_MS)
  t.end()
})

t.test('not when it was asked to stop, and not before it was submitted', (t) => {
  t.equal(decideEnd({ cancel_reason: 'canceled_by_user' }).kind, 'ended')
  for (const state of ['waiting_run', 'waiting_usage'] as const) {
    t.equal(decideEnd({ state }).kind, 'ended')
  }
  t.end()
})

t.test('the last attempt says that it was the last', (t) => {
  const end = decideEnd({ epoch: 3, retries: 2 })
  t.match(end, { kind: 'ended', detail: 'node n1 is down (attempt 3 of 3)' })
  t.match(decideEnd({ retries: 2 }, { detail: '' }), { detail: 'attempt 3 of 3' })
  t.end()
})

t.test('an outdated commit is not tried again, and says which build is newer', (t) => {
  t.match(decideEnd({}, {}, { newer: 9 }), {
    kind: 'ended',
    reason: 'node_lost',
    detail: 'node n1 is down (not tried again: build 9 of the same branch is newer)',
  })
  t.end()
})

t.test('people are told which try it is of how many', (t) => {
  const next = { retries: 1 }
  t.equal(
    describeRetry({ reason: 'node_lost', detail: 'node n1 is down' }, next, policy),
    'node lost, tried again (2 of 3): node n1 is down',
  )
  t.equal(
    describeRetry({ reason: 'vanished', detail: '' }, next, policy),
    'vanished, tried again (2 of 3)',
  )
  t.end()
})

t.test('a wait goes on after a restart, and no jump of the wall clock makes it longer', (t) => {
  const key = toSliceKey(build.id, 0)
  const clock = { wall: NOW_MS, now: () => clock.wall }
  const slice = { epoch: 2, due_ms: NOW_MS + 10_000 }
  const waits = createRetryWaits(clock)
  t.equal(waits.leftMs(key, slice, 0), 10_000)
  clock.wall -= 3_600_000
  t.equal(waits.leftMs(key, slice, 9000), 1000, 'seen before: the wall clock does not count')
  t.equal(waits.leftMs(key, slice, 11_000), 0)
  const restarted = createRetryWaits(clock)
  t.equal(restarted.leftMs(key, slice, 0), RETRY_WAIT_MAX_MS)
  clock.wall = NOW_MS + 4000
  t.equal(createRetryWaits(clock).leftMs(key, slice, 500), 6000)
  t.equal(waits.leftMs(key, { epoch: 3, due_ms: NOW_MS + 5000 }, 20_000), 1000)
  t.equal(waits.leftMs(key, { epoch: 1, due_ms: null }, 0), 0)
  t.end()
})
