/** The process of a scheduler, as the bench sees it. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { NomadJob } from '../../src/nomad/index.ts'

export interface ToScheduler {
  /** A build of so many. */
  slices: number
}

export type FromScheduler = { kind: 'ready' } | Registered

export interface Registered {
  kind: 'registered'
  elapsedMs: number
  /** Of all threads of the scheduler's process, the storing of the build included. */
  cpuMs: number
  /** One of the jobs, as it was registered. */
  job: NomadJob
}

export interface SchedulerProcess {
  submit(slices: number): Promise<Registered>
  close(): Promise<void>
}

const PROGRAM = fileURLToPath(new URL('./scheduler.ts', import.meta.url))

export async function startScheduler(address: string, dataDir: string): Promise<SchedulerProcess> {
  await mkdir(dataDir)
  const child = fork(PROGRAM, [address, dataDir], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const gone = Promise.withResolvers<never>()
  gone.promise.catch(() => undefined)
  child.once('exit', (code) => gone.reject(new Error(`the scheduler of the bench ended: ${code}`)))
  const next = async (): Promise<FromScheduler> => {
    const [message] = (await Promise.race([once(child, 'message'), gone.promise])) as [
      FromScheduler,
    ]
    return message
  }
  await next()
  return {
    async submit(slices) {
      const order: ToScheduler = { slices }
      child.send(order)
      const message = await next()
      if (message.kind !== 'registered') throw new Error('the scheduler answered something else')
      return message
    },
    async close() {
      const exited = once(child, 'exit')
      child.disconnect()
      await exited
    },
  }
}
