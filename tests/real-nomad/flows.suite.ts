/** What a user types, on a real Nomad agent, where there is a `nomad` program. */
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { BuildLine } from '../support/caravan.ts'
import { caravan, lastLine, makeCheckout, startCaravan, toBuildLine } from '../support/caravan.ts'
import { startAgent } from '../conformance/agent.ts'
import { findNomad } from '../conformance/target.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const nomad = findNomad()

/** Twice `npm ci` and half of the tests each, on two cores. */
const SELF_BUILD_TIMEOUT_MS = 480_000

const STOPPED = `version: 2.1
jobs:
  slow:
    machine: true
    resource_class: small
    steps:
      - run: echo begun; sleep 50
`

if (nomad === null) {
  t.comment('SKIPPED: there is no nomad program. Put one on the PATH, or name it in NOMAD_BIN.')
  t.pass('skipped, there is no nomad program')
} else {
  const agent = await startAgent(nomad)
  t.teardown(() => agent.stop())
  runFlows(agent.url)
}

function runFlows(url: string): void {
  t.test('the parallel example succeeds and its jobs stay visible', async (t) => {
    const config = 'examples/parallel/.circleci/config.yml'
    const { code, stdout, stderr } = await caravan(
      ['run', '--nomad', url, '--config', config, '--json'],
      root,
    )
    t.equal(code, 0, stderr)
    const build = toBuildLine(stdout)
    t.equal(build.slices.length, 4)
    for (const { nomad_job_id: id } of build.slices) t.equal(await statusOf(url, id), 'dead', id)
  })

  t.test('the failing example fails with exit code 1', async (t) => {
    const config = 'examples/failing/.circleci/config.yml'
    const { code, stdout } = await caravan(['run', '--nomad', url, '--config', config], root)
    t.equal(code, 1)
    t.match(lastLine(stdout), /^build 1 failed/)
  })

  t.test('a server runs builds, and a job that an operator stops is canceled', async (t) => {
    const folder = makeCheckout(t.testdir(), { '.circleci/config.yml': STOPPED })
    const args = ['server', '--nomad', url, '--port', '0', '--data', 'data']
    const server = startCaravan(args, folder)
    t.teardown(() => server.child.kill('SIGKILL'))
    const { api } = JSON.parse(await server.firstLine) as { api: string }
    const run = startCaravan(['run', '--server', api, '--json'], folder)
    const begun = new Promise<string>((resolve) => {
      let told = ''
      run.child.stdout?.on('data', (chunk: Buffer) => {
        told += chunk.toString()
        const id = /"nomad_job_id":"([^"]+)"/.exec(told)?.[1]
        if (id !== undefined && told.includes('"type":"output"')) resolve(id)
      })
    })
    await fetch(`${url}/v1/job/${await begun}`, { method: 'DELETE' })
    await run.ended
    const shown = await caravan(['builds', 'show', '1', '--json', '--server', api], folder)
    const build = JSON.parse(shown.stdout) as BuildLine
    t.match(build, { state: 'canceled', reason: 'stopped_by_operator' })
    server.child.kill('SIGTERM')
    t.equal((await server.ended).code, 0)
  })

  t.test('Caravan builds Caravan', async (t) => {
    const args = ['run', '--nomad', url, '--job', 'test']
    const { code, stdout } = await startCaravan(args, root, { timeoutMs: SELF_BUILD_TIMEOUT_MS })
      .ended
    t.equal(code, 0, stdout.slice(-4000))
    t.match(lastLine(stdout), /^build 1 succeeded: 2 slices/)
  })
}

async function statusOf(url: string, id: string): Promise<string> {
  // Nomad notices the end of a task a moment after its agent has reported it.
  const response = await fetch(`${url}/v1/job/${id}?index=1&wait=1s`)
  const job = (await response.json()) as { Status: string; ModifyIndex: number }
  if (job.Status === 'dead') return job.Status
  const later = await fetch(`${url}/v1/job/${id}?index=${job.ModifyIndex}&wait=10s`)
  return ((await later.json()) as { Status: string }).Status
}
