import { Readable } from 'node:stream'
import t from 'tap'
import { isResult, type BuildView } from '../../src/model/index.ts'
import { agentOf, agentsOf, unwrap } from './support/agent.ts'
import { aRequest, startScheduler, until, untilBuild } from './support/scheduler.ts'

const isOver = (build: BuildView) => isResult(build.state)

t.test('a parallel build runs to its result, and its jobs are closed, not purged', async (t) => {
  const { scheduler, cluster } = await startScheduler(t)
  const build = await scheduler.submit(aRequest({ parallelism: 3 }, ['echo one', 'echo two']))
  t.match(build, { number: 1, state: 'queued', parallelism: 3, job: 'test' })

  const agents = await agentsOf(cluster, scheduler, 3)
  const claims = await Promise.all(agents.map((agent) => agent.begin()))
  t.strictSame(
    claims.map(({ task }) => task.slice),
    [
      { index: 0, total: 3 },
      { index: 1, total: 3 },
      { index: 2, total: 3 },
    ],
  )
  for (const [index, agent] of agents.entries()) {
    await agent.step(0, `one ${index}\n`)
    await agent.step(1, `two ${index}\n`, index === 1 ? 'failed' : 'succeeded')
    unwrap(await agent.report(index === 1 ? 'exit_code' : 'succeeded', 'step 1: exit code 1'))
  }
  const over = await untilBuild(scheduler, '1', isOver)
  t.match(over, { state: 'failed', reason: 'exit_code' })
  t.strictSame(
    over.slices.map((slice) => slice.state),
    ['succeeded', 'failed', 'succeeded'],
  )
  t.match(over.slices[1], {
    reason: 'exit_code',
    detail: 'step 1: exit code 1',
    node_name: 'worker-1',
    nomad_job_id: `${build.id}-1-build-acme-site-1`,
    steps: [
      { index: 0, name: 'echo one', state: 'succeeded', exit_code: 0, seconds: 0.005 },
      { state: 'failed', exit_code: 1, output: { length: 6, have: 6 } },
    ],
  })
  const read = await scheduler.readOutput({ ref: '1', slice: 2, step: 1 }, { offset: 4 })
  t.equal(read?.complete, true)
  t.equal((await read?.bytes.toArray())?.join(''), '2\n')

  for (const id of cluster.allocations.keys()) cluster.change(id, { ClientStatus: 'complete' })
  await until(async () => (await scheduler.health()).length === 0, 'health')
  t.strictSame(cluster.stopped, [], 'jobs of slices that reported end by themselves')
  t.equal(cluster.jobs.size, 3)
})

t.test('a job is registered with what operators, the agent and recovery need', async (t) => {
  const { scheduler, cluster } = await startScheduler(t)
  const { id } = await scheduler.submit(aRequest({ priority: 60, sha: 'abc' }))
  await until(() => cluster.jobs.size === 1, 'a job')
  const [job] = [...cluster.jobs.values()]
  t.match(job, {
    ID: `${id}-0-build-acme-site-1`,
    Type: 'batch',
    Priority: 60,
    Namespace: 'default',
    Meta: {
      org: 'acme',
      build: id,
      number: '1',
      slice: '0',
      epoch: '1',
      spec_hash: /^[0-9a-f]{64}$/,
    },
    TaskGroups: [
      {
        Name: 'slice',
        // 10 minutes to start, 5 hours to run, 5 minutes for everybody else to notice.
        MaxRunDuration: 18_900 * 1e9,
        Tasks: [
          {
            Name: 'build-agent',
            Config: { command: '/usr/bin/caravan', args: ['build-agent'] },
            Env: { CARAVAN_SLICE: `${id}-0`, CARAVAN_CLAIM_TOKEN: /^[\w-]{43}$/ },
            Resources: { CPU: 5000, MemoryMB: 8704 },
          },
        ],
      },
    ],
  })
})

t.test(
  'B33: an older server gets no max_run_duration, and its creations are checked',
  async (t) => {
    const { scheduler, cluster } = await startScheduler(t)
    cluster.versionText = '1.9.3'
    await scheduler.submit(aRequest())
    // What the events tell may be stored before the answer to the registration.
    await untilBuild(scheduler, '1', ({ slices: [slice] }) => {
      return slice?.allocation_id !== null && slice?.state === 'placing'
    })
    t.equal([...cluster.jobs.values()][0]?.TaskGroups[0]?.MaxRunDuration, undefined)
  },
)

t.test('a dry run shows the jobs and stores nothing', async (t) => {
  const { scheduler, cluster } = await startScheduler(t)
  const shown = await scheduler.dryRun(aRequest({ parallelism: 2 }))
  t.equal(shown.slices.length, 2)
  t.match(shown.slices[1], {
    vars: { slice: 1 },
    job: { Type: 'batch' },
    added: { namespace: 'default' },
  })
  t.notMatch(JSON.stringify(shown), /CLAIM_TOKEN/)
  t.strictSame(await scheduler.listBuilds({ limit: 10 }), { builds: [], next_cursor: null })
  t.equal(cluster.jobs.size, 0)
})

