/** What the server says no to, and how. */
import type { Test } from 'tap'
import { aJob, eventually } from '../../dev/nomad-engine/support.ts'
import type { Target } from '../target.ts'

const NO_ID = 'e49e4cd4-0946-5002-ae7c-68d6f3da258a'

export async function refusalFlows(t: Test, target: Target): Promise<void> {
  await t.test('errors are bare sentences with a status that tells little', async (t) => {
    const job = aJob('cf-x', 'exit 0')
    const nowhere = { ...job, NodePool: 'cf-nowhere' }
    const cases: [method: string, path: string, body: unknown, status: number, text: string][] = [
      ['PUT', '/v1/jobs', {}, 400, 'Job must be specified'],
      ['PUT', '/v1/jobs', { Job: { Name: 'x' } }, 400, "Job ID hasn't been provided"],
      ['PUT', '/v1/job/other', { Job: job }, 400, 'Job ID does not match name'],
      ['PUT', '/v1/jobs', { Job: { ID: 'x', Type: 'batch' } }, 500, 'Missing job task groups'],
      ['PUT', '/v1/jobs', { Job: { ...job, ID: 'a b' } }, 500, 'Job ID contains a space'],
      ['PUT', '/v1/jobs', { Job: { ...job, Type: 'odd' } }, 500, 'Invalid job type: "odd"'],
      ['PUT', '/v1/jobs', { Job: { ...job, Priority: 500 } }, 500, 'must be between [1, 100]'],
      ['PUT', '/v1/jobs', { Job: nowhere }, 500, 'is in nonexistent node pool "cf-nowhere"'],
      ['PUT', '/v1/jobs', { Job: { ...job, Region: 'eu' } }, 500, 'No path to region'],
      ['GET', '/v1/job/cf-none', undefined, 404, 'job not found'],
      ['GET', '/v1/job/cf-none/summary', undefined, 404, 'job not found'],
      ['GET', '/v1/job/cf-none/versions', undefined, 404, 'job versions not found'],
      ['GET', `/v1/allocation/${NO_ID}`, undefined, 404, 'alloc not found'],
      ['GET', '/v1/allocation/x', undefined, 500, 'UUID must be 36 characters'],
      ['GET', `/v1/evaluation/${NO_ID}`, undefined, 404, 'eval not found'],
      ['GET', `/v1/node/${NO_ID}`, undefined, 404, 'node not found'],
      ['PUT', `/v1/allocation/${NO_ID}/stop`, undefined, 404, 'allocation not found'],
      ['PUT', `/v1/node/${NO_ID}/drain`, { DrainSpec: null }, 500, 'node not found'],
      ['GET', '/v1/jobs?index=x', undefined, 400, 'Invalid index'],
      ['GET', '/v1/jobs?index=1&wait=soon', undefined, 400, 'Invalid wait time'],
      ['GET', '/v1/jobs?per_page=x', undefined, 400, 'Expect a number for `per_page`'],
      ['GET', '/v1/jobs?filter=Status', undefined, 400, 'failed to create result paginator'],
      ['GET', '/v1/allocations?prefix=abc', undefined, 500, 'must be even length'],
      ['GET', '/v1/event/stream?index=x', undefined, 400, 'Unable to parse index'],
      ['POST', '/v1/system/gc', undefined, 405, 'Invalid method'],
      ['PATCH', '/v1/jobs', undefined, 405, 'Invalid method'],
    ]
    for (const [method, path, body, status, text] of cases) {
      const response = await target.fetch(path, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const answer = await response.text()
      t.equal(response.status, status, `${method} ${path}: ${answer.trim()}`)
      t.ok(answer.includes(text), `${method} ${path} says ${text}, not ${answer.trim()}`)
      t.match(response.headers.get('content-type'), 'text/plain')
    }
    t.equal((await target.fetch('/v1/nowhere')).status, 404)
  })

  await t.test('create-only registration tells who was first', async (t) => {
    const job = aJob('cf-once', 'exec sleep 60')
    const { JobModifyIndex } = await target.register(job, { EnforceIndex: true, JobModifyIndex: 0 })
    const conflict = async (index: number, id = 'cf-once') => {
      const body = { Job: { ...job, ID: id, Name: id }, EnforceIndex: true, JobModifyIndex: index }
      const response = await target.fetch('/v1/jobs', { method: 'PUT', body: JSON.stringify(body) })
      t.equal(response.status, 500)
      return (await response.text()).trim()
    }
    t.equal(await conflict(0), 'Enforcing job modify index 0: job already exists')
    t.equal(
      await conflict(1),
      `Enforcing job modify index 1: job exists with conflicting job modify index: ${JobModifyIndex}`,
    )
    t.equal(await conflict(1, 'cf-not-there'), 'Enforcing job modify index 1: job does not exist')
    await target.send('DELETE', '/v1/job/cf-once?purge=true')
  })

  await t.test('a job that fits nowhere waits, and says why', async (t) => {
    const noNode = { Constraints: [{ LTarget: '${node.class}', RTarget: 'cf', Operand: '=' }] }
    const tooLarge = { Resources: { CPU: 100, MemoryMB: 900_000_000 } }
    const noDriver = { Driver: 'cf-driver' }
    const cases = [
      ['cf-filtered', { group: noNode }, { ConstraintFiltered: { '${node.class} = cf': Number } }],
      ['cf-exhausted', { task: tooLarge }, { DimensionExhausted: { memory: Number } }],
      ['cf-driverless', { task: noDriver }, { ConstraintFiltered: { 'missing drivers': Number } }],
      ['cf-far', { job: { Datacenters: ['cf-far'] } }, { NodesEvaluated: 0, NodesAvailable: {} }],
    ] as const
    for (const [id, more, metric] of cases) {
      const { EvalID } = await target.register(aJob(id, 'exit 0', more))
      const evaluation = await eventually(async () => {
        const row = await target.get(`/v1/evaluation/${EvalID}`)
        return row['Status'] === 'complete' && row
      }, `the evaluation of ${id}`)
      t.match(
        evaluation,
        { FailedTGAllocs: { slice: metric }, QueuedAllocations: { slice: 1 } },
        id,
      )
      const blocked = await target.get(`/v1/evaluation/${String(evaluation['BlockedEval'])}`)
      t.match(blocked, {
        Status: 'blocked',
        TriggeredBy: 'queued-allocs',
        StatusDescription: 'created to place remaining allocations',
        PreviousEval: EvalID,
      })
      t.match(await target.get(`/v1/job/${id}`), { Status: 'pending' })
      t.match(await target.get(`/v1/job/${id}/summary`), { Summary: { slice: { Queued: 1 } } })
      await target.send('DELETE', `/v1/job/${id}`)
      await eventually(async () => {
        const row = await target.get(`/v1/evaluation/${String(blocked['ID'])}`)
        return row['Status'] === 'canceled'
      }, `the wait of ${id} to be canceled`)
    }
  })
}
