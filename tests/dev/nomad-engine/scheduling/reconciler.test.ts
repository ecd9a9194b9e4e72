import t from 'tap'
import { reconcile } from '../../../../src/dev/nomad-engine/scheduling/reconciler.ts'
import type { Allocation } from '../../../../src/dev/nomad-engine/objects/allocation.ts'
import { NO_TRANSITION } from '../../../../src/dev/nomad-engine/objects/allocation.ts'
import type { Job } from '../../../../src/dev/nomad-engine/objects/job.ts'
import { aNode, anAllocation, aStoredJob, NOW_MS } from '../builders.ts'

const node = aNode({}, { ID: 'node' })

function look(job: Job | undefined, allocations: Allocation[], more: object = {}) {
  const nodes = new Map([[node.ID, node]])
  const result = reconcile({
    job,
    allocations,
    nodes,
    everywhere: [],
    nowMs: NOW_MS,
    evaluationId: 'evaluation',
    ...more,
  })
  return {
    stop: result.stop.map((each) => each.description),
    place: result.place.map((each) => each.name),
    update: result.update.length,
    later: result.later.map((each) => each.atMs - NOW_MS),
    result,
  }
}

const rescheduled = (Attempts: number) => ({
  group: {
    ReschedulePolicy: {
      Attempts,
      Interval: 3600e9,
      Delay: 5e9,
      DelayFunction: 'constant',
      Unlimited: false,
    },
  },
})

t.test('a new job gets all of its places', (t) => {
  const job = aStoredJob('new', { group: { Count: 3 } })
  t.same(look(job, []).place, ['new.slice[0]', 'new.slice[1]', 'new.slice[2]'])
  t.end()
})

t.test('what happens to an allocation, by its state', (t) => {
  const job = aStoredJob('job', rescheduled(0))
  const retried = aStoredJob('job', rescheduled(1))
  const older = aStoredJob('job', { job: { Meta: { a: '1' } } }, { Version: 0 })
  const newer = aStoredJob('job', { job: { Meta: { a: '2' } } }, { Version: 1 })
  const moved = aStoredJob('job', { job: { Priority: 60 } }, { Version: 1 })
  const name = 'job.slice[0]'
  const migrating = (more: object) => ({
    DesiredTransition: { ...NO_TRANSITION, Migrate: true, ...more },
  })
  const long = { ModifyTime: (NOW_MS - 60_000) * 1e6 }
  type Row = [what: string, job: Job | undefined, allocation: Allocation, expected: object]
  const cases: Row[] = [
    ['runs', job, anAllocation(job), { stop: [], place: [] }],
    ['succeeded', job, anAllocation(job, { ClientStatus: 'complete' }), { stop: [], place: [] }],
    [
      'failed for good',
      job,
      anAllocation(job, { ClientStatus: 'failed' }),
      { stop: [], place: [] },
    ],
    [
      'failed, to be tried later',
      retried,
      anAllocation(retried, { ClientStatus: 'failed' }),
      { stop: [], place: [], later: [5000] },
    ],
    [
      'failed, and the time has come',
      retried,
      anAllocation(retried, { ClientStatus: 'failed', ...long }),
      { stop: ['alloc was rescheduled because it failed'], place: [name] },
    ],
    [
      'failed, and this is the evaluation it was put off to',
      retried,
      anAllocation(retried, { ClientStatus: 'failed', FollowupEvalID: 'evaluation' }),
      { place: [name] },
    ],
    [
      'failed, and another evaluation will see to it',
      retried,
      anAllocation(retried, { ClientStatus: 'failed', FollowupEvalID: 'other' }),
      { stop: [], place: [], later: [] },
    ],
    [
      'its node is gone',
      job,
      anAllocation(job, { NodeID: 'gone' }),
      { stop: ['alloc is lost since its node is down'], place: [name] },
    ],
    [
      'lost already',
      job,
      anAllocation(job, { ClientStatus: 'lost', DesiredStatus: 'stop' }),
      { place: [name] },
    ],
    [
      'asked away',
      job,
      anAllocation(job, migrating({})),
      { stop: ['alloc is being migrated'], place: [name] },
    ],
    [
      'drained away',
      job,
      anAllocation(job, migrating({ MigrateDisablePlacement: true })),
      { stop: ['alloc is being migrated'], place: [] },
    ],
    [
      'asked away by a policy of none',
      job,
      anAllocation(job, migrating({ Reschedule: true })),
      { stop: ['alloc is being migrated'], place: [], later: [] },
    ],
    [
      'asked away by a policy of one',
      retried,
      anAllocation(retried, migrating({ Reschedule: true })),
      { stop: ['alloc is being migrated'], place: [], later: [5000] },
    ],
    [
      'was drained away before',
      job,
      anAllocation(job, {
        DesiredStatus: 'stop',
        ClientStatus: 'complete',
        ...migrating({ MigrateDisablePlacement: true }),
      }),
      { stop: [], place: [] },
    ],
    [
      'of an older text',
      newer,
      anAllocation(older),
      { stop: ['alloc is being updated due to job update'], place: [name] },
    ],
    [
      'succeeded with an older text',
      newer,
      anAllocation(older, { ClientStatus: 'complete' }),
      { stop: [], place: [name] },
    ],
    [
      'of a text that differs beside the task',
      moved,
      anAllocation(aStoredJob('job')),
      { stop: [], place: [], update: 1 },
    ],
    [
      'its job is stopped',
      { ...job, Stop: true },
      anAllocation(job),
      { stop: ['alloc not needed due to job update'], place: [] },
    ],
    [
      'its job is gone',
      undefined,
      anAllocation(job),
      { stop: ['alloc not needed due to job update'], place: [] },
    ],
    [
      'of an earlier job with this id',
      { ...job, CreateIndex: 99 },
      anAllocation(job),
      { stop: ['alloc not needed due to job update'], place: [name] },
    ],
  ]
  for (const [what, wanted, allocation, expected] of cases) {
    const found = Object.entries(look(wanted, [allocation]))
    t.same(Object.fromEntries(found.filter(([key]) => key in expected)), expected, what)
  }
  t.end()
})

