import t from 'tap'
import { isResult, PROTOCOLS } from '../../../src/model/index.ts'
import { ScriptedAgent, agentOf, unwrap } from '../support/agent.ts'
import { aRequest, startScheduler, until, untilBuild } from '../support/scheduler.ts'

async function startBuild(t: Parameters<typeof startScheduler>[0], options = {}) {
  const started = await startScheduler(t, options)
  await started.scheduler.submit(aRequest({ sha: 'f00d' }, ['echo hello']))
  return started
}

t.test(
  'a claim is answered with the task, and once more the same when it is repeated',
  async (t) => {
    const { scheduler, cluster } = await startBuild(t)
    const agent = await agentOf(cluster, scheduler)
    const first = unwrap(await agent.claim())
    t.match(first, {
      lease_ms: 60_000,
      control: { version: 1, action: 'none' },
      task: {
        build: { number: 1, org: 'acme', repo: 'site', branch: 'main', sha: 'f00d', job: 'test' },
        slice: { index: 0, total: 1 },
        steps: [{ kind: 'run', command: 'echo hello' }],
        environment: [
          {
            layer: 'built-in',
            values: {
              CI: 'true',
              CIRCLECI: 'true',
              CIRCLE_BUILD_NUM: '1',
              CIRCLE_NODE_INDEX: '0',
              CIRCLE_NODE_TOTAL: '1',
              CIRCLE_SHA1: 'f00d',
            },
          },
          { layer: 'job', values: {} },
        ],
        limits: { max_run_time_ms: 18_000_000, output_bytes: 1024 ** 3, orphan_ms: 1_800_000 },
      },
    })
    t.notOk('CIRCLE_REPOSITORY_URL' in (first.task.environment[0]?.values ?? {}))
    const again = unwrap(await agent.claim())
    t.equal(again.session, first.session)
    t.strictSame(again.task, first.task)
    unwrap(await scheduler.agents.accept(agent.caller))
    unwrap(await scheduler.agents.accept(agent.caller))
    t.equal((await scheduler.readBuild('1'))?.slices[0]?.state, 'running')
  },
)

t.test('the same claim twice at the same time is one claim', async (t) => {
  const { scheduler, cluster } = await startBuild(t)
  const agent = await agentOf(cluster, scheduler)
  const answers = await Promise.all([agent.claim(), agent.claim(), agent.claim()])
  const sessions = new Set(answers.map((answer) => unwrap(answer).session))
  t.equal(sessions.size, 1)
})

t.test('a claim of another process is refused, whoever came first', async (t) => {
  const { scheduler, cluster } = await startBuild(t)
  const first = await agentOf(cluster, scheduler)
  const [job] = cluster.jobs.values()
  const [allocation] = cluster.allocations.values()
  if (!job || !allocation) throw new Error('no job')
  const second = new ScriptedAgent(scheduler.agents, job, allocation, 'another process here')
  const answers = await Promise.all([first.claim(), second.claim()])
  t.equal(answers.filter((answer) => answer.ok).length, 1)
  t.match(
    answers.find((answer) => !answer.ok),
    { refusal: 'taken' },
  )
})

t.test('a claim needs its token and our protocol', async (t) => {
  const { scheduler, cluster } = await startBuild(t)
  const agent = await agentOf(cluster, scheduler)
  t.match(await agent.claim({ token: 'x' }), { refusal: 'bad_token' })
  t.match(await agent.claim({ token: `${agent.token}x` }), { refusal: 'bad_token' })
  t.match(await agent.claim({ token: '' }), { refusal: 'bad_token' })
  t.match(await agent.claim({ protocol: 99 }), { refusal: 'protocol' })
  t.ok((await agent.claim()).ok)
})

