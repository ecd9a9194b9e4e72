import t from 'tap'
import { settings } from '../../src/model/index.ts'
import { findDue, type Due, type SliceTimes } from '../../src/scheduler/overdue.ts'
import type { SliceRow } from '../../src/scheduler/store/index.ts'
import { aBuild, aSlice } from './support/rows.ts'

const { limits } = settings.parse({
  limits: { start: '10m', lease: '60s', orphan: '30m', max_run_time: '1h' },
})
const build = aBuild()
const MINUTE = 60_000

function due(slice: Partial<SliceRow>, times: Partial<SliceTimes>, reported = false): Due {
  const all = { stateMs: 0, placedMs: null, cancelMs: null, runningMs: null, silentMs: 0, ...times }
  return findDue(aSlice(build, slice), all, limits, reported)
}

const ROWS: [title: string, due: Due, expected: Due][] = [
  ['waiting has no limit', due({ state: 'waiting_run' }, { stateMs: 1e9 }), {}],
  ['nor has waiting for a place', due({ state: 'placing' }, { stateMs: 1e9 }), {}],
  ['a placed slice has time to start', due({ state: 'placing' }, { placedMs: 10 * MINUTE }), {}],
  [
    'but not for ever',
    due({ state: 'placing', allocation_id: 'a' }, { placedMs: 10 * MINUTE + 1 }),
    {
      end: {
        reason: 'start_timeout',
        detail: 'the agent did not start work within 10m0s in allocation a',
      },
    },
  ],
  ['a running slice has all its time', due({ state: 'running' }, { runningMs: 60 * MINUTE }), {}],
  [
    'an agent that does not end it is asked to',
    due({ state: 'running' }, { runningMs: 61 * MINUTE + 1 }),
    { ask: 'max_run_time' },
  ],
  [
    'once asked, it is given time',
    due({ state: 'running', cancel_reason: 'max_run_time' }, { runningMs: 1e9, cancelMs: 1 }),
    {},
  ],
  [
    'then Nomad is asked',
    due({ state: 'running', cancel_reason: 'canceled_by_user' }, { cancelMs: 30_001 }),
    { stopJob: true },
  ],
  [
    'and in the end nobody is waited for',
    due({ state: 'running', cancel_reason: 'canceled_by_user' }, { cancelMs: 90_001 }),
    { end: { reason: 'canceled_by_user', detail: 'the agent did not confirm' } },
  ],
  ['a lease that lasts', due({ state: 'running' }, { silentMs: MINUTE }), {}],
  [
    'an expired lease makes a slice suspect, no more',
    due({ state: 'running' }, { silentMs: MINUTE + 1 }),
    { suspect: 'the agent has been silent for longer than 1m0s' },
  ],
  [
    'an agent that has given up by now is lost',
    due({ state: 'running' }, { silentMs: 31 * MINUTE + 1 }),
    { end: { reason: 'agent_lost', detail: 'the agent was not heard of for 31m0s' } },
  ],
  ['output may still come', due({ state: 'finishing' }, { silentMs: MINUTE }), {}],
  [
    'from a silent agent it does not',
    due({ state: 'finishing' }, { silentMs: MINUTE + 1 }),
    { deliver: true },
  ],
  ['a closed job needs nothing', due({ state: 'failed', job_open: 0 }, { stateMs: 1e9 }), {}],
  [
    'a job whose agent reported ends by itself',
    due({ state: 'failed', job_open: 1 }, { stateMs: MINUTE }, true),
    {},
  ],
  [
    'or is stopped',
    due({ state: 'failed', job_open: 1 }, { stateMs: MINUTE + 1 }, true),
    { stopJob: true },
  ],
  [
    'a job of a slice that ended otherwise is stopped at once',
    due({ state: 'canceled', job_open: 1 }, {}),
    { stopJob: true },
  ],
]

for (const [title, found, expected] of ROWS) {
  t.test(title, (t) => {
    t.strictSame(found, expected)
    t.end()
  })
}
