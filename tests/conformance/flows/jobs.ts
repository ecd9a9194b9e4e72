/** Registering, updating and stopping jobs. */
import type { Test } from 'tap'
import { aJob, eventTypes, eventually, untilStatus } from '../../dev/nomad-engine/support.ts'
import type { Json } from '../../dev/nomad-engine/support.ts'
import type { Target } from '../target.ts'

export async function jobFlows(t: Test, target: Target): Promise<void> {
  await t.test('a registered job has an evaluation, an allocation and an end', async (t) => {
    const { EvalID, JobModifyIndex } = await target.register(aJob('cf-run', 'exit 0'))
    await untilStatus(target, 'cf-run', 'complete')
    const evaluation = await target.get(`/v1/evaluation/${EvalID}`)
    t.match(evaluation, {
      Status: 'complete',
      TriggeredBy: 'job-register',
      Type: 'batch',
      Priority: 50,
      QueuedAllocations: { slice: 0 },
    })
    t.match(await target.get('/v1/job/cf-run'), {
      Status: 'dead',
      Stop: false,
      Version: 0,
      JobModifyIndex,
      Datacenters: ['*'],
      NodePool: 'default',
      Namespace: 'default',
      Region: 'global',
    })
    t.match(await target.get('/v1/job/cf-run/summary'), {
      JobID: 'cf-run',
      Summary: { slice: { Queued: 0, Complete: 1, Failed: 0, Running: 0, Starting: 0, Lost: 0 } },
    })
    t.equal(await target.get('/v1/job/cf-run/deployment'), null)
  })

  await t.test('the server completes what a job leaves out', async (t) => {
    const bare = { Name: 'main', Driver: 'raw_exec', Config: { command: '/bin/true' } }
    await target.register({
      ID: 'cf-bare',
      Type: 'batch',
      TaskGroups: [{ Name: 'g', Tasks: [bare] }],
    })
    const job = await target.get('/v1/job/cf-bare')
    t.match(job, {
      Name: 'cf-bare',
      Priority: 50,
      TaskGroups: [
        {
          Count: 1,
          RestartPolicy: { Attempts: 3, Delay: 15e9, Interval: 86_400e9, Mode: 'fail' },
          ReschedulePolicy: {
            Attempts: 1,
            Delay: 5e9,
            DelayFunction: 'constant',
            Unlimited: false,
          },
          EphemeralDisk: { SizeMB: 300 },
          Tasks: [
            {
              KillTimeout: 5e9,
              Resources: { CPU: 100, MemoryMB: 300 },
              LogConfig: { MaxFiles: 10, MaxFileSizeMB: 10 },
            },
          ],
        },
      ],
    })
    await untilStatus(target, 'cf-bare', 'complete')
  })

  await t.test('B4: the same text makes an evaluation, another text a new version', async (t) => {
    const job = aJob('cf-update', 'exec sleep 60')
    const first = await target.register(job)
    await untilStatus(target, 'cf-update', 'running')
    const same = await target.register(job)
    t.not(same.EvalID, first.EvalID)
    await eventually(
      async () => (await readEvaluation(target, same.EvalID))['Status'] === 'complete',
      'the second evaluation',
    )
    t.equal((await target.allocations('cf-update')).length, 1)

    await target.register(aJob('cf-update', 'exec sleep 61'))
    const [old, next] = await eventually(async () => {
      const both = await target.allocations('cf-update')
      return both.length === 2 && both[0]?.ClientStatus === 'complete' && both
    }, 'the old allocation to end')
    t.match(old, {
      DesiredStatus: 'stop',
      DesiredDescription: 'alloc is being updated due to job update',
      NextAllocation: next?.ID,
    })
    const { Versions } = await target.get<{ Versions: Json[] }>('/v1/job/cf-update/versions')
    t.same(
      Versions.map((version) => version['Version']),
      [1, 0],
    )
    await target.send('DELETE', '/v1/job/cf-update?purge=true')
  })

  await t.test('a change beside the task leaves it running', async (t) => {
    await target.register(aJob('cf-inplace', 'exec sleep 60', { job: { Priority: 40 } }))
    await untilStatus(target, 'cf-inplace', 'running')
    await target.register(aJob('cf-inplace', 'exec sleep 60', { job: { Priority: 60 } }))
    const [only, ...more] = await eventually(async () => {
      const all = await target.allocations('cf-inplace')
      return all[0] && 'JobVersion' in all[0] && all[0].JobVersion === 1 && all
    }, 'the allocation to take over the new version')
    t.equal(only?.ClientStatus, 'running')
    t.same(more, [])
    await target.send('DELETE', '/v1/job/cf-inplace?purge=true')
  })

  await t.test('stopping a job ends its allocation and keeps it readable', async (t) => {
    await target.register(aJob('cf-stop', 'exec sleep 60'))
    await untilStatus(target, 'cf-stop', 'running')
    const { EvalID } = await target.send<{ EvalID: string }>('DELETE', '/v1/job/cf-stop')
    const allocation = await untilStatus(target, 'cf-stop', 'complete')
    t.match(allocation, {
      DesiredStatus: 'stop',
      DesiredDescription: 'alloc not needed due to job update',
      ClientDescription: 'All tasks have completed',
    })
    t.same(eventTypes(allocation).slice(2), ['Started', 'Killing', 'Terminated', 'Killed'])
    t.match(await readEvaluation(target, EvalID), {
      TriggeredBy: 'job-deregister',
      Type: 'service',
    })
    t.match(await target.get('/v1/job/cf-stop'), { Stop: true, Status: 'dead', Version: 1 })
  })

  await t.test('purging a job makes it unknown', async (t) => {
    await target.register(aJob('cf-purge', 'exit 0'))
    await untilStatus(target, 'cf-purge', 'complete')
    await target.send('DELETE', '/v1/job/cf-purge?purge=true')
    t.equal((await target.fetch('/v1/job/cf-purge')).status, 404)
    await eventually(
      async () => (await target.allocations('cf-purge')).length === 0,
      'its allocation to be forgotten',
    )
  })

  await t.test('B55: stopping a job that does not exist is no error', async (t) => {
    const answer = await target.send('DELETE', '/v1/job/cf-never-was')
    t.match(answer, { EvalID: '', JobModifyIndex: 0 })
  })

  await t.test('a stopped job that is registered again runs again', async (t) => {
    await target.register(aJob('cf-again', 'exit 0'))
    await untilStatus(target, 'cf-again', 'complete')
    await target.send('DELETE', '/v1/job/cf-again')
    await target.register(aJob('cf-again', 'exit 0'))
    await eventually(
      async () =>
        (await target.allocations('cf-again')).filter((each) => each.ClientStatus === 'complete')
          .length === 2,
      'the second run',
    )
    t.match(await target.get('/v1/job/cf-again'), { Version: 2, Stop: false })
  })

  await t.test('the text of a job can be read back', async (t) => {
    const Submission = { Source: 'job "cf-text" {}', Format: 'hcl2', VariableFlags: { a: 'b' } }
    await target.register(aJob('cf-text', 'exit 0'), { Submission })
    t.match(await target.get('/v1/job/cf-text/submission?version=0'), Submission)
    await untilStatus(target, 'cf-text', 'complete')
  })
}

function readEvaluation(target: Target, id: string): Promise<Json> {
  return target.get(`/v1/evaluation/${id}`)
}
