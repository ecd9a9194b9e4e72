/** The server process of a bench, as the bench sees it. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createBuildId, toSliceKey, type Task } from '../../src/model/index.ts'
import type { Clock } from '../../src/platform/index.ts'
import type { SliceReport } from './gate.ts'
import { Meter } from './machine.ts'
import type { FromServer, ToServer } from './messages.ts'

export interface BenchServer {
  url: string
  meter: Meter
  /** Makes a slice that an agent may claim. */
  offer(task: Task): Promise<OfferedSlice>
  close(): Promise<void>
}

export interface OfferedSlice {
  key: string
  /** Settles when its agent has reported the end. */
  over: Promise<SliceReport>
}

const PROGRAM = fileURLToPath(new URL('../agent-server.ts', import.meta.url))
const BUILD = createBuildId(0, Buffer.alloc(8, 1))

/** @param directory where output is kept. */
export async function startServer(directory: string, clock: Clock): Promise<BenchServer> {
  const child = fork(PROGRAM, [directory], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const gone = Promise.withResolvers<never>()
  gone.promise.catch(() => undefined)
  child.once('exit', (code) => gone.reject(new Error(`the server of the bench ended: ${code}`)))

  const waits = new Map<string, (message: FromServer) => void>()
  const wait = async <Kind extends FromServer['kind']>(kind: Kind, slice = '') => {
    type Message = Extract<FromServer, { kind: Kind }>
    const told = new Promise<Message>((resolve) => {
      waits.set(`${kind} ${slice}`, (message) => resolve(message as Message))
    })
    return await Promise.race([told, gone.promise])
  }
  child.on('message', (message: FromServer) => {
    const name = `${message.kind} ${'slice' in message ? message.slice : ''}`
    waits.get(name)?.(message)
    waits.delete(name)
  })

  const { url } = await wait('ready')
  let count = 0
  return {
    url,
    meter: new Meter(child.pid ?? 0, clock),
    async offer(task) {
      const key = toSliceKey(BUILD, count++)
      const over = wait('over', key).then(({ report }) => report)
      const offered = wait('offered', key)
      child.send({ slice: key, task } satisfies ToServer)
      await offered
      return { key, over }
    },
    async close() {
      const exited = once(child, 'exit')
      child.disconnect()
      await exited
    },
  }
}
