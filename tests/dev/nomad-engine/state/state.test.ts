import t from 'tap'
import { createEvaluation } from '../../../../src/dev/nomad-engine/objects/evaluation.ts'
import { summarizeJob } from '../../../../src/dev/nomad-engine/state/summary.ts'
import { toJobKey } from '../../../../src/dev/nomad-engine/state/rows.ts'
import type { Commit } from '../../../../src/dev/nomad-engine/state/rows.ts'
import { aNode, anAllocation, aState, aStoredJob, NOW_MS, random } from '../builders.ts'

const context = { nowMs: NOW_MS, random }

t.test('every commit has the next index, and rows carry it', (t) => {
  const state = aState()
  const job = aStoredJob('job', {}, { CreateIndex: 0 })
  const key = toJobKey(job)
  const first = state.commit('JobRegistered', [{ table: 'job', key, put: job }])
  t.match(state.tables.job.get(key), { CreateIndex: first, ModifyIndex: first })
  const second = state.commit('Internal', [{ table: 'job', key, patch: { Stable: true } }])
  t.equal(second, first + 1)
  t.match(state.tables.job.get(key), { CreateIndex: first, ModifyIndex: second, Stable: true })
  t.equal(state.tables.job.lastIndex, second)
  t.end()
})

t.test('listeners hear of commits in order, also of those they cause', (t) => {
  const state = aState()
  const heard: number[] = []
  state.onCommit((commit) => {
    if (commit.type === 'JobRegistered') state.commit('EvaluationUpdated', [])
  })
  state.onCommit((commit) => heard.push(commit.index))
  state.commit('JobRegistered', [])
  state.commit('Internal', [])
  t.same(
    heard,
    [...heard].sort((a, b) => a - b),
  )
  t.equal(heard.length, 3)
  t.end()
})

t.test('the status of a job follows its allocations and evaluations', (t) => {
  const job = aStoredJob('job')
  const state = aState({ jobs: [job], nodes: [aNode({}, { ID: 'node' })] })
  const key = toJobKey(job)
  const status = () => state.tables.job.get(key)?.Status
  const evaluation = createEvaluation(job, 'job-register', context)
  state.commit('JobRegistered', [{ table: 'evaluation', key: evaluation.ID, put: evaluation }])
  t.equal(status(), 'pending')
  const allocation = anAllocation(job, { ClientStatus: 'pending' })
  const { ID } = allocation
  state.commit('PlanResult', [{ table: 'allocation', key: ID, put: allocation }])
  t.equal(status(), 'running')
  const done = { table: 'evaluation', key: evaluation.ID, patch: { Status: 'complete' } } as const
  state.commit('EvaluationUpdated', [done])
  t.equal(status(), 'running')
  const commits: Commit[] = []
  state.onCommit((commit) => commits.push(commit))
  const ended = { table: 'allocation', key: ID, patch: { ClientStatus: 'failed' } } as const
  state.commit('AllocationUpdated', [ended])
  t.equal(status(), 'dead')
  t.ok(
    commits[0]?.changes.some((change) => change.table === 'job'),
    'in the same commit',
  )
  t.end()
})

t.test('what is reserved on a node grows and shrinks with its allocations', (t) => {
  const job = aStoredJob('job', { task: { Resources: { CPU: 200, MemoryMB: 100 } } })
  const state = aState({ jobs: [job] })
  const allocation = anAllocation(job, { ClientStatus: 'pending' })
  const { ID } = allocation
  const reserved = () => state.indexes.ofNode('node').cpuMhz
  state.commit('PlanResult', [{ table: 'allocation', key: ID, put: allocation }])
  t.equal(reserved(), 200)
  for (const ClientStatus of ['running', 'complete'] as const) {
    state.commit('AllocationUpdated', [{ table: 'allocation', key: ID, patch: { ClientStatus } }])
  }
  t.equal(reserved(), 0)
  state.commit('Internal', [{ table: 'allocation', key: ID, drop: true }])
  t.equal(reserved(), 0)
  t.equal(state.indexes.ofNode('node').allocations.size, 0)
  t.end()
})

t.test('a summary counts allocations of this job, not of an earlier one', (t) => {
  const job = aStoredJob('job', { group: { Count: 3 } })
  const allocations = [
    anAllocation(job),
    anAllocation(job, { ClientStatus: 'failed' }),
    anAllocation({ ...job, CreateIndex: 1 }, { ClientStatus: 'complete' }),
  ]
  const state = aState({ jobs: [job], allocations })
  const evaluation = createEvaluation(job, 'job-register', context, {
    Status: 'complete',
    QueuedAllocations: { slice: 1 },
  })
  state.commit('EvaluationUpdated', [{ table: 'evaluation', key: evaluation.ID, put: evaluation }])
  t.match(summarizeJob(state, job).Summary['slice'], {
    Running: 1,
    Failed: 1,
    Complete: 0,
    Queued: 1,
  })
  t.end()
})

t.test('the last six versions of a job are kept, newest first', (t) => {
  const state = aState()
  const key = toJobKey(aStoredJob())
  for (let Version = 0; Version < 8; Version++) {
    state.commit('JobRegistered', [{ table: 'job', key, put: aStoredJob('job', {}, { Version }) }])
  }
  t.same(
    state.indexes.versions(key).map((job) => job.Version),
    [7, 6, 5, 4, 3, 2],
  )
  t.end()
})
