import t from 'tap'
import type { NomadJob } from '../../src/nomad/index.ts'
import { type FakeAnswer, fakeNomad } from '../support/fake-nomad.ts'

const job: NomadJob = { ID: 'a', Name: 'a', Type: 'batch', TaskGroups: [] }
const receipt = { EvalID: 'e', JobModifyIndex: 7, Warnings: 'old' }
const allocation = {
  ID: 'x',
  JobID: 'a',
  NodeID: 'n',
  DesiredStatus: 'run',
  ClientStatus: 'running',
  ModifyIndex: 3,
}
const node = {
  ID: 'n',
  Name: 'n1',
  Status: 'ready',
  SchedulingEligibility: 'eligible',
  ModifyIndex: 4,
}

t.test('a job is registered as it is, and only where the enforced index allows it', async (t) => {
  const conflict = { text: 'Enforcing job modify index 0: job already exists' }
  const answers: FakeAnswer[] = [{ json: receipt }, conflict, { json: receipt }, conflict]
  const { nomad, calls } = await fakeNomad(t, () => answers.shift())
  t.same(await nomad.registerJob(job, { enforceIndex: 0 }), {
    kind: 'registered',
    evalId: 'e',
    jobModifyIndex: 7,
    index: 7,
    warnings: 'old',
  })
  t.same(await nomad.registerJob(job, { enforceIndex: 0 }), { kind: 'conflict', index: 0 })
  const submission = { Source: 'job "a" {}', Format: 'hcl2' } as const
  await nomad.registerJob({ ...job, Namespace: 'ci' }, { submission })
  await t.rejects(nomad.registerJob(job), { code: 'NOMAD_REJECTED' }, 'nothing was enforced')
  t.match(calls[0], { method: 'PUT', path: '/v1/jobs' })
  t.same(calls[0]?.body, { Job: job, EnforceIndex: true, JobModifyIndex: 0 })
  t.same(calls[2]?.body, { Job: { ...job, Namespace: 'ci' }, Submission: submission })
  t.equal(calls[2]?.query.get('namespace'), 'ci')
})

t.test('an object that Nomad does not have is null', async (t) => {
  const { nomad, calls } = await fakeNomad(t, ({ path }) => {
    const kind = path.split('/')[2] ?? ''
    const name = { allocation: 'alloc', evaluation: 'eval' }[kind] ?? kind
    return { status: 404, text: `${name} not found` }
  })
  t.equal(await nomad.readJob('a/b c'), null)
  t.equal(await nomad.readNode('x'), null)
  t.equal(await nomad.readAllocation('x'), null)
  t.equal(await nomad.readEvaluation('x'), null)
  t.equal(calls[0]?.path, '/v1/job/a%2Fb%20c')
})

t.test('a 404 that Nomad did not write is an error, not a missing object', async (t) => {
  const { nomad } = await fakeNomad(t, () => ({ status: 404, text: '404 page not found' }))
  await t.rejects(nomad.readJob('a'), {
    code: 'NOMAD_REJECTED',
    detail: { problem: 'no_such_path' },
  })
})

t.test('an answer without what we need is malformed', async (t) => {
  const wrong: unknown[] = [{ ID: 'a' }, [], 'job', { ...job, TaskGroups: null }]
  for (const json of wrong) {
    const { nomad } = await fakeNomad(t, () => ({ json }))
    await t.rejects(nomad.readJob('a'), {
      code: 'NOMAD_UNREACHABLE',
      detail: { problem: 'malformed_answer' },
    })
  }
  const { nomad } = await fakeNomad(t, () => ({ json: [allocation, { ...allocation, ID: 5 }] }))
  await t.rejects(nomad.jobAllocations('a'), {
    cause: { message: 'item 1 is malformed', cause: { message: 'ID is no string' } },
  })
  const none = await fakeNomad(t, () => ({ json: null }))
  t.same(await none.nomad.jobAllocations('a'), [], 'an empty list may be null')
})

t.test('jobs are stopped, purged and evaluated', async (t) => {
  const { nomad, calls } = await fakeNomad(t, ({ method }) => ({
    json: method === 'DELETE' ? { EvalID: '', JobModifyIndex: 0 } : receipt,
  }))
  t.same(await nomad.deregisterJob('a'), { evalId: '', index: 7 })
  await nomad.deregisterJob('a', { purge: true })
  t.same(await nomad.evaluateJob('a'), { evalId: 'e', index: 7 })
  t.same(
    calls.map(({ method, path, query }) => `${method} ${path}?${query.toString()}`),
    [
      'DELETE /v1/job/a?namespace=default',
      'DELETE /v1/job/a?namespace=default&purge=true',
      'PUT /v1/job/a/evaluate?namespace=default',
    ],
  )
})

t.test('the states of many jobs are asked for in parts', async (t) => {
  const { nomad, calls } = await fakeNomad(t, ({ body }) => {
    const { Jobs } = body as { Jobs: { ID: string }[] }
    return { json: Jobs.filter(({ ID }) => ID !== '7').map(({ ID }) => ({ ID, Status: 'dead' })) }
  })
  const ids = Array.from({ length: 450 }, (_, index) => String(index))
  const statuses = await nomad.jobStatuses(ids, { namespace: 'ci' })
  t.same(
    statuses?.map(({ ID }) => ID),
    ids.filter((id) => id !== '7'),
  )
  t.equal(calls.length, 3)
  t.match(calls[0], { method: 'POST', path: '/v1/jobs/statuses' })
  t.match(calls[0]?.body, { Jobs: [{ ID: '0', Namespace: 'ci' }] })
  t.same(await nomad.jobStatuses([]), [])
  t.equal(calls.length, 3, 'nothing is asked for no jobs')
})