t.test(
  'agents of neighbouring versions are taken, and told which protocol is spoken',
  async (t) => {
    const { oldest, newest } = PROTOCOLS
    for (const protocol of new Set([oldest, newest])) {
      const { scheduler, cluster } = await startBuild(t)
      const agent = await agentOf(cluster, scheduler)
      t.match(await agent.claim({ protocol }), { ok: true, value: { protocol } }, `${protocol}`)
    }
    const { scheduler, cluster } = await startBuild(t)
    const agent = await agentOf(cluster, scheduler)
    t.match(await agent.claim({ protocol: oldest - 1 }), { refusal: 'protocol' })
    const newer = { protocol: newest + 2, protocol_oldest: newest + 1 }
    t.match(await agent.claim(newer), { refusal: 'protocol' })
    const next = { protocol: newest + 1, protocol_oldest: newest }
    t.match(await agent.claim(next), { ok: true, value: { protocol: newest } })
  },
)

t.test('a second allocation of the same job is refused, also when the first is gone', async (t) => {
  const { scheduler, cluster } = await startBuild(t)
  const agent = await agentOf(cluster, scheduler)
  const [job] = cluster.jobs.values()
  if (!job) throw new Error('no job')
  const other = new ScriptedAgent(scheduler.agents, job, cluster.place(job.ID))
  t.match(await other.claim(), { refusal: 'fenced' })
  t.ok((await agent.claim()).ok)
  t.match(await other.claim(), { ok: false })
})

t.test('an allocation that Nomad does not show yet is told to ask again', async (t) => {
  const { scheduler, cluster } = await startScheduler(t)
  cluster.places = false
  cluster.hasEvents = false
  await scheduler.submit(aRequest())
  await untilBuild(scheduler, '1', ({ slices }) => slices[0]?.state === 'placing')
  const [job] = cluster.jobs.values()
  if (!job) throw new Error('no job')
  const early = new ScriptedAgent(scheduler.agents, job, {
    ID: 'soon',
    NodeID: 'n1',
    NodeName: 'n',
  })
  t.match(await early.claim(), { refusal: 'not_ready' })
  cluster.place(job.ID, { ID: 'soon' })
  const replaced = new ScriptedAgent(scheduler.agents, job, cluster.place(job.ID, { ID: 'later' }))
  t.match(await replaced.claim(), { refusal: 'fenced' })
  t.ok((await early.claim()).ok)
  const view = await scheduler.readBuild('1')
  t.match(view?.slices[0], { state: 'starting', allocation_id: 'soon', node_name: 'worker-1' })
})

t.test('a slice that is over has nothing to claim, and an old session no say', async (t) => {
  const { scheduler, cluster } = await startBuild(t)
  const agent = await agentOf(cluster, scheduler)
  unwrap(await agent.claim())
  const canceled = await scheduler.cancelBuild('1')
  t.ok(canceled && isResult(canceled.state), 'nothing of it had run')
  t.match(await agent.claim(), { refusal: 'fenced' })
  t.match(await scheduler.agents.accept(agent.caller), { refusal: 'fenced' })
  t.match(await agent.send({ type: 'notice', text: 'x' }), { refusal: 'fenced' })
  const { signal } = new AbortController()
  const orders = await scheduler.agents.control(agent.caller, { seen: 9, waitMs: 0 }, signal)
  t.match(orders, { refusal: 'fenced' })
  await until(() => cluster.stopped.length > 0, 'the job is stopped')
})

t.test('a caller is known by build, slice, epoch and session, all four', async (t) => {
  const { scheduler, cluster } = await startBuild(t)
  const agent = await agentOf(cluster, scheduler)
  await agent.begin()
  const { caller } = agent
  const { agents } = scheduler
  t.match(await agents.accept({ ...caller, session: `${caller.session}x` }), {
    refusal: 'bad_token',
  })
  t.match(await agents.accept({ ...caller, epoch: 2 }), { refusal: 'fenced' })
  const slice = caller.slice.replace(/-0$/, '-1') as typeof caller.slice
  t.match(await agents.accept({ ...caller, slice }), { refusal: 'fenced' })
  const nonsense = 'nonsense' as typeof caller.slice
  t.match(await agents.accept({ ...caller, slice: nonsense }), { refusal: 'fenced' })
  t.ok((await agents.accept(caller)).ok)
})
