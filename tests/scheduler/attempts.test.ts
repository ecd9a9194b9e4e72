import type { Test } from 'tap'
import t from 'tap'
import { isResult, type BuildView, type FollowEvent } from '../../src/model/index.ts'
import type { Scheduler } from '../../src/scheduler/index.ts'
import type { FakeCluster } from './support/cluster.ts'
import { ScriptedAgent, agentOf, agentsOf, stepFinished, unwrap } from './support/agent.ts'
import { aNode, anEvaluation } from './support/nomad.ts'
import { aFolder, aRequest, startScheduler, until, untilBuild } from './support/scheduler.ts'

const isOver = (build: BuildView) => isResult(build.state)
const LOST = { ClientStatus: 'lost', DesiredDescription: 'alloc is lost since its node is down' }

/** Loses the node of an agent: of all ends the one with the shortest wait. */
function lose(cluster: FakeCluster, agent: ScriptedAgent): void {
  cluster.change(agent.allocationId, LOST as Parameters<FakeCluster['change']>[1])
}

/** The agent of this attempt at a slice, once its job is placed. */
async function agentOfAttempt(
  cluster: FakeCluster,
  scheduler: Scheduler,
  job: RegExp,
): Promise<ScriptedAgent> {
  const allocation = await until(
    () => [...cluster.allocations.values()].find((each) => job.test(each.JobID)),
    `an allocation of ${job}`,
  )
  const made = cluster.jobs.get(allocation.JobID)
  if (made === undefined) throw new Error(`no job ${allocation.JobID}`)
  return new ScriptedAgent(scheduler.agents, made, allocation)
}

async function readOutput(scheduler: Scheduler, epoch?: number): Promise<string | undefined> {
  const place = { ref: '1', slice: 0, step: 0, ...(epoch === undefined ? {} : { epoch }) }
  const read = await scheduler.readOutput(place, { offset: 0 })
  return (await read?.bytes.toArray())?.join('')
}

async function follow(t: Test, scheduler: Scheduler): Promise<FollowEvent[]> {
  const stop = new AbortController()
  const events: FollowEvent[] = []
  const reading = (async () => {
    for await (const event of scheduler.follow('1', { output: true }, stop.signal)) {
      events.push(event)
    }
  })()
  t.teardown(async () => {
    stop.abort()
    await reading
  })
  await until(() => events.length > 0, 'the follower has begun')
  return events
}

t.test('a slice whose node is lost is tried again, alone, and its build succeeds', async (t) => {
  const { scheduler, cluster } = await startScheduler(t)
  cluster.nodes = [aNode(), aNode({ ID: 'n2', Name: 'worker-2' })]
  await scheduler.submit(aRequest({ parallelism: 2 }, ['echo hello']))
  const events = await follow(t, scheduler)
  const [first, other] = await agentsOf(cluster, scheduler, 2)
  if (first === undefined || other === undefined) throw new Error('no agents')
  for (const agent of [first, other]) await agent.begin()
  unwrap(await first.send({ type: 'step_started', step: 0, attempt: 1 }))
  unwrap(await first.output(0, 0, 'of the first attempt'))
  lose(cluster, first)

  const between = await untilBuild(scheduler, '1', ({ slices }) => slices[0]?.epoch === 2)
  t.match(between, { state: 'running', slices: [{}, { epoch: 1, state: 'running' }] })
  t.match(between.slices[0], {
    nomad_job_id: /-0-build-acme-site-1-r2$/,
    earlier_attempts: [
      {
        epoch: 1,
        nomad_job_id: /-0-build-acme-site-1$/,
        allocation_id: first.allocationId,
        node_name: 'worker-1',
        reason: 'node_lost',
        steps: [{ state: 'canceled', output: { have: 20 } }],
      },
    ],
    notices: [{ epoch: 1, text: /^node lost, tried again \(2 of 3\): node worker-1/ }],
    steps: [{ state: 'waiting', output: { have: 0 } }],
  })
  t.match(await first.send({ type: 'notice', text: 'I live' }), { refusal: 'fenced' })
  t.match(await first.output(0, 20, 'more'), { refusal: 'fenced' })
  t.match(await first.claim(), { refusal: 'fenced' })
  await until(() => cluster.stopped.length > 0, 'the job of the first attempt is stopped')
  t.match(cluster.stopped, [between.slices[0]?.earlier_attempts[0]?.nomad_job_id])

  const second = await agentOfAttempt(cluster, scheduler, /-0-build-.*-r2$/)
  const job = cluster.jobs.get(second.jobId)
  t.match(job?.TaskGroups[0]?.['Affinities'], [
    { LTarget: '${node.unique.id}', RTarget: 'n1', Operand: '=', Weight: -100 },
  ])
  t.equal(cluster.registrations, 3)
  for (const agent of [second, other]) {
    if (agent === second) await agent.begin()
    await agent.step(0, 'of the last one')
    unwrap(await agent.report('succeeded'))
  }
  t.match(await untilBuild(scheduler, '1', isOver), { state: 'succeeded', reason: 'succeeded' })
  t.equal(await readOutput(scheduler), 'of the last one')
  t.equal(await readOutput(scheduler, 1), 'of the first attempt')
  t.equal(await readOutput(scheduler, 3), undefined)
  const told = await until(() => events.filter(({ type }) => type === 'notice'), 'the notice')
  t.match(told, [{ slice: 0, text: /^node lost, tried again \(2 of 3\)/ }])
})