t.test('a server without job states is told by null', async (t) => {
  const { nomad } = await fakeNomad(t, () => ({ status: 404, text: '' }))
  t.equal(await nomad.jobStatuses(['a']), null)
})

t.test('a job file is parsed by Nomad, or its mistake told', async (t) => {
  const answers: FakeAnswer[] = [
    { json: { ID: 'a', Type: null } },
    { status: 400, text: 'Failed to parse job: input.hcl:2,13-3,1: Invalid block definition' },
    { status: 403, text: 'Permission denied' },
  ]
  const { nomad, calls } = await fakeNomad(t, () => answers.shift())
  t.match(await nomad.parseJob('job', { variables: 'a = 1' }), { kind: 'parsed', job: { ID: 'a' } })
  t.same(await nomad.parseJob('job'), {
    kind: 'invalid',
    text: 'Failed to parse job: input.hcl:2,13-3,1: Invalid block definition',
  })
  await t.rejects(nomad.parseJob('job'), { code: 'NOMAD_FORBIDDEN' })
  t.same(calls[0]?.body, { JobHCL: 'job', Canonicalize: false, Variables: 'a = 1' })
})

t.test('nodes are drained with our kind of deadline', async (t) => {
  const json = { EvalIDs: null, NodeModifyIndex: 9 }
  const { nomad, calls } = await fakeNomad(t, () => ({ json }))
  t.same(await nomad.drainNode('n', { deadlineMs: null }), {
    evalIds: [],
    nodeModifyIndex: 9,
    index: 7,
  })
  await nomad.drainNode('n', { deadlineMs: 1500, ignoreSystemJobs: true }, { meta: { why: 'age' } })
  await nomad.drainNode('n', { deadlineMs: 0 })
  await nomad.drainNode('n', null, { markEligible: true })
  await nomad.setEligibility('n', 'ineligible')
  const spec = (Deadline: number, IgnoreSystemJobs = false) => ({ Deadline, IgnoreSystemJobs })
  t.match(calls, [
    { method: 'PUT', path: '/v1/node/n/drain', body: { NodeID: 'n', DrainSpec: spec(0) } },
    { body: { DrainSpec: spec(1_500_000_000, true), MarkEligible: false, Meta: { why: 'age' } } },
    { body: { DrainSpec: spec(1_000_000) } },
    { body: { DrainSpec: null, MarkEligible: true } },
    { path: '/v1/node/n/eligibility', body: { NodeID: 'n', Eligibility: 'ineligible' } },
  ])
})

t.test('allocations of jobs and nodes are read', async (t) => {
  const { nomad, calls } = await fakeNomad(t, ({ path }) => ({
    json: path.startsWith('/v1/allocation/') ? allocation : [allocation],
  }))
  t.same(await nomad.jobAllocations('a', { all: true }), [allocation])
  t.same(await nomad.nodeAllocations('n'), [allocation])
  t.same(await nomad.readAllocation('x'), allocation)
  t.match(
    calls.map(({ path }) => path),
    ['/v1/job/a/allocations', '/v1/node/n/allocations', '/v1/allocation/x'],
  )
  t.equal(calls[0]?.query.get('all'), 'true')
})

t.test('B66: the end of a task log is text, or null when there is none', async (t) => {
  const answers: FakeAnswer[] = [
    { status: 200, text: 'last line\n' },
    { status: 404, text: 'Unknown allocation "x"' },
    { status: 404, text: 'No path to node' },
    { status: 400, text: 'unknown task name "y"' },
  ]
  const { nomad, calls } = await fakeNomad(t, () => answers.shift())
  const options = { task: 'build-agent', type: 'stderr', bytesMax: 1000 } as const
  t.equal(await nomad.tailTaskLog('x', options), 'last line\n')
  t.equal(await nomad.tailTaskLog('x', options), null)
  t.equal(await nomad.tailTaskLog('x', options), null)
  await t.rejects(nomad.tailTaskLog('x', options), { code: 'NOMAD_REJECTED' })
  t.equal(
    calls[0]?.query.toString(),
    'namespace=default&task=build-agent&type=stderr&plain=true&origin=end&offset=1000',
  )
})

t.test('the cluster tells version, leader and scheduler configuration', async (t) => {
  const answers: Record<string, FakeAnswer> = {
    '/v1/agent/self': { json: { member: { Tags: { build: '1.7.7+ent' } } } },
    '/v1/status/leader': { json: '10.0.0.1:4647' },
    '/v1/operator/scheduler/configuration': {
      json: { SchedulerConfig: { PauseEvalBroker: true } },
    },
    '/v1/node/n': { json: node },
  }
  const { nomad } = await fakeNomad(t, ({ path }) => answers[path])
  t.match(await nomad.version(), { text: '1.7.7+ent', major: 1, minor: 7, patch: 7 })
  t.equal(await nomad.leader(), '10.0.0.1:4647')
  t.same(await nomad.schedulerConfiguration(), { PauseEvalBroker: true })
  t.same(await nomad.readNode('n'), node)

  answers['/v1/agent/self'] = { json: { config: { Version: { Version: '2.0.5' } } } }
  t.match(await nomad.version(), { text: '2.0.5' }, 'a client agent has no member')
  answers['/v1/agent/self'] = { status: 403, text: 'Permission denied' }
  t.equal(await nomad.version(), null)
  answers['/v1/status/leader'] = { json: '' }
  t.equal(await nomad.leader(), null)
  answers['/v1/status/leader'] = { text: 'No cluster leader' }
  t.equal(await nomad.leader(), null)
})
