/** What operators type, with the real CLI; and what older operators type. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { untilStatus } from '../../dev/nomad-engine/support.ts'
import type { Json } from '../../dev/nomad-engine/support.ts'
import { createExpectCli, runCli } from '../target.ts'
import type { Target } from '../target.ts'

const JOB = toJobFile('cf-cli')

/** A job that writes a line to either stream and goes on for a minute. */
export function toJobFile(id: string): string {
  return `
job "${id}" {
  type = "batch"
  meta {
    org = "acme"
  }
  group "slice" {
    restart {
      attempts = 0
      mode     = "fail"
    }
    reschedule {
      attempts  = 0
      unlimited = false
    }
    task "build-agent" {
      driver = "raw_exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "echo to stdout; echo to stderr >&2; exec sleep 60"]
      }
      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
`
}

export async function cliFlows(t: Test, target: Target): Promise<void> {
  if (target.cli === null) {
    t.comment('no nomad program: put one on the PATH or name it in NOMAD_BIN to run these flows')
    t.pass('skipped, there is no nomad program')
    return
  }
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'job.nomad.hcl')
  writeFileSync(file, JOB)
  const [node] = await target.get<Json[]>('/v1/nodes')
  const nodeId = String(node?.['ID'])
  const expectCli = createExpectCli(target)

  await expectCli(['job', 'validate', file], 0)
  await expectCli(['job', 'run', file], 0, 'finished with status "complete"', 'Allocation "')
  const { ID } = await untilStatus(target, 'cf-cli', 'running')
  const short = ID.slice(0, 8)
  const [evaluation] = await target.get<Json[]>('/v1/job/cf-cli/evaluations')

  await t.test('jobs, in new spellings and old', async () => {
    await expectCli(['job', 'status'], 0, /cf-cli +batch +50 +running/)
    await expectCli(['status'], 0, /cf-cli +batch +50 +running/)
    for (const args of [
      ['job', 'status', 'cf-cli'],
      ['status', 'cf-cli'],
    ]) {
      await expectCli(args, 0, /Status +(?:= )?running/, short, /slice +0 +0 +1 +0 +0 +0 +0/)
    }
    await expectCli(['job', 'inspect', 'cf-cli'], 0, '"ID": "cf-cli"')
    await expectCli(['inspect', 'cf-cli'], 0, '"ID": "cf-cli"')
    await expectCli(['job', 'inspect', '-hcl', 'cf-cli'], 0, 'job "cf-cli" {')
    await expectCli(['job', 'history', 'cf-cli'], 0, /Version += 0/)
    await expectCli(['job', 'allocs', 'cf-cli'], 0, short)
    await expectCli(['job', 'run', '-check-index', '0', file], 1)
    await expectCli(['operator', 'api', '/v1/job/cf-cli'], 0, '"ID":"cf-cli"')
  })

  await t.test('allocations and their output', async (t) => {
    await expectCli(
      ['alloc', 'status', short],
      0,
      /Client Status += running/,
      'Task received by client',
    )
    await expectCli(['status', short], 0, ID)
    for (const args of [['alloc', 'logs'], ['logs']]) {
      t.equal(await expectCli([...args, short], 0), 'to stdout\n')
      t.equal(await expectCli([...args, '-stderr', short], 0), 'to stderr\n')
      t.equal(await expectCli([...args, '-job', '-stderr', 'cf-cli'], 0), 'to stderr\n')
    }
    const followed = await runCli(target, ['alloc', 'logs', '-f', short], { timeoutMs: 1500 })
    t.equal(followed.stdout, 'to stdout\n')
    await expectCli(['alloc', 'fs', short, 'alloc/logs'], 0, 'build-agent.stdout.0')
    await expectCli(['alloc', 'fs', short, 'alloc/logs/build-agent.stderr.0'], 0, 'to stderr')
  })

  await t.test('evaluations, nodes and the server', async () => {
    const id = String(evaluation?.['ID'])
    await expectCli(['eval', 'status', id.slice(0, 8)], 0, /Status += complete/)
    await expectCli(['eval', 'list'], 0, id.slice(0, 8))
    await expectCli(['node', 'status'], 0, /linux-64bit +false +eligible +ready/)
    await expectCli(['node-status'], 0, nodeId.slice(0, 8))
    await expectCli(['node', 'status', '-allocs'], 0, 'Running Allocs')
    for (const args of [
      ['node', 'status', '-self'],
      ['node-status', '-self'],
      ['node', 'status', nodeId],
    ]) {
      await expectCli(args, 0, nodeId, 'Allocated Resources', short)
    }
    await expectCli(['server', 'members'], 0, 'alive')
    await expectCli(['operator', 'scheduler', 'get-config'], 0, 'binpack')
  })

  await t.test('stopping a job and draining a node', async () => {
    await expectCli(['job', 'stop', 'cf-cli'], 0, 'finished with status "complete"')
    await untilStatus(target, 'cf-cli', 'complete')
    await expectCli(['job', 'status', 'cf-cli'], 0, /Status += dead \(stopped\)/)
    const self = ['node', 'drain', '-self', '-yes']
    await expectCli([...self, '-enable', '-deadline', '30s'], 0, 'Drain complete for node')
    await expectCli(['node', 'drain', '-monitor', '-self'], 0)
    await expectCli(['node', 'eligibility', '-enable', '-self'], 0, 'eligible for scheduling')
    await expectCli(['node-drain', '-enable', '-self', '-yes', '-detach'], 0, 'drain strategy set')
    await expectCli(['node-drain', '-disable', '-self', '-yes'], 0, 'drain strategy unset')
    await expectCli(['node', 'eligibility', '-disable', nodeId], 0, 'ineligible for scheduling')
    await expectCli(['node', 'eligibility', '-enable', nodeId], 0)
    await expectCli(['system', 'gc'], 0)
  })
}
