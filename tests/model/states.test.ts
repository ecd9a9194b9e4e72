import fc from 'fast-check'
import t from 'tap'
import type { SliceState } from '../../src/model/index.ts'
import {
  REASONS,
  RESULTS,
  SLICE_STATES,
  SLICE_TRANSITIONS,
  canFollow,
  isResult,
  toBuildState,
} from '../../src/model/index.ts'

t.test('a result never changes again', (t) => {
  for (const result of RESULTS) t.same(SLICE_TRANSITIONS[result], [])
  t.end()
})

t.test('every live slice can end in every result, and reach the end at all', (t) => {
  for (const state of SLICE_STATES) {
    if (isResult(state)) continue
    for (const result of RESULTS) t.ok(canFollow(state, result), `${state} -> ${result}`)
  }
  t.end()
})

t.test("a build's result is the worst of its slices, and only when all are over", (t) => {
  const cases: [SliceState[], string][] = [
    [['waiting_usage', 'waiting_run'], 'queued'],
    [['waiting_run', 'submitting'], 'running'],
    [['succeeded', 'running'], 'running'],
    [['succeeded', 'succeeded'], 'succeeded'],
    [['succeeded', 'canceled'], 'canceled'],
    [['timed_out', 'canceled'], 'timed_out'],
    [['timed_out', 'failed'], 'failed'],
    [['failed', 'infrastructure_failed'], 'infrastructure_failed'],
  ]
  for (const [slices, state] of cases) t.equal(toBuildState(slices), state, slices.join(' '))
  t.end()
})

t.test('the order of the slices does not matter', (t) => {
  const slices = fc.array(fc.constantFrom(...SLICE_STATES), { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(slices, (states) => toBuildState(states) === toBuildState(states.toReversed())),
  )
  t.end()
})

t.test('only what is not the fault of the user is retried', (t) => {
  for (const [name, reason] of Object.entries(REASONS)) {
    if (reason.retried) t.equal(reason.result, 'infrastructure_failed', name)
    t.equal(reason.exitCode === 3, reason.result === 'infrastructure_failed', name)
    t.match(reason.sentence, /^[A-Z].*\.$/, `${name} has a sentence`)
  }
  t.end()
})