t.test('a configuration that can not be run is refused with its places', async (t) => {
  const { scheduler } = await startScheduler(t)
  const broken = aRequest({ config: 'version: 2.1\njobs: []\n' })
  await t.rejects(scheduler.submit(broken), {
    code: 'CONFIG_INVALID',
    detail: { problems: [{ file: '.circleci/config.yml', line: 2 }] },
  })
  const two = '{machine: true, steps: [checkout]}'
  const several = aRequest({ config: `version: 2.1\njobs: {unit: ${two}, lint: ${two}}\n` })
  await t.rejects(scheduler.submit(several), {
    code: 'INPUT_INVALID',
    detail: { jobs: ['unit', 'lint'] },
  })
  const source = { kind: 'bundle' as const, id: '0'.repeat(64) }
  await t.rejects(scheduler.submit(aRequest({ source })), { message: /was not uploaded/ })
})

t.test('builds are listed newest first, page by page, and found by id or number', async (t) => {
  const { scheduler, cluster } = await startScheduler(t)
  cluster.nodes = []
  const ids: string[] = []
  for (const branch of ['a', 'b', 'c']) ids.push((await scheduler.submit(aRequest({ branch }))).id)
  const first = await scheduler.listBuilds({ limit: 2 })
  t.strictSame(
    first.builds.map(({ branch }) => branch),
    ['c', 'b'],
  )
  const rest = await scheduler.listBuilds({ limit: 2, cursor: first.next_cursor ?? '' })
  t.strictSame(
    rest.builds.map(({ branch }) => branch),
    ['a'],
  )
  t.equal(rest.next_cursor, null)
  t.equal((await scheduler.readBuild(ids[1] ?? ''))?.number, 2)
  t.equal(await scheduler.readBuild('77'), null)
  t.equal(await scheduler.cancelBuild('77'), null)
  await t.rejects(scheduler.listBuilds({ limit: 2, cursor: 'x' }), { code: 'INPUT_INVALID' })
})

t.test('B40: a class that no node can hold ends the build at once, with the biggest', async (t) => {
  const { scheduler, cluster } = await startScheduler(t)
  cluster.nodes = cluster.nodes.map((node) => ({ ...node, NodeClass: '' }))
  await scheduler.submit(aRequest({ parallelism: 2 }))
  const build = await untilBuild(scheduler, '1', isOver)
  t.match(build, { state: 'infrastructure_failed', reason: 'no_placement' })
  t.match(build.slices[1]?.detail, /no node has that class; the biggest node is worker-1/)
  t.equal(cluster.registrations, 0)
})

t.test('without any node a build waits, says why, and starts when one comes', async (t) => {
  const { scheduler, cluster } = await startScheduler(t)
  const [node] = cluster.nodes
  cluster.nodes = []
  await scheduler.submit(aRequest())
  const waiting = await untilBuild(scheduler, '1', ({ slices }) => slices[0]?.detail !== '')
  t.equal(waiting.slices[0]?.detail, 'waits for a node: no node of class linux-64bit takes work')
  if (node) cluster.nodes = [node]
  cluster.emit('Node', {})
  await untilBuild(scheduler, '1', ({ slices }) => slices[0]?.state === 'placing')
})

t.test('only what has room soon is registered; the rest follows as slices end', async (t) => {
  const { scheduler, cluster } = await startScheduler(t)
  await scheduler.submit(aRequest({ parallelism: 10 }))
  // Three places, and as many ahead.
  await until(() => cluster.jobs.size === 6, 'six jobs')
  const view = await untilBuild(scheduler, '1', ({ slices }) =>
    slices.some(({ detail }) => detail.startsWith('waits for capacity')),
  )
  t.equal(view.slices.filter(({ state }) => state === 'waiting_run').length, 4)
  // How many follow an end depends on how many are known to have a place by then.
  const ended = new Set<string>()
  await until(async () => {
    for (const agent of await agentsOf(cluster, scheduler, cluster.jobs.size)) {
      if (ended.has(agent.jobId)) continue
      ended.add(agent.jobId)
      await agent.begin()
      await agent.report('succeeded')
    }
    return ended.size === 10
  }, 'the other jobs')
})

t.test(
  'a source is kept once under its hash, and only the agent of a build with it gets it',
  async (t) => {
    const { scheduler, cluster } = await startScheduler(t)
    const bytes = '# v2 git bundle\nand a pack'
    const id = await scheduler.storeSource(Readable.from([Buffer.from(bytes)]))
    t.equal(await scheduler.storeSource(Readable.from([Buffer.from(bytes)])), id)
    await scheduler.submit(aRequest({ source: { kind: 'bundle', id } }))
    const agent = await agentOf(cluster, scheduler)
    await agent.begin()
    const source = unwrap(await scheduler.agents.source(agent.caller))
    t.equal(source?.length, bytes.length)
    t.equal((await source?.bytes.toArray())?.join(''), bytes)
    const stranger = { ...agent.caller, session: 'guessed' }
    t.match(await scheduler.agents.source(stranger), { refusal: 'bad_token' })
  },
)
