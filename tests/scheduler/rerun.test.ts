import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import { isResult, type BuildRequestInput, type BuildView } from '../../src/model/index.ts'
import { agentOf, agentsOf, unwrap } from './support/agent.ts'
import { aRequest, startScheduler, untilBuild } from './support/scheduler.ts'

const isOver = (build: BuildView) => isResult(build.state)

/** A build of four slices that is over: the first and the last succeeded. */
async function startFailed(t: Parameters<typeof startScheduler>[0], more: BuildMore = {}) {
  const started = await startScheduler(t)
  const { scheduler, cluster } = started
  // Room for all of them at once.
  const [node] = cluster.nodes
  if (node !== undefined) cluster.nodes = [1, 2, 3].map((n) => ({ ...node, ID: `n${n}` }))
  const source = {
    kind: 'bundle' as const,
    id: await scheduler.storeSource(Readable.from([Buffer.from(BUNDLE)])),
  }
  await scheduler.submit(aRequest({ parallelism: 4, sha: 'f00d', priority: 60, source, ...more }))
  for (const [index, agent] of (await agentsOf(cluster, scheduler, 4)).entries()) {
    await agent.begin()
    unwrap(await agent.report(index === 1 || index === 2 ? 'exit_code' : 'succeeded'))
  }
  const old = await untilBuild(scheduler, '1', isOver)
  cluster.jobs.clear()
  cluster.allocations.clear()
  return { ...started, old }
}
type BuildMore = Partial<BuildRequestInput>

/** As much of a bundle as is looked at. */
const BUNDLE = '# v2 git bundle\n'

t.test('a whole rerun is a new build of the same slices, linked to the old one', async (t) => {
  const { scheduler, old } = await startFailed(t)
  const again = await scheduler.rerunBuild('1', { failed: false })
  t.match(again, { number: 2, rerun_of: 1, parallelism: 4, sha: 'f00d', state: 'queued' })
  t.not(again?.id, old.id)
  t.strictSame(
    again?.slices.map(({ index, epoch, state }) => [index, epoch, state]),
    [0, 1, 2, 3].map((index) => [index, 1, 'waiting_run']),
  )
  t.match(await scheduler.readBuild('1'), { state: 'failed', rerun_of: null })
  t.match(await scheduler.listBuilds({ limit: 5 }), { builds: [{ rerun_of: 1 }, {}] })
})

t.test('a rerun of what failed keeps indexes and total, and has a result of its own', async (t) => {
  const { scheduler, cluster } = await startFailed(t)
  const again = await scheduler.rerunBuild(String(1), { failed: true })
  t.strictSame(
    again?.slices.map(({ index }) => index),
    [1, 2],
  )
  const agents = await agentsOf(cluster, scheduler, 2)
  for (const [at, agent] of agents.entries()) {
    const { task } = await agent.begin()
    t.match(task, {
      build: { number: 2, sha: 'f00d' },
      slice: { index: at + 1, total: 4 },
      source: { kind: 'bundle' },
      environment: [{ values: { CIRCLE_NODE_INDEX: `${at + 1}`, CIRCLE_NODE_TOTAL: '4' } }, {}],
    })
    const source = unwrap(await scheduler.agents.source(agent.caller))
    t.equal((await source?.bytes.toArray())?.join(''), BUNDLE)
    t.equal(cluster.jobs.get(agent.jobId)?.Priority, 60)
    unwrap(await agent.report(at === 0 ? 'succeeded' : 'exit_code'))
  }
  t.match(await untilBuild(scheduler, '2', isOver), { state: 'failed', reason: 'exit_code' })

  const third = await scheduler.rerunBuild('2', { failed: true })
  t.match(third, { number: 3, rerun_of: 2, parallelism: 4 })
  t.strictSame(
    third?.slices.map(({ index }) => index),
    [2],
  )
})

t.test('what can not be run again says why', async (t) => {
  const { scheduler, dataDir } = await startFailed(t)
  t.equal(await scheduler.rerunBuild('77', { failed: false }), null)
  await scheduler.rerunBuild('1', { failed: true })
  await t.rejects(scheduler.rerunBuild('2', { failed: true }), {
    code: 'CONFLICT',
    message: 'build 2 is not over yet: wait or cancel it',
  })
  await rm(join(dataDir, 'sources'), { recursive: true })
  await t.rejects(scheduler.rerunBuild('1', { failed: false }), {
    code: 'CONFLICT',
    message: 'the source of build 1 is not kept any more: start a new build from commit f00d',
  })
})

t.test('of a build that succeeded there is nothing that failed to run again', async (t) => {
  const { scheduler, cluster } = await startScheduler(t)
  await scheduler.submit(aRequest())
  const agent = await agentOf(cluster, scheduler)
  await agent.begin()
  unwrap(await agent.report('succeeded'))
  await untilBuild(scheduler, '1', isOver)
  await t.rejects(scheduler.rerunBuild('1', { failed: true }), {
    code: 'CONFLICT',
    message: /every slice of build 1 succeeded/,
  })
})
