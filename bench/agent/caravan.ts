/** `caravan server` as a user starts it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { endTogether } from './child.ts'

export interface CaravanServer {
  /** Of its API. */
  address: string
  /** As `kill -9` does. */
  kill(): Promise<void>
  close(): Promise<void>
}

export interface CaravanServerOptions {
  /** Of Nomad. */
  nomad: string
  dataDir: string
  /** 0 takes a free one. */
  port: number
}

const LAUNCHER = fileURLToPath(new URL('../../bin/caravan.mjs', import.meta.url))

/** Settles when it says that it is ready. @throws Error when it ends before. */
export async function startCaravan(options: CaravanServerOptions): Promise<CaravanServer> {
  const { nomad, dataDir, port } = options
  const args = ['server', '--nomad', nomad, '--data', dataDir, '--port', String(port)]
  const child = spawn(process.execPath, [LAUNCHER, ...args, '--log-level', 'error'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  endTogether(child)
  const exited = once(child, 'exit')
  const ended = exited.then(([code]) => {
    throw new Error(`caravan server ended with ${String(code)}`)
  })
  ended.catch(() => undefined)
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal)
    await exited
  }
  const lines = createInterface({ input: child.stdout })
  const [line] = (await Promise.race([once(lines, 'line'), ended])) as [string]
  const { api } = JSON.parse(line) as { api: string }
  return { address: api, kill: () => end('SIGKILL'), close: () => end('SIGTERM') }
}
