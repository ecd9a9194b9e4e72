/** The process of an embedded engine, as a bench sees it. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

export interface EngineProcess {
  /** As NOMAD_ADDR has it. */
  address: string
  /** Starts to count the jobs that somebody asks the state of. @returns when all of them were told. */
  told(jobs: number): Promise<void>
  close(): Promise<void>
}

interface Message {
  kind: 'ready' | 'asked'
  url?: string
  /** Which count it belongs to: messages of an earlier one may still be on their way. */
  count?: number
  jobs?: number
}

const PROGRAM = fileURLToPath(new URL('./engine.ts', import.meta.url))

export interface EngineOptions {
  /** How many slices of the default class fit; without any, jobs are taken and wait. */
  places: number
  /** Whether tasks are run or only take time, without end. */
  driver: 'raw_exec' | 'simulated'
}

/** @param dir is made. */
export async function startEngine(
  dir: string,
  { places, driver }: EngineOptions,
): Promise<EngineProcess> {
  await mkdir(dir)
  const child = fork(PROGRAM, [dir, String(places), driver], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  let counts = 0
  const [ready] = (await once(child, 'message')) as [Message]
  return {
    address: ready.url ?? '',
    async told(jobs) {
      const { promise, resolve } = Promise.withResolvers<void>()
      counts += 1
      const count = counts
      const look = (message: Message) => {
        if (message.count === count && (message.jobs ?? 0) >= jobs) resolve()
      }
      child.on('message', look)
      child.send(count)
      await promise
      child.off('message', look)
    },
    async close() {
      child.disconnect()
      if (child.exitCode === null) await once(child, 'exit')
    },
  }
}
