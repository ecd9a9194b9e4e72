import fc from 'fast-check'
import t from 'tap'
import { REASONS, REASON_NAMES } from '../../src/model/index.ts'
import { classify, type Evidence, type Verdict } from '../../src/scheduler/classify.ts'
import { aNode, anAllocation, withEvents } from './support/nomad.ts'

const running = { Stop: false, Status: 'running' }

function someEvidence(more: Partial<Evidence> = {}): Evidence {
  return {
    allocation: anAllocation(),
    job: running,
    node: aNode(),
    report: null,
    cancelReason: null,
    agentHeard: false,
    ...more,
  }
}

const stopped = { ClientStatus: 'complete', DesiredStatus: 'stop' } as const

const ROWS: [title: string, evidence: Partial<Evidence>, verdict: Partial<Verdict>][] = [
  ['a running allocation is live', {}, { kind: 'live', hint: null }],
  [
    'the report comes before what Nomad shows',
    {
      allocation: anAllocation({ ClientStatus: 'lost' }),
      report: { reason: 'succeeded', detail: '' },
    },
    { reason: 'succeeded' },
  ],
  ['no allocation yet', { allocation: null }, { kind: 'live' }],
  [
    'an operator stopped the job before it was placed',
    { allocation: null, job: { Stop: true, Status: 'dead' } },
    { reason: 'stopped_by_operator' },
  ],
  ['the job is gone, and so is the agent', { allocation: null, job: null }, { reason: 'vanished' }],
  [
    'the job is gone, but its agent still calls',
    { allocation: null, job: null, agentHeard: true },
    { kind: 'live' },
  ],
  [
    'an operator purged the job, and its agent has yet to report',
    { allocation: null, job: { Stop: true, Status: 'dead' }, agentHeard: true },
    { kind: 'live', hint: 'Nomad does not run the job any more' },
  ],
  [
    'a dead job without allocation is no success',
    { allocation: null, job: { Stop: false, Status: 'dead' } },
    { reason: 'vanished' },
  ],
  [
    'a disconnected node is waited for',
    { allocation: anAllocation({ ClientStatus: 'unknown' }) },
    { kind: 'live', hint: 'node worker-1 is disconnected' },
  ],
  [
    'an allocation that Nomad is stopping is not over yet',
    { allocation: anAllocation({ DesiredStatus: 'stop' }) },
    { kind: 'live', hint: 'Nomad is stopping the allocation' },
  ],
  [
    'a lost node',
    {
      allocation: anAllocation({
        ClientStatus: 'lost',
        DesiredStatus: 'stop',
        DesiredDescription: 'alloc is lost since its node is down',
      }),
    },
    { reason: 'node_lost', detail: 'node worker-1: alloc is lost since its node is down' },
  ],
  [
    'stopped because its node is down',
    {
      allocation: anAllocation({
        ...stopped,
        DesiredDescription: 'alloc not needed as node is tainted',
      }),
      node: aNode({ Status: 'down' }),
    },
    { reason: 'node_lost' },
  ],
  [
    'preempted, told by the desired status',
    { allocation: anAllocation({ ClientStatus: 'complete', DesiredStatus: 'evict' }) },
    { reason: 'preempted' },
  ],
  [
    'preempted and then lost is preempted',
    { allocation: anAllocation({ ClientStatus: 'lost', PreemptedByAllocation: 'b2' }) },
    { reason: 'preempted' },
  ],
  [
    'Nomad ended it at max_run_duration, as complete',
    {
      allocation: anAllocation({
        ClientStatus: 'complete',
        ClientDescription: 'allocation exceeded max_run_duration',
      }),
    },
    { reason: 'max_run_time' },
  ],
  [
    'an operator stopped the job',
    {
      allocation: anAllocation({
        ...stopped,
        DesiredDescription: 'alloc not needed due to job update',
      }),
      job: { Stop: true, Status: 'dead' },
    },
    { reason: 'stopped_by_operator' },
  ],
  [
    'an operator purged the job',
    { allocation: anAllocation(stopped), job: null },
    { reason: 'stopped_by_operator' },
  ],
  [
    'an operator stopped the allocation',
    {
      allocation: anAllocation({
        ...stopped,
        DesiredDescription: 'alloc is being migrated',
        DesiredTransition: { Migrate: true, Reschedule: true },
      }),
    },
    { reason: 'stopped_by_operator' },
  ],
  [
    'a drain ended it, and the node has forgotten the drain',
    {
      allocation: anAllocation({
        ...stopped,
        DesiredDescription: 'alloc is being migrated',
        DesiredTransition: { Migrate: true, MigrateDisablePlacement: true },
      }),
    },
    { reason: 'drained' },
  ],
  [
    'a drain ended it, on a version that does not mark it',
    {
      allocation: anAllocation({ ...stopped, DesiredTransition: { Migrate: true } }),
      node: aNode({ SchedulingEligibility: 'ineligible' }),
    },
    { reason: 'drained' },
  ],
  [
    'we asked it to stop',
    { allocation: anAllocation(stopped), cancelReason: 'canceled_by_user' },
    { reason: 'canceled_by_user' },
  ],
  [
    'complete with exit code 0 and no report is no success',
    {
      allocation: anAllocation({
        ...withEvents({ Type: 'Terminated', Details: { exit_code: '0', signal: '0' } }),
        ClientStatus: 'complete',
      }),
    },
    {
      reason: 'agent_crashed',
      detail: 'the agent ended with exit code 0: it said that all was reported',
    },
  ],
]

