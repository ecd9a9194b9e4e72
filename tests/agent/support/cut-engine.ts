/** The Docker Engine behind a socket that treats the connections of steps as a bad engine does. */
import { createServer, connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

/** `cut`: it ends as soon as it stands. `hold`: it never ends. */
export type StepWeather = 'cut' | 'hold'

const ENGINE =
  (process.env['DOCKER_HOST'] ?? '').replace(/^unix:\/\//, '') || '/var/run/docker.sock'
const STARTED = '101 UPGRADED'

export interface CutEngine {
  /** For the agent that is to use it. */
  environment: Record<string, string | undefined>
  /** How many connections of steps were treated so. */
  treated: () => number
}

/** Only what starts a step is touched: all other calls pass. */
export async function startCutEngine(t: Test, weather: StepWeather): Promise<CutEngine> {
  const dir = await mkdtemp(join(tmpdir(), 'caravan-cut-'))
  const path = join(dir, 'docker.sock')
  const steps = new Set<string>()
  const open = new Set<Socket>()
  let treated = 0
  const server = createServer((near) => {
    const far = connect(ENGINE)
    let isMaking = false
    let isStep = false
    for (const socket of [near, far]) {
      open.add(socket)
      socket.on('error', () => socket.destroy()).on('close', () => open.delete(socket))
    }
    near.on('data', (bytes) => {
      const [, id] = /^POST (?:\/v[\d.]+)?\/exec\/(\w+)\/start/.exec(bytes.toString('latin1')) ?? []
      isStep = id !== undefined && steps.has(id)
      isMaking = bytes.includes('/caravan/step.sh') || (isMaking && id === undefined)
      far.write(bytes)
    })
    far.on('data', (bytes) => {
      const [, id] = /"Id":"(\w+)"/.exec(bytes.toString('latin1')) ?? []
      if (isMaking && id !== undefined) steps.add(id)
      near.write(bytes)
      if (!isStep || !bytes.includes(STARTED)) return
      treated += 1
      if (weather === 'cut') near.destroySoon()
    })
    near.on('close', () => far.destroy())
    far.on('close', () => {
      if (!(isStep && weather === 'hold')) near.destroySoon()
    })
  })
  server.listen(path)
  await once(server, 'listening')
  t.teardown(async () => {
    for (const socket of open) socket.destroy()
    server.close()
    await rm(dir, { recursive: true, force: true })
  })
  return {
    environment: { PATH: process.env['PATH'], DOCKER_HOST: `unix://${path}` },
    treated: () => treated,
  }
}