t.test('after the last attempt the slice has the result of the last failure', async (t) => {
  const limits = { infrastructure_retries: 1 }
  const { scheduler, cluster } = await startScheduler(t, { settings: { limits } })
  await scheduler.submit(aRequest())
  lose(cluster, await agentOf(cluster, scheduler))
  lose(cluster, await agentOfAttempt(cluster, scheduler, /-r2$/))
  const over = await untilBuild(scheduler, '1', isOver)
  t.match(over, { state: 'infrastructure_failed', reason: 'node_lost' })
  t.match(over.slices[0], { epoch: 2, detail: /\(attempt 2 of 2\)$/, earlier_attempts: [{}] })
  t.equal(cluster.registrations, 2)
})

t.test('what the agent itself reports of the infrastructure is tried again, too', async (t) => {
  const { scheduler, cluster } = await startScheduler(t)
  await scheduler.submit(aRequest({}, ['true']))
  const agent = await agentOf(cluster, scheduler)
  await agent.begin()
  await agent.step(0, 'cut short', 'canceled')
  unwrap(await agent.report('drained', 'the node is drained'))
  const again = await untilBuild(scheduler, '1', ({ slices }) => slices[0]?.epoch === 2)
  t.match(again.slices[0]?.earlier_attempts, [{ reason: 'drained', detail: 'the node is drained' }])
})

t.test('a failure of the build itself is never tried again', async (t) => {
  const { scheduler, cluster } = await startScheduler(t)
  await scheduler.submit(aRequest())
  const agent = await agentOf(cluster, scheduler)
  await agent.begin()
  await agent.send(stepFinished(0, '', 'failed'))
  await agent.report('exit_code')
  t.match(await untilBuild(scheduler, '1', isOver), {
    state: 'failed',
    slices: [{ epoch: 1, earlier_attempts: [] }],
  })
})

t.test('an outdated commit is not tried again', async (t) => {
  const { scheduler, cluster } = await startScheduler(t)
  await scheduler.submit(aRequest({ sha: 'old' }))
  const agent = await agentOf(cluster, scheduler)
  await agent.begin()
  await scheduler.submit(aRequest({ branch: 'another' }))
  await scheduler.submit(aRequest({ sha: 'new' }))
  lose(cluster, agent)
  t.match(await untilBuild(scheduler, '1', isOver), {
    state: 'infrastructure_failed',
    reason: 'node_lost',
    slices: [{ epoch: 1, detail: /not tried again: build 3 of the same branch is newer/ }],
  })
})

t.test('a build that is canceled between two attempts gets no other one', async (t) => {
  const { scheduler, cluster } = await startScheduler(t)
  await scheduler.submit(aRequest())
  lose(cluster, await agentOf(cluster, scheduler))
  await untilBuild(scheduler, '1', ({ slices }) => slices[0]?.epoch === 2)
  const canceled = await scheduler.cancelBuild('1')
  t.match(canceled, { state: 'canceled', slices: [{ earlier_attempts: [{}] }] })
  t.equal(cluster.registrations, 1)
})

t.test('a restart between two attempts loses none and makes none twice', async (t) => {
  const dataDir = aFolder(t)
  const first = await startScheduler(t, { dataDir })
  const { cluster } = first
  const stopJob = cluster.deregisterJob.bind(cluster)
  cluster.deregisterJob = () => Promise.reject(new Error('Nomad is away'))
  await first.scheduler.submit(aRequest())
  lose(cluster, await agentOf(cluster, first.scheduler))
  await untilBuild(first.scheduler, '1', ({ slices }) => slices[0]?.epoch === 2)
  await first.close()
  t.equal(cluster.registrations, 1)

  cluster.deregisterJob = stopJob
  const { scheduler } = await startScheduler(t, { dataDir, nomad: cluster })
  const agent = await agentOfAttempt(cluster, scheduler, /-r2$/)
  await until(() => cluster.stopped.length === 1, 'the old job is stopped all the same')
  await agent.begin()
  await agent.step(0, 'hello')
  unwrap(await agent.report('succeeded'))
  t.match(await untilBuild(scheduler, '1', isOver), { state: 'succeeded', slices: [{ epoch: 2 }] })
  t.equal(cluster.registrations, 2)
})

t.test('a job that Nomad gave up on is evaluated again, once in a while', async (t) => {
  const { scheduler, cluster } = await startScheduler(t)
  cluster.places = false
  await scheduler.submit(aRequest())
  await untilBuild(scheduler, '1', ({ slices }) => slices[0]?.state === 'placing')
  const [job = ''] = cluster.jobs.keys()
  const failed = anEvaluation({ JobID: job, Status: 'failed', CreateIndex: 5 })
  const followUp = { Status: 'pending', TriggeredBy: 'failed-follow-up', CreateIndex: 6 } as const
  cluster.evaluations.push(failed, anEvaluation({ JobID: job, ...followUp }))
  for (let times = 0; times < 3; times++) cluster.emit('Evaluation', { Evaluation: failed })
  const view = await untilBuild(scheduler, '1', ({ slices }) => slices[0]?.detail !== '')
  t.equal(view.slices[0]?.detail, 'Nomad could not evaluate the job and is asked again')
  t.strictSame(cluster.evaluated, [job])
})
