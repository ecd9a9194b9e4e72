/** What operators type when something is wrong, or has to be read by a program, with the real CLI. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { eventually, untilStatus } from '../../dev/nomad-engine/support.ts'
import type { Json } from '../../dev/nomad-engine/support.ts'
import { createExpectCli } from '../target.ts'
import type { Target } from '../target.ts'
import { toJobFile } from './cli.ts'

const ID = 'cf-operator'

export async function cliOperatorFlows(t: Test, target: Target): Promise<void> {
  if (target.cli === null) {
    t.pass('skipped, there is no nomad program')
    return
  }
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'job.nomad.hcl')
  writeFileSync(file, toJobFile(ID))
  const expectCli = createExpectCli(target)
  const toJson = async (args: string[]) => JSON.parse(await expectCli(args, 0)) as Json | Json[]

  await expectCli(['validate', file], 0)
  await expectCli(['run', '-detach', file], 0, 'Evaluation ID')
  const allocation = await untilStatus(target, ID, 'running')
  const short = allocation.ID.slice(0, 8)

  await t.test('jobs, for a program or in detail', async (t) => {
    t.match(await toJson(['job', 'status', '-json', ID]), [{ Summary: { JobID: ID } }])
    await expectCli(['job', 'status', '-short', ID], 0, ID)
    await expectCli(['job', 'status', '-verbose', ID], 0, allocation.ID, 'Evaluations')
    await expectCli(['job', 'status', '-evals', '-all-allocs', ID], 0, 'job-register')
    await expectCli(['job', 'status', 'no-such-job'], 1)
    await expectCli(['job', 'inspect', '-version', '0', ID], 0, `"ID": "${ID}"`)
    await expectCli(['job', 'history', '-p', ID], 0, /Version += 0/)
    await expectCli(['job', 'deployments', ID], 0, 'No deployments')
    t.match(await toJson(['job', 'allocs', '-json', ID]), [{ ID: allocation.ID, JobID: ID }])
    await expectCli(['job', 'allocs', '-verbose', ID], 0, allocation.ID)
    await expectCli(['job', 'eval', '-detach', ID], 0, 'Created eval ID')
    await expectCli(['job', 'eval', ID], 0, 'finished with status "complete"')
    t.equal((await target.allocations(ID)).length, 1, 'which places nothing twice')
  })

  await t.test('allocations and evaluations, in old spellings too', async (t) => {
    await expectCli(['alloc-status', short], 0, /Client Status += running/)
    await expectCli(['alloc', 'status', '-verbose', short], 0, allocation.ID, 'Placement Metrics')
    await expectCli(['alloc', 'status', '-short', short], 0, 'build-agent')
    t.match(await toJson(['alloc', 'status', '-json', short]), { ID: allocation.ID, JobID: ID })
    await expectCli(['alloc', 'status', 'ffffffff'], 1)
    await expectCli(['fs', short, 'alloc/logs'], 0, 'build-agent.stdout.0')
    await expectCli(['alloc', 'fs', '-stat', short, 'alloc/logs'], 0, /drwx/)
    t.equal(await expectCli(['alloc', 'logs', '-tail', '-n', '1', short], 0), 'to stdout\n')
    t.equal(await expectCli(['alloc', 'logs', '-task', 'build-agent', short], 0), 'to stdout\n')
    t.equal(await expectCli(['logs', short, 'build-agent'], 0), 'to stdout\n')
    await expectCli(['alloc', 'logs', short, 'no-such-task'], 1)
    const [evaluation] = await target.get<Json[]>(`/v1/job/${ID}/evaluations`)
    const id = String(evaluation?.['ID'])
    await expectCli(['eval-status', id.slice(0, 8)], 0, /Status += complete/)
    await expectCli(['eval', 'status', '-monitor', id.slice(0, 8)], 0, 'finished with status')
    t.match(await toJson(['eval', 'status', '-json', id]), { ID: id, JobID: ID })
    await expectCli(['eval', 'list', '-job', ID], 0, id.slice(0, 8))
  })

  await t.test('nodes, the server and its API', async (t) => {
    const [node] = await target.get<Json[]>('/v1/nodes')
    const nodeId = String(node?.['ID'])
    t.match(await toJson(['node', 'status', '-json']), [{ ID: nodeId, Status: 'ready' }])
    await expectCli(['node', 'status', '-verbose', nodeId.slice(0, 8)], 0, nodeId, 'Attributes')
    await expectCli(['node', 'status', '-stats', nodeId], 0, 'Memory Stats', 'Disk Stats')
    await expectCli(['node', 'status', '-short', nodeId], 0, short)
    await expectCli(['server-members'], 0, 'alive')
    await expectCli(['agent-info'], 0, 'client')
    await expectCli(['operator', 'metrics', '-json'], 0, 'nomad.')
    await expectCli(['operator', 'api', '-filter', `ID == "${ID}"`, '/v1/jobs'], 0, `"ID":"${ID}"`)
    const none = await expectCli(['operator', 'api', '-filter', 'ID == "none"', '/v1/jobs'], 0)
    t.equal(none.trim(), '[]')
    const algorithm = (name: string) => `-scheduler-algorithm=${name}`
    await expectCli(['operator', 'scheduler', 'set-config', algorithm('spread')], 0)
    await expectCli(['operator', 'scheduler', 'get-config'], 0, 'spread')
    await expectCli(['operator', 'scheduler', 'set-config', algorithm('binpack')], 0)
    await expectCli(['system', 'gc'], 0)
    t.equal((await target.allocations(ID)).length, 1, 'what runs is not collected')
  })

  await t.test('stopping an allocation, and a job in both ways', async (t) => {
    await expectCli(['alloc', 'stop', short], 0, 'finished with status "complete"')
    await untilStatus(target, ID, 'complete')
    t.equal((await target.allocations(ID)).length, 1, 'its policy lets nothing follow')
    await expectCli(['stop', '-detach', ID], 0)
    await eventually(async () => {
      return (await target.get(`/v1/job/${ID}`))['Stop'] === true
    }, 'the job to be stopped')
    await expectCli(['job', 'stop', '-purge', '-detach', ID], 0)
    await eventually(async () => {
      return (await target.fetch(`/v1/job/${ID}`)).status === 404
    }, 'the job to be gone')
    await expectCli(['job', 'stop', ID], 1)
  })
}
