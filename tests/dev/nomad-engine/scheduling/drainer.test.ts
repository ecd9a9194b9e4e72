import t from 'tap'
import { stepDrain } from '../../../../src/dev/nomad-engine/scheduling/drainer.ts'
import { NO_TRANSITION } from '../../../../src/dev/nomad-engine/objects/allocation.ts'
import type { Allocation } from '../../../../src/dev/nomad-engine/objects/allocation.ts'
import type { DrainStrategy } from '../../../../src/dev/nomad-engine/objects/node.ts'
import { aNode, anAllocation, aStoredJob, NOW_MS } from '../builders.ts'

const batch = aStoredJob('batch')
const service = aStoredJob('service', { job: { Type: 'service' } })
const system = aStoredJob('system', { job: { Type: 'system' } })

function step(allocations: Allocation[], strategy: Partial<DrainStrategy> = {}) {
  const DrainStrategy = {
    Deadline: 0,
    IgnoreSystemJobs: false,
    ForceDeadline: null,
    StartedAt: '',
    ...strategy,
  }
  const outcome = stepDrain(aNode({}, { DrainStrategy }), allocations, NOW_MS)
  return outcome && { ...outcome, migrate: outcome.migrate.map((each) => each.allocation.JobID) }
}

const at = (ms: number) => ({ ForceDeadline: new Date(NOW_MS + ms).toISOString() })
const migrating = { DesiredTransition: { ...NO_TRANSITION, Migrate: true } }

t.test('a node without a drain is left alone', (t) => {
  t.equal(stepDrain(aNode(), [anAllocation(batch)], NOW_MS), null)
  t.end()
})

t.test('batch work runs on, and the drain waits for it', (t) => {
  const waiting = { migrate: [], done: false, wakeAtMs: null, deadlineReached: false }
  t.same(step([anAllocation(batch)]), waiting)
  t.same(step([anAllocation(batch, { DesiredStatus: 'stop' })]), waiting, 'it still stops')
  t.match(step([anAllocation(batch, { ClientStatus: 'complete' })]), { done: true })
  t.match(step([]), { done: true })
  t.end()
})

t.test('services are asked away at once, and once', (t) => {
  t.same(step([anAllocation(service), anAllocation(batch)])?.migrate, ['service'])
  t.same(step([anAllocation(service, migrating)])?.migrate, [])
  t.end()
})

t.test('jobs that run everywhere go last, or not at all', (t) => {
  t.same(step([anAllocation(system), anAllocation(batch)])?.migrate, [])
  t.same(step([anAllocation(system)])?.migrate, ['system'])
  t.match(step([anAllocation(system, migrating)]), { done: false })
  const ignored = step([anAllocation(system)], { IgnoreSystemJobs: true })
  t.same(ignored?.migrate, [])
  t.equal(ignored?.done, true)
  t.end()
})

t.test('what runs once on every node is waited for, also where system jobs are ignored', (t) => {
  const once = aStoredJob('once', { job: { Type: 'sysbatch' } })
  for (const IgnoreSystemJobs of [true, false]) {
    t.match(step([anAllocation(once)], { IgnoreSystemJobs }), { migrate: [], done: false })
  }
  t.end()
})

t.test('the deadline takes everything, and then it is over', (t) => {
  const before = step([anAllocation(batch)], at(5000))
  t.match(before, { done: false, wakeAtMs: NOW_MS + 5000, deadlineReached: false })
  const reached = step([anAllocation(batch), anAllocation(system)], at(0))
  t.same(reached?.migrate, ['batch', 'system'])
  t.match(reached, { done: false, deadlineReached: true })
  t.match(step([anAllocation(batch, migrating)], at(0)), { done: true, deadlineReached: true })
  t.match(step([anAllocation(batch)], { Deadline: -1 }), { deadlineReached: true })
  t.end()
})
