import t from 'tap'
import { createEvaluation } from '../../../../src/dev/nomad-engine/objects/evaluation.ts'
import type { Job } from '../../../../src/dev/nomad-engine/objects/job.ts'
import { pickUnblocked } from '../../../../src/dev/nomad-engine/scheduling/unblock.ts'
import type { State } from '../../../../src/dev/nomad-engine/state/state.ts'
import { aNode, anAllocation, aState, aStoredJob, NOW_MS, random } from '../builders.ts'

/** A job that waits for this much room. */
function block(state: State, id: string, CPU: number, job: object = {}): Job {
  const stored = aStoredJob(id, { task: { Resources: { CPU, MemoryMB: 10 } }, job })
  state.commit('JobRegistered', [{ table: 'job', key: `default\0${id}`, put: stored }])
  const { Metrics } = anAllocation(stored)
  const put = createEvaluation(
    stored,
    'queued-allocs',
    { nowMs: NOW_MS, random },
    {
      Status: 'blocked',
      FailedTGAllocs: { slice: Metrics },
    },
  )
  state.commit('EvaluationUpdated', [{ table: 'evaluation', key: put.ID, put }])
  return stored
}

const picked = (state: State, ...nodes: string[]) =>
  pickUnblocked(state, nodes).map((evaluation) => evaluation.JobID)

t.test('as many are woken as the room can hold, the important ones first', (t) => {
  const node = aNode({ cpuMhz: 500 })
  const state = aState({ nodes: [node] })
  for (const id of ['first', 'second', 'third']) block(state, id, 200)
  block(state, 'urgent', 200, { Priority: 90 })
  block(state, 'large', 600)
  t.same(picked(state, node.ID), ['urgent', 'first'])
  t.end()
})

t.test('a small job passes a large one that does not fit', (t) => {
  const node = aNode({ cpuMhz: 500 })
  const state = aState({ nodes: [node] })
  block(state, 'large', 600)
  block(state, 'small', 100)
  t.same(picked(state, node.ID), ['small'])
  t.end()
})

t.test('room on a node that a job can not use wakes nobody', (t) => {
  const windows = aNode({ name: 'w', nodeClass: 'windows' })
  const away = aNode({ name: 'a', datacenter: 'dc2' })
  const closed = aNode({ name: 'c' }, { SchedulingEligibility: 'ineligible' })
  const state = aState({ nodes: [windows, away, closed] })
  const Constraints = [{ LTarget: '${node.class}', RTarget: 'linux-64bit', Operand: '=' }]
  block(state, 'linux', 100, { Constraints, Datacenters: ['dc1'] })
  t.same(picked(state, windows.ID, away.ID, closed.ID, 'unknown'), [])
  const right = aNode({ name: 'r' })
  state.commit('NodeRegistration', [{ table: 'node', key: right.ID, put: right }])
  t.same(picked(state, right.ID), ['linux'])
  t.end()
})
