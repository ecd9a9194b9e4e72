/** Nodes: eligibility, drains, and what the agent says about itself. */
import type { Test } from 'tap'
import { aJob, eventTypes, eventually, untilStatus } from '../../dev/nomad-engine/support.ts'
import type { Json } from '../../dev/nomad-engine/support.ts'
import type { Target } from '../target.ts'

export async function nodeFlows(t: Test, target: Target): Promise<void> {
  const [stub] = await target.get<Json[]>('/v1/nodes?resources=true')
  const id = String(stub?.['ID'])
  const node = () => target.get(`/v1/node/${id}`)
  const drain = (DrainSpec: object | null, more = {}) =>
    target.send('PUT', `/v1/node/${id}/drain`, { NodeID: id, DrainSpec, ...more })
  const eligibility = (Eligibility: string) =>
    target.send('PUT', `/v1/node/${id}/eligibility`, { NodeID: id, Eligibility })

  await t.test('a node says what it offers and how it is', async (t) => {
    t.match(stub, {
      Status: 'ready',
      Drain: false,
      SchedulingEligibility: 'eligible',
      NodeClass: 'linux-64bit',
      NodePool: 'default',
      Drivers: { raw_exec: { Healthy: true, Detected: true } },
      NodeResources: { Cpu: { CpuShares: Number }, Memory: { MemoryMB: Number } },
    })
    t.match(await node(), {
      Attributes: { 'kernel.name': 'linux', 'driver.raw_exec': '1' },
      DrainStrategy: null,
      HTTPAddr: /:\d+$/,
      SecretID: '',
    })
    t.match(await target.get('/v1/agent/self'), { stats: { client: { node_id: id } } })
    t.match(await target.get('/v1/agent/health?type=server'), { server: { ok: true } })
    const { Members } = await target.get<{ Members: Json[] }>('/v1/agent/members')
    t.match(Members[0], { Status: 'alive', Tags: { build: /^\d+\.\d+\.\d+/, region: 'global' } })
    t.match(await target.get('/v1/regions'), ['global'])
    t.match(await target.get('/v1/namespaces'), [{ Name: 'default' }])
    t.match(await target.get('/v1/node/pools'), [{ Name: 'all' }, { Name: 'default' }])
    t.same(await target.get('/v1/volumes?type=csi'), [])
    t.match(await target.get('/v1/operator/scheduler/configuration'), {
      SchedulerConfig: { SchedulerAlgorithm: 'binpack', PauseEvalBroker: false },
    })
    t.match(await target.get(`/v1/client/stats?node_id=${id}`), { Memory: { Total: Number } })
    const { Gauges } = await target.get<{ Gauges: { Name: string }[] }>('/v1/metrics')
    t.ok(Gauges.some((gauge) => gauge.Name === 'nomad.nomad.job_status.dead'))
  })

  await t.test('a drain lets batch work finish and takes no more', async (t) => {
    const line = 'while [ ! -e "$NOMAD_ALLOC_DIR/../../cf-finish" ]; do sleep 0.05; done'
    await target.register(aJob('cf-drained', line.replace('/../../cf-finish', '/data/finish')))
    const running = await untilStatus(target, 'cf-drained', 'running')
    await drain({ Deadline: 0, IgnoreSystemJobs: false }, { Meta: { message: 'why' } })
    t.match(await node(), {
      Drain: true,
      SchedulingEligibility: 'ineligible',
      DrainStrategy: { Deadline: 0, ForceDeadline: null },
      LastDrain: { Status: 'draining', Meta: { message: 'why' } },
    })
    const refused = await target.fetch(`/v1/node/${id}/eligibility`, {
      method: 'PUT',
      body: JSON.stringify({ Eligibility: 'eligible' }),
    })
    t.equal(refused.status, 500)
    t.match(await refused.text(), 'while it is draining')

    await target.register(aJob('cf-waits', 'exit 0'))
    await eventually(
      async () => (await target.get('/v1/job/cf-waits'))['Status'] === 'pending',
      'the new job to wait',
    )
    t.match((await target.allocations('cf-drained'))[0], { DesiredStatus: 'run', ID: running.ID })

    await drain({ Deadline: 3600e9, IgnoreSystemJobs: false })
    t.match(
      await node(),
      {
        DrainStrategy: { Deadline: 3600e9 },
        LastDrain: { Status: 'draining', Meta: { message: 'why' } },
      },
      'changed without a word, it keeps what was told of it',
    )
    await target.send('DELETE', '/v1/job/cf-drained')
    await untilStatus(target, 'cf-drained', 'complete')
    await drain(null, { MarkEligible: true })
    t.match(await node(), { Drain: false, SchedulingEligibility: 'eligible' })
    await untilStatus(target, 'cf-waits', 'complete')
  })

  await t.test('a drain that leaves system jobs alone waits for those that run once', async (t) => {
    const more = { job: { Type: 'sysbatch' }, group: { ReschedulePolicy: null, Disconnect: null } }
    await target.register(aJob('cf-once', 'sleep 60', more))
    await untilStatus(target, 'cf-once', 'running')
    await drain({ Deadline: 0, IgnoreSystemJobs: true })
    t.match(await node(), { LastDrain: { Status: 'draining' } })
    t.match((await target.allocations('cf-once'))[0], { DesiredStatus: 'run' })
    await target.send('DELETE', '/v1/job/cf-once')
    await untilStatus(target, 'cf-once', 'complete')
    // Its end is not looked at; a change of the drain is.
    await drain({ Deadline: 8_640_000e9, IgnoreSystemJobs: true })
    await eventually(async () => {
      const { LastDrain } = await node()
      return (LastDrain as Json)['Status'] === 'complete'
    }, 'the drain to be over')
    await eligibility('eligible')
  })

  await t.test('a drain of an idle node is over at once and leaves it ineligible', async (t) => {
    await drain({ Deadline: 60e9, IgnoreSystemJobs: false })
    const drained = await eventually(async () => {
      const row = await node()
      return row['DrainStrategy'] === null && row
    }, 'the drain to be over')
    t.match(drained, { SchedulingEligibility: 'ineligible', LastDrain: { Status: 'complete' } })
    const events = drained['Events'] as Json[]
    t.match(events.at(-1), { Message: 'Node drain complete', Subsystem: 'Drain' })
    t.match(await eligibility('eligible'), { NodeModifyIndex: 0 })
    t.match(await eligibility('eligible'), { Index: 0 }, 'nothing to change')
  })

  await t.test('a forced drain stops what runs, and nothing follows it', async (t) => {
    await target.register(aJob('cf-forced', 'exec sleep 60'))
    await untilStatus(target, 'cf-forced', 'running')
    await drain({ Deadline: -1, IgnoreSystemJobs: false })
    const stopped = await untilStatus(target, 'cf-forced', 'complete')
    t.match(stopped, { DesiredStatus: 'stop', DesiredDescription: 'alloc is being migrated' })
    t.ok(eventTypes(stopped).includes('Killed'))
    await eventually(async () => (await node())['DrainStrategy'] === null, 'the drain to be over')
    await eligibility('eligible')
    await eventually(
      async () => (await target.get('/v1/job/cf-forced'))['Status'] === 'dead',
      'the job to be dead',
    )
    t.equal((await target.allocations('cf-forced')).length, 1)
  })
}
