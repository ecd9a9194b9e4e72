import t from 'tap'
import {
  failed,
  shouldRun,
  toSliceOutcome,
  toStepOutcome,
} from '../../../src/build-agent/steps/outcome.ts'
import { REASONS } from '../../../src/model/index.ts'
import { aStep } from '../support/agent.ts'

t.test('when decides by what happened before, and an early end stops everything', async (t) => {
  const table: ['on_success' | 'always' | 'on_fail', fine: boolean, failing: boolean][] = [
    ['on_success', true, false],
    ['always', true, true],
    ['on_fail', false, true],
  ]
  for (const [when, fine, failing] of table) {
    const step = aStep({ when })
    t.equal(shouldRun(step, { isFailing: false, isOver: false }), fine, when)
    t.equal(shouldRun(step, { isFailing: true, isOver: false }), failing, when)
    t.equal(shouldRun(step, { isFailing: true, isOver: true }), false, when)
  }
  const checkout = { kind: 'checkout', name: 'Checkout' } as const
  t.equal(shouldRun(checkout, { isFailing: true, isOver: false }), false)
})

t.test('what was done to a command comes before what it says itself', async (t) => {
  const exit = { exitCode: 0, signal: null }
  t.match(toStepOutcome(exit, null, null), { state: 'succeeded', reason: null })
  t.match(toStepOutcome(exit, 'no_output', null), { state: 'timed_out', reason: 'no_output' })
  t.match(toStepOutcome(exit, 'job_over', null), { state: 'succeeded', reason: null })
  t.match(toStepOutcome(exit, 'ending', { kind: 'max_run_time' }), {
    state: 'timed_out',
    reason: 'max_run_time',
  })
  t.match(toStepOutcome(exit, 'ending', { kind: 'asked', reason: 'drained' }), {
    state: 'canceled',
    reason: 'drained',
  })
  t.match(toStepOutcome({ exitCode: 137, signal: 'SIGKILL' }, null, null), {
    state: 'failed',
    reason: 'signal',
  })
  t.match(toStepOutcome({ exitCode: 137, signal: null }, null, null), {
    state: 'failed',
    reason: 'exit_code',
  })
})

t.test('a slice has the result that belongs to its reason', async (t) => {
  const failing = { index: 2, name: 'test', outcome: failed('exit_code', { exitCode: 3 }) }
  const cases = [
    toSliceOutcome({ cause: null, failing: null, isHalted: false }),
    toSliceOutcome({ cause: null, failing: null, isHalted: true }),
    toSliceOutcome({ cause: null, failing, isHalted: true }),
    toSliceOutcome({ cause: { kind: 'asked', reason: 'superseded' }, failing, isHalted: false }),
    toSliceOutcome({ cause: { kind: 'max_run_time' }, failing: null, isHalted: false }),
    toSliceOutcome({ cause: { kind: 'orphaned' }, failing: null, isHalted: false }),
    toSliceOutcome({
      cause: null,
      failing: { ...failing, outcome: failed('agent_crashed') },
      isHalted: false,
    }),
  ]
  t.same(
    cases.map(({ reason }) => reason),
    [
      'succeeded',
      'halted',
      'exit_code',
      'superseded',
      'max_run_time',
      'agent_lost',
      'agent_crashed',
    ],
  )
  for (const { result, reason } of cases) t.equal(result, REASONS[reason].result)
  t.equal(cases[2]?.detail, 'step 2 (test) ended with exit code 3')
})
