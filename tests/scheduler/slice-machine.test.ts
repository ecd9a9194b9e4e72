import fc from 'fast-check'
import t from 'tap'
import {
  REASONS,
  REASON_NAMES,
  canFollow,
  isResult,
  toNomadJobId,
  type SliceState,
} from '../../src/model/index.ts'
import { applyFact, type SliceFact } from '../../src/scheduler/slice-machine.ts'
import { NOW_MS, aBuild, aSlice } from './support/rows.ts'

const build = aBuild()

const reason = fc.constantFrom(...REASON_NAMES)
const epoch = fc.constantFrom(1, 1, 1, 1, 2, 2, 3)
const RETRIED = REASON_NAMES.filter((name) => REASONS[name].retried)

const fact: fc.Arbitrary<SliceFact> = fc.oneof(
  fc.record({ kind: fc.constant('submitting' as const), epoch, specHash: fc.constant('hash') }),
  fc.record({ kind: fc.constant('registered' as const), epoch, jobModifyIndex: fc.nat() }),
  fc.record({
    kind: fc.constant('placed' as const),
    epoch,
    allocationId: fc.constantFrom('one', 'two'),
    nodeId: fc.constant('node'),
    nodeName: fc.constant('name'),
  }),
  fc.record({ kind: fc.constant('claimed' as const), epoch }),
  fc.record({ kind: fc.constant('accepted' as const), epoch }),
  fc.record({ kind: fc.constant('reported' as const), epoch }),
  fc.record({ kind: fc.constant('cancel' as const), epoch, reason }),
  fc.record({ kind: fc.constant('ended' as const), epoch, reason, detail: fc.string() }),
  fc.record({ kind: fc.constant('job_closed' as const), epoch }),
  fc
    .record({
      epoch,
      reason: fc.constantFrom(...RETRIED, 'exit_code' as const),
      detail: fc.string(),
    })
    .map((fact) => ({ kind: 'retried' as const, ...fact, ...nextOf(fact.epoch) })),
)

function nextOf(before: number) {
  const { id, org, repo, number } = build
  const nomadJobId = toNomadJobId({ build: id, index: 0, org, repo, number, epoch: before + 1 })
  return { nomadJobId, dueMs: NOW_MS + 1000 }
}

t.test('B54: in whatever order facts come, states go forward and the first result stays', (t) => {
  const law = fc.property(fc.array(fact, { maxLength: 40 }), (facts) => {
    let slice = aSlice(build)
    let result = ''
    for (const [place, each] of facts.entries()) {
      const before = slice
      const change = applyFact(before, each, NOW_MS + place) ?? {}
      slice = { ...before, ...change }
      const forward = slice.state === before.state || canFollow(before.state, slice.state)
      const isNext = slice.epoch === before.epoch + 1
      const samePlace =
        isNext || before.allocation_id === null || slice.allocation_id === before.allocation_id
      if (!forward || !samePlace || (slice.epoch !== before.epoch && !isNext)) return false
      if (slice.retries !== slice.epoch - 1) return false
      if (isNext && !isFresh(slice, before)) return false
      if (!isResult(slice.state)) continue
      // All but whether its job is closed.
      const now = JSON.stringify({ ...slice, job_open: 0 })
      if (result !== '' && result !== now) return false
      result = now
    }
    return isResult(slice.state) === (slice.reason !== null)
  })
  t.doesNotThrow(() => fc.assert(law, { numRuns: 1000 }))
  t.end()
})

/** Nothing of the epoch before is left, and nobody had asked that one to stop. */
function isFresh(slice: ReturnType<typeof aSlice>, before: ReturnType<typeof aSlice>): boolean {
  const first = aSlice(build)
  const known = ['build_id', 'slice_index', 'epoch', 'retries', 'due_ms', 'queued_ms']
  const others = Object.keys(first).filter((name) => ![...known, 'nomad_job_id'].includes(name))
  return (
    before.cancel_reason === null &&
    !before.state.startsWith('waiting') &&
    slice.nomad_job_id.endsWith(`-r${slice.epoch}`) &&
    others.every((name) => slice[name as 'state'] === first[name as 'state'])
  )
}

t.test('whatever an old epoch still says changes nothing of the next one', (t) => {
  const law = fc.property(fc.array(fact, { maxLength: 30 }), fact, (facts, late) => {
    let slice = aSlice(build)
    for (const each of facts) slice = { ...slice, ...applyFact(slice, each, NOW_MS) }
    return late.epoch >= slice.epoch || applyFact(slice, late, NOW_MS) === null
  })
  t.doesNotThrow(() => fc.assert(law, { numRuns: 1000 }))
  t.end()
})

t.test('a fact that is told twice changes nothing the second time', (t) => {
  const law = fc.property(fc.array(fact, { maxLength: 20 }), fact, (facts, last) => {
    let slice = aSlice(build)
    for (const each of [...facts, last]) slice = { ...slice, ...applyFact(slice, each, NOW_MS) }
    return applyFact(slice, last, NOW_MS) === null
  })
  t.doesNotThrow(() => fc.assert(law, { numRuns: 1000 }))
  t.end()
})

t.test('a normal life', (t) => {
  const life: [SliceFact, SliceState][] = [
    [{ kind: 'submitting', epoch: 1, specHash: 'h' }, 'submitting'],
    [{ kind: 'registered', epoch: 1, jobModifyIndex: 7 }, 'placing'],
    [{ kind: 'placed', epoch: 1, allocationId: 'a', nodeId: 'n', nodeName: 'name' }, 'placing'],
    [{ kind: 'claimed', epoch: 1 }, 'starting'],
    [{ kind: 'accepted', epoch: 1 }, 'running'],
    [{ kind: 'reported', epoch: 1 }, 'finishing'],
    [{ kind: 'ended', epoch: 1, reason: 'exit_code', detail: 'step 1 failed' }, 'failed'],
  ]
  let slice = aSlice(build)
  for (const [each, state] of life) {
    slice = { ...slice, ...applyFact(slice, each, NOW_MS) }
    t.equal(slice.state, state, each.kind)
  }
  t.match(slice, { job_open: 1, allocation_id: 'a', reason: 'exit_code', job_modify_index: 7 })
  t.equal({ ...slice, ...applyFact(slice, { kind: 'job_closed', epoch: 1 }, NOW_MS) }.job_open, 0)
  t.end()
})

t.test('a cancel ends what has not run yet at once, and asks what runs', (t) => {
  const cancel: SliceFact = { kind: 'cancel', epoch: 1, reason: 'canceled_by_user' }
  const states: SliceState[] = ['waiting_run', 'submitting', 'placing', 'starting']
  for (const state of states) {
    t.match(applyFact(aSlice(build, { state }), cancel, NOW_MS), {
      state: 'canceled',
      reason: 'canceled_by_user',
    })
  }
  for (const state of ['running', 'finishing'] as const) {
    const change = applyFact(aSlice(build, { state }), cancel, NOW_MS)
    t.strictSame(change, { cancel_reason: 'canceled_by_user' })
  }
  t.end()
})

t.test('an agent may claim before the answer to the registration is here', (t) => {
  let slice = aSlice(build, { state: 'submitting', job_open: 1 })
  slice = { ...slice, ...applyFact(slice, { kind: 'claimed', epoch: 1 }, NOW_MS) }
  slice = {
    ...slice,
    ...applyFact(slice, { kind: 'registered', epoch: 1, jobModifyIndex: 9 }, NOW_MS),
  }
  t.match(slice, { state: 'starting', job_modify_index: 9 })
  t.end()
})
