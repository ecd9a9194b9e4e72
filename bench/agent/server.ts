/** The server process of a bench, as the bench sees it. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../../src/platform/index.ts'
import { Meter } from './machine.ts'
import type { BenchJob, FromServer, Placed, ToServer } from './messages.ts'
import type { SliceReport } from './watched-gate.ts'

export interface BenchServer {
  meter: Meter
  /** Submits a build of one slice. @param secrets to be masked in what it prints. */
  submit(job: BenchJob, secrets: readonly string[]): Promise<PlacedSlice>
  close(): Promise<void>
}

export interface PlacedSlice extends Placed {
  /** Settles when the build is over. */
  over: Promise<SliceReport>
  /** The agent is gone. */
  ended(): void
}

const PROGRAM = fileURLToPath(new URL('../agent-server.ts', import.meta.url))

export interface BenchServerOptions {
  /** Is made. */
  dataDir: string
  /** What starts the agent. */
  launcher: string
  clock: Clock
}

export async function startServer(options: BenchServerOptions): Promise<BenchServer> {
  const { dataDir, launcher, clock } = options
  await mkdir(dataDir)
  const child = fork(PROGRAM, [dataDir, launcher], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const gone = Promise.withResolvers<never>()
  gone.promise.catch(() => undefined)
  child.once('exit', (code) => gone.reject(new Error(`the server of the bench ended: ${code}`)))
  const next = async <Kind extends FromServer['kind']>(kind: Kind, slice?: string) => {
    type Message = Extract<FromServer, { kind: Kind }>
    const told = new Promise<Message>((resolve) => {
      const look = (message: FromServer) => {
        if (message.kind !== kind || ('slice' in message && slice && message.slice !== slice))
          return
        child.off('message', look)
        resolve(message as Message)
      }
      child.on('message', look)
    })
    return await Promise.race([told, gone.promise])
  }
  const tell = (message: ToServer) => child.send(message)

  await next('ready')
  return {
    meter: new Meter(child.pid ?? 0, clock),
    async submit(job, secrets) {
      const first = next('placed')
      tell({ kind: 'submit', ...job, mask: [...secrets] })
      const { placed } = await first
      return {
        ...placed,
        over: next('over', placed.slice).then(({ report }) => report),
        ended: () => tell({ kind: 'ended', allocation: placed.allocation }),
      }
    },
    async close() {
      const exited = once(child, 'exit')
      child.disconnect()
      await exited
    },
  }
}
