import t from 'tap'
import type { BuildView } from '../../../src/model/index.ts'
import { findDifferences } from '../../../src/scheduler/output/differences.ts'
import { aBuild, aSlice, aStep } from '../../support/builds.ts'
import { describeEvent } from '../../support/followed-build.ts'

const tell = (before: BuildView, after: BuildView) =>
  findDifferences(before, after).map(describeEvent)

t.test('time that passes and bytes that arrive are no news', async (t) => {
  const step = aStep({ state: 'running', output: { length: null, have: 3 } })
  const later = aStep({ state: 'running', seconds: 9, output: { length: null, have: 300 } })
  const before = aBuild({ seconds: 1, slices: [aSlice({ seconds: 1, steps: [step] })] })
  const after = aBuild({ seconds: 2, slices: [aSlice({ seconds: 2, steps: [later] })] })
  t.same(tell(before, after), [])
})

t.test('a slice is told to run before its steps, and to be over after them', async (t) => {
  const waiting = aBuild({ state: 'queued', slices: [aSlice({ state: 'placing' })] })
  const step = aStep({ state: 'running' })
  const running = aBuild({ started_at: 'now', slices: [aSlice({ steps: [step] })] })
  t.same(tell(waiting, running), ['slice 0 running epoch 1', 'step 0/0 running', 'build running'])
  const ended = aStep({ state: 'failed', exit_code: 1 })
  const over = aBuild({ state: 'failed', slices: [aSlice({ state: 'failed', steps: [ended] })] })
  t.same(tell(running, over), ['step 0/0 failed', 'slice 0 failed epoch 1'])
})

t.test('a new epoch comes before anything of it, even when it is over already', async (t) => {
  const before = aBuild({ slices: [aSlice({ steps: [aStep({ state: 'running' })] })] })
  const ended = aStep({ state: 'failed', seconds: 1 })
  const after = aBuild({ slices: [aSlice({ epoch: 2, state: 'failed', steps: [ended] })] })
  t.same(tell(before, after), ['slice 0 failed epoch 2', 'step 0/0 failed'])
})

t.test('a step that ran between two looks is told to have started', async (t) => {
  const before = aBuild({ slices: [aSlice({ steps: [aStep(), aStep({ index: 1 })] })] })
  const steps = [
    aStep({ state: 'succeeded', seconds: 0.1, exit_code: 0, output: { length: 5, have: 5 } }),
    aStep({ index: 1, state: 'skipped' }),
  ]
  const after = aBuild({ slices: [aSlice({ steps })] })
  t.same(tell(before, after), ['step 0/0 running', 'step 0/0 succeeded', 'step 0/1 skipped'])
  const [started] = findDifferences(before, after)
  t.match(started, { step: { exit_code: null, seconds: null, output: { length: null } } })
})

t.test('where a slice runs, and how much a step wrote, is news', async (t) => {
  const before = aBuild({ slices: [aSlice({ steps: [aStep({ state: 'succeeded' })] })] })
  const step = aStep({ state: 'succeeded', output: { length: 7, have: 0 } })
  const after = aBuild({ slices: [aSlice({ node_name: 'node-1', steps: [step] })] })
  t.same(tell(before, after), ['slice 0 running epoch 1', 'step 0/0 succeeded'])
})
