import t from 'tap'
import { buildView, type StepState } from '../../src/model/index.ts'
import { toBuildView, type BuildParts } from '../../src/scheduler/views.ts'
import type { SliceRow, StepRow } from '../../src/scheduler/store/index.ts'
import { NOW_MS, aBuild, aSlice, aSpec, someTexts } from './support/rows.ts'

const build = aBuild({ parallelism: 2, finished_ms: NOW_MS + 2500 })
const [step] = aSpec().steps
const spec = aSpec({ steps: step ? [step, step, step] : [] })

function aStep(step_index: number, state: StepState, more: Partial<StepRow> = {}): StepRow {
  return {
    build_id: build.id,
    slice_index: 0,
    epoch: 1,
    step_index,
    attempt: 1,
    state,
    shell: null,
    exit_code: null,
    signal: null,
    reason: null,
    started_ms: NOW_MS,
    finished_ms: null,
    duration_ms: null,
    output_length: null,
    output_sha256: null,
    output_dropped: 0,
    output_state: null,
    ...more,
  }
}

function view(slice: Partial<SliceRow>, steps: StepRow[], more: Partial<BuildParts> = {}) {
  const parts = {
    build,
    texts: someTexts({ spec }),
    slices: [aSlice(build, slice)],
    steps,
    earlier: [],
    notices: [],
    have: () => 7,
    hint: () => 'waits',
    ...more,
  }
  return buildView.parse(toBuildView(parts))
}

t.test('a live slice shows why it waits, and its steps as they are', (t) => {
  const found = view({ state: 'running', detail: 'not this' }, [aStep(0, 'running')])
  t.match(found, { seconds: 2.5, created_at: '2023-11-14T22:13:20.000Z' })
  t.match(found.slices[0], {
    detail: 'waits',
    seconds: null,
    steps: [{ state: 'running', seconds: null, output: { have: 7 } }, { state: 'waiting' }, {}],
  })
  t.end()
})

const ENDS: [SliceRow['state'], StepState][] = [
  ['infrastructure_failed', 'canceled'],
  ['canceled', 'canceled'],
  ['timed_out', 'timed_out'],
]
for (const [state, shown] of ENDS) {
  t.test(`no step of a slice that ${state} is left waiting or running`, (t) => {
    const done = aStep(0, 'succeeded', { duration_ms: 1500, exit_code: 0, output_length: 7 })
    const slice = { state, detail: 'why', started_ms: NOW_MS, finished_ms: NOW_MS + 2000 }
    const found = view(slice, [done, aStep(1, 'running')]).slices[0]
    t.match(found, { detail: 'why', seconds: 2 })
    t.strictSame(
      found?.steps.map((each) => each.state),
      ['succeeded', shown, 'skipped'],
    )
    t.match(found?.steps[0], { seconds: 1.5, exit_code: 0, output: { length: 7, have: 7 } })
    t.equal(found?.steps[2]?.seconds, null)
    t.end()
  })
}

t.test('steps of an earlier epoch or another slice are not shown, the last attempt is', (t) => {
  const steps = [
    aStep(0, 'failed', { attempt: 1, exit_code: 1 }),
    aStep(0, 'succeeded', { attempt: 2, exit_code: 0 }),
    aStep(1, 'failed', { epoch: 2 }),
    aStep(2, 'failed', { slice_index: 1 }),
  ]
  const found = view({ state: 'running' }, steps).slices[0]
  t.strictSame(
    found?.steps.map((each) => each.state),
    ['succeeded', 'waiting', 'waiting'],
  )
  t.end()
})

t.test('a clock that was set back makes no negative times', (t) => {
  const slice = { state: 'failed', started_ms: NOW_MS, finished_ms: NOW_MS - 5000 } as const
  t.equal(view(slice, []).slices[0]?.seconds, 0)
  t.end()
})
