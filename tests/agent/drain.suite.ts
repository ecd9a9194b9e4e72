/** The whole way, from a server and a Nomad to the process in a container and back. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { sleep, systemClock } from '../../src/platform/index.ts'
import { makeCheckout, startCaravan, toBuildLine, type Started } from '../support/caravan.ts'
import { APP, docker, leftovers, withDocker } from './support/docker.ts'

const CONFIG = `version: 2.1
executors:
  app:
    docker: [{ image: ${APP} }]
    resource_class: small
jobs:
  hold:
    executor: app
    steps:
      - run: echo begun; until [ -e /tmp/go ]; do sleep 0.1; done; echo whole
      - run: echo and the next
  stubborn:
    executor: app
    steps:
      - run: trap "echo got it; exit 5" TERM; echo ready; while :; do sleep 0.1; done
`

const PATIENCE_MS = 60_000

interface World {
  api: string
  nomad: string
  run: (job: string) => Run
}

interface Run {
  ended: Started['ended']
  /** Waits until the follower of the build has seen it. */
  until(text: string): Promise<void>
}

async function startWorld(t: Test): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'caravan-drain-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  makeCheckout(folder, { '.circleci/config.yml': CONFIG })
  const ports = ['--port', '0', '--nomad-port', '0']
  const dev = startCaravan(['dev', ...ports, '--data', 'data'], folder, { timeoutMs: 180_000 })
  t.teardown(async () => {
    dev.child.kill('SIGTERM')
    await dev.ended
  })
  const { api, nomad } = JSON.parse(await dev.firstLine) as { api: string; nomad: string }
  return { api, nomad, run: (job) => follow(t, folder, ['--job', job, '--server', api]) }
}

function follow(t: Test, folder: string, args: readonly string[]): Run {
  const { child, ended } = startCaravan(['run', '--json', ...args], folder, {
    timeoutMs: 120_000,
  })
  t.teardown(() => child.kill('SIGKILL'))
  let seen = ''
  child.stdout?.on('data', (bytes: Buffer) => (seen += bytes.toString()))
  return { ended, until: async (text) => until(() => seen.includes(text), text) }
}

async function until(look: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const lateMs = systemClock.monotonic() + PATIENCE_MS
  while (!(await look())) {
    if (systemClock.monotonic() > lateMs) throw new Error(`not seen in time: ${what}`)
    await sleep(systemClock, 20)
  }
}

await withDocker(() => {
  t.test(
    'C-50: a drain lets a step in a container finish, and the steps after it; a cancel does not wait',
    async (t) => {
      const { api, nomad, run } = await startWorld(t)

      const stubborn = run('stubborn')
      await stubborn.until('ready')
      const askedMs = systemClock.monotonic()
      const { status } = await fetch(`${api}/api/v1/builds/1/cancel`, { method: 'POST' })
      t.equal(status, 200)
      await stubborn.until('got it')
      t.ok(systemClock.monotonic() - askedMs < 2000, 'from the call to the terminal')
      t.match(toBuildLine((await stubborn.ended).stdout), { state: 'canceled' })
      await until(async () => (await leftovers()).length === 0, 'nothing is left')

      const hold = run('hold')
      await hold.until('begun')
      const [node] = (await readJson(`${nomad}/v1/nodes`)) as { ID: string }[]
      const DrainSpec = { Deadline: 3600e9, IgnoreSystemJobs: false }
      const url = `${nomad}/v1/node/${node?.ID}`
      await fetch(`${url}/drain`, { method: 'PUT', body: JSON.stringify({ DrainSpec }) })
      const drain = async () =>
        (await readJson(url)) as { DrainStrategy: unknown; LastDrain?: { Status: string } }
      t.ok((await drain()).DrainStrategy, 'it drains, and waits')
      const primary = await docker('ps', '--quiet', '--filter', 'name=primary')
      await docker('exec', primary, 'touch', '/tmp/go')
      const { stdout } = await hold.ended
      const build = toBuildLine(stdout)
      t.match(build, { state: 'succeeded', slices: [{ state: 'succeeded' }] })
      t.match(stdout, /whole[^]*and the next/)
      t.notMatch(JSON.stringify(build), 'drained', 'in one attempt')
      await until(async () => (await drain()).LastDrain?.Status === 'complete', 'the drain is over')
      t.same(await leftovers(), [])
    },
  )
})

async function readJson(url: string): Promise<unknown> {
  return await (await fetch(url)).json()
}