/** Every task event type of Nomad, and what the slice's reason is when it is the last one. */
const EVENTS: [type: string, details: Record<string, string>, reason: string][] = [
  ['Received', {}, 'agent_crashed'],
  ['Task Setup', {}, 'agent_crashed'],
  ['Building Task Directory', {}, 'agent_crashed'],
  ['Downloading Artifacts', {}, 'agent_crashed'],
  ['Failed Artifact Download', {}, 'agent_crashed'],
  ['Setup Failure', {}, 'agent_crashed'],
  ['Failed Validation', {}, 'agent_crashed'],
  ['Driver', {}, 'agent_crashed'],
  ['Driver Failure', { driver_error: 'binary "caravan" could not be found' }, 'agent_crashed'],
  ['Driver Failure', { driver_error: 'manifest unknown: no such tag' }, 'image_pull'],
  ['Driver Failure', { driver_error: 'pull access denied for acme/app' }, 'image_pull'],
  ['Driver Failure', { driver_error: 'toomanyrequests: rate limit' }, 'agent_crashed'],
  ['Started', {}, 'agent_crashed'],
  ['Running', {}, 'agent_crashed'],
  ['Terminated', { exit_code: '137', signal: '9', oom_killed: 'true' }, 'oom'],
  ['Terminated', { exit_code: '137', signal: '9', oom_killed: 'false' }, 'agent_crashed'],
  ['Terminated', { exit_code: '21', signal: '0' }, 'agent_crashed'],
  ['Restarting', {}, 'agent_crashed'],
  ['Not Restarting', {}, 'agent_crashed'],
  ['Restart Signaled', {}, 'agent_crashed'],
  ['Signaling', {}, 'agent_crashed'],
  ['Killing', {}, 'agent_crashed'],
  ['Killed', {}, 'agent_crashed'],
  ['Pausing', {}, 'agent_crashed'],
  ['Disk Resources Exceeded', {}, 'disk_full'],
  ['Sibling Task Failed', {}, 'agent_crashed'],
  ['Leader Task Dead', {}, 'agent_crashed'],
  ['Main Tasks Dead', {}, 'agent_crashed'],
  ['Task hook failed', {}, 'agent_crashed'],
  ['Task hook message', {}, 'agent_crashed'],
  ['Failed Restoring Task', {}, 'agent_crashed'],
  ['Plugin became unhealthy', {}, 'agent_crashed'],
  ['Plugin became healthy', {}, 'agent_crashed'],
  ['Reconnected', {}, 'agent_crashed'],
  ['Waiting for shutdown delay', {}, 'agent_crashed'],
  ['Skipping shutdown delay', {}, 'agent_crashed'],
]

for (const [title, evidence, verdict] of ROWS) {
  t.test(title, (t) => {
    t.match(classify(someEvidence(evidence)), verdict)
    t.end()
  })
}

t.test('B29: each kind of task event leads to its reason, and its words are kept', (t) => {
  for (const [Type, Details, reason] of EVENTS) {
    const allocation = anAllocation(withEvents({ Type: 'Received' }, { Type, Details }))
    const verdict = classify(someEvidence({ allocation }))
    t.match(verdict, { kind: 'over', reason }, `${Type} ${JSON.stringify(Details)}`)
  }
  t.end()
})

t.test('an earlier cause is not hidden by the end that it led to', (t) => {
  const allocation = anAllocation(
    withEvents(
      { Type: 'Disk Resources Exceeded', DisplayMessage: '301 MB of 300 MB' },
      { Type: 'Killing' },
      { Type: 'Terminated', Details: { exit_code: '137', signal: '9' } },
    ),
  )
  t.match(classify(someEvidence({ allocation })), {
    reason: 'disk_full',
    detail: 'Disk Resources Exceeded: 301 MB of 300 MB',
  })
  t.end()
})

t.test('B50: whatever Nomad shows, silence is no success and has a known reason', (t) => {
  const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null })
  const allocation = fc
    .record({
      ClientStatus: fc.constantFrom('pending', 'running', 'complete', 'failed', 'lost', 'unknown'),
      DesiredStatus: fc.constantFrom('run', 'stop', 'evict'),
      DesiredDescription: fc.string(),
      ClientDescription: fc.string(),
      TaskStates: maybe(
        fc.dictionary(
          fc.constantFrom('build-agent', 'other'),
          fc.record({
            State: fc.constant('dead' as const),
            Failed: fc.boolean(),
            Events: maybe(
              fc.array(
                fc.record({
                  Type: fc.constantFrom(...EVENTS.map(([type]) => type), 'Something New'),
                  Time: fc.nat(),
                  Details: maybe(fc.dictionary(fc.string(), fc.string())),
                }),
              ),
            ),
          }),
        ),
      ),
    })
    .map((fields) => anAllocation(fields as Partial<ReturnType<typeof anAllocation>>))
  const evidence = fc.record({
    allocation: maybe(allocation),
    job: maybe(
      fc.record({ Stop: fc.boolean(), Status: fc.constantFrom('pending', 'running', 'dead') }),
    ),
    node: maybe(fc.constantFrom(aNode(), aNode({ Drain: true }), aNode({ Status: 'down' }))),
    report: fc.constant(null),
    cancelReason: maybe(fc.constantFrom('canceled_by_user' as const, 'max_run_time' as const)),
    agentHeard: fc.boolean(),
  })
  const law = fc.property(evidence, (each) => {
    const verdict = classify(each)
    if (verdict.kind === 'live') return true
    return REASON_NAMES.includes(verdict.reason) && REASONS[verdict.reason].result !== 'succeeded'
  })
  t.doesNotThrow(() => fc.assert(law, { numRuns: 800 }))
  t.end()
})
