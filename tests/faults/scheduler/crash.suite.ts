/** A server in a process of its own that is killed, with real agents that go on meanwhile. */
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { startNomadEngine } from '../../../src/dev/index.ts'
import type { BuildView } from '../../../src/model/index.ts'
import { createNomadClient } from '../../../src/nomad/index.ts'
import { silentLog, systemClock, systemRandom } from '../../../src/platform/index.ts'
import { aFolder, aRequest, until } from '../../scheduler/support/scheduler.ts'
import { startCaravan } from '../../support/caravan.ts'
import { Faults, allAllocations, allJobs, isOver, isRegistration } from './support/world.ts'

/** Agents are processes that start, on a machine that may be busy. */
const PATIENCE = { patienceMs: 60_000 }

async function startWorld(t: Test) {
  const faults = new Faults()
  const common = { clock: systemClock, random: systemRandom, log: silentLog }
  const engine = await startNomadEngine({
    ...common,
    port: 0,
    dataDir: aFolder(t),
    environment: { PATH: process.env['PATH'] },
    intercept: faults.intercept,
  })
  t.teardown(() => engine.close({ stopTasks: true }))
  const nomad = createNomadClient({ ...common, address: engine.url })
  t.teardown(() => nomad.close())
  const folder = aFolder(t)
  let port = 0
  const start = async () => {
    const args = ['server', '--nomad', engine.url, '--port', `${port}`, '--data', 'data']
    const server = startCaravan(args, folder)
    t.teardown(async () => {
      server.child.kill('SIGKILL')
      await server.ended
    })
    const { api } = JSON.parse(await server.firstLine) as { api: string }
    // Agents know the server by its address: the next one takes the same.
    port = Number(new URL(api).port)
    return {
      api,
      folder,
      async kill() {
        const gone = once(server.child, 'exit')
        server.child.kill('SIGKILL')
        await gone
      },
    }
  }
  return { faults, nomad, folder, start, server: await start() }
}

async function submit(api: string, steps: readonly string[]): Promise<void> {
  const answer = await fetch(`${api}/api/v1/builds`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(aRequest({}, steps)),
  })
  if (!answer.ok) throw new Error(await answer.text())
  await answer.body?.cancel()
}

function untilOver(api: string): Promise<BuildView> {
  return until(
    async () => {
      const build = (await (await fetch(`${api}/api/v1/builds/1`)).json()) as BuildView
      return isOver(build) && build
    },
    'the end of the build',
    PATIENCE,
  )
}

for (const [row, isMade] of [
  ['B2', false],
  ['B3', true],
] as const) {
  const when = isMade ? 'once Nomad has made it' : 'before Nomad makes it'
  t.test(
    `${row}: kill -9 in the middle of registering a job, ${when}, makes one job`,
    async (t) => {
      const { faults, nomad, server, start } = await startWorld(t)
      const reached = Promise.withResolvers<void>()
      const killed = Promise.withResolvers<void>()
      const mend = faults.on(isRegistration, async (_call, next) => {
        if (isMade) await next()
        reached.resolve()
        await killed.promise
        return 'cut'
      })
      await submit(server.api, ['echo hello'])
      await reached.promise
      await server.kill()
      killed.resolve()
      mend()
      t.equal((await allJobs(nomad)).length, isMade ? 1 : 0)
      const next = await start()
      t.match(await untilOver(next.api), { state: 'succeeded', slices: [{ epoch: 1 }] })
      t.equal((await allJobs(nomad)).length, 1)
      t.equal((await allAllocations(nomad)).length, 1)
    },
  )
}

t.test('B80: a server that is killed and comes back gets every byte, and the result', async (t) => {
  const { nomad, folder, server, start } = await startWorld(t)
  const [go, before] = [join(folder, 'go'), join(folder, 'before')]
  const script = `for i in $(seq 1 2000); do echo "line $i"; done; touch ${before}
    while [ ! -e ${go} ]; do sleep 0.05; done
    for i in $(seq 2001 4000); do echo "line $i"; done`
  await submit(server.api, [script])
  await until(() => existsSync(before), 'the first half', PATIENCE)
  await server.kill()
  writeFileSync(go, '')
  const isDone = async () => {
    const [allocation] = await allAllocations(nomad)
    return allocation?.ClientStatus === 'running'
  }
  t.ok(await isDone(), 'the agent goes on without its server')
  const next = await start()
  const over = await untilOver(next.api)
  t.match(over, { state: 'succeeded', slices: [{ epoch: 1, steps: [{ state: 'succeeded' }] }] })
  const answer = await fetch(`${next.api}/api/v1/builds/1/slices/0/steps/0/output`)
  const lines = Array.from({ length: 4000 }, (_, index) => `line ${index + 1}\n`)
  t.equal(await answer.text(), lines.join(''))
})

t.test('B88: a second server on the same folder is refused, and says by whom', async (t) => {
  const { folder, server, nomad } = await startWorld(t)
  const args = ['server', '--nomad', 'http://127.0.0.1:9', '--port', '0', '--data', 'data']
  const second = await startCaravan(args, folder).ended
  t.not(second.code, 0)
  t.match(second.stderr, /data is in use by /)
  t.equal((await fetch(`${server.api}/healthz`)).status, 200, 'the first one is well')
  t.equal((await allJobs(nomad)).length, 0)
  t.ok(readFileSync(join(folder, 'data', 'caravan.db')).length > 0)
})