t.test('allocations beyond the count go, the others stay', (t) => {
  const job = aStoredJob('job', { group: { Count: 1 } })
  const all = [0, 1, 2].map((index) => anAllocation(job, { Name: `job.slice[${index}]` }))
  const { result } = look(job, all)
  t.same(
    result.stop.map((each) => each.allocation.Name),
    ['job.slice[1]', 'job.slice[2]'],
  )
  t.match(result.desired['slice'], { Stop: 2, Ignore: 1, Place: 0 })
  t.end()
})

t.test('a replacement knows what it follows, and how often that happened', (t) => {
  const job = aStoredJob('job', rescheduled(2))
  const event = { RescheduleTime: NOW_MS * 1e6, PrevAllocID: 'a', PrevNodeID: 'n', Delay: 5e9 }
  const tracker = (count: number) => ({
    Events: Array.from({ length: count }, () => event),
    LastReschedule: 'ok',
  })
  const failed = (count: number) =>
    anAllocation(job, {
      ClientStatus: 'failed',
      FollowupEvalID: 'evaluation',
      RescheduleTracker: tracker(count),
    })
  const second = failed(1)
  t.match(look(job, [second]).result.place, [
    { previous: { allocation: second, rescheduleDelayNs: 5e9 } },
  ])
  t.same(look(job, [failed(2)]).place, [], 'twice is all')
  t.end()
})

t.test('a job that runs everywhere has one place on each node', (t) => {
  const job = aStoredJob('agent', { job: { Type: 'system' } })
  const other = aNode({ name: 'other' })
  const { result } = look(job, [anAllocation(job, { Name: 'agent.slice[0]' })], {
    everywhere: [node, other],
  })
  t.same(
    result.place.map((each) => each.nodeId),
    [other.ID],
  )
  t.end()
})
