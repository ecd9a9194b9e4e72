/** The ways on which one command is run and its first byte comes back. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createApiClient } from '../../src/cli/api/client.ts'
import { createNomadClient } from '../../src/nomad/index.ts'
import { silentLog, sleep, systemClock, systemRandom } from '../../src/platform/index.ts'
import { machineMs } from '../agent/machine.ts'

/** What every way runs. Nobody waits for its end. */
const COMMAND = 'echo hello; sleep 0.2'
/** How often somebody asks who wants to know at once. */
const POLL_MS = 5

export interface Way {
  /** @returns milliseconds from the start to the first byte. */
  run(): Promise<number>
  close(): Promise<void>
}

/** Submits a build over the API and follows it, as `caravan run` does. */
export function throughCaravan(server: string): Way {
  const api = createApiClient({ server, clock: systemClock })
  const steps = [{ run: COMMAND }]
  const config = JSON.stringify({ version: 2, jobs: { test: { machine: true, steps } } })
  return {
    async run() {
      const startedMs = machineMs()
      const { id } = await api.createBuild({ config, org: 'acme', repo: 'site', branch: 'main' })
      let seenMs = 0
      let state = ''
      for await (const event of api.follow(id, { output: true })) {
        if (event.type === 'output' && seenMs === 0) seenMs = machineMs()
        if (event.type === 'build') ({ state } = event.build)
      }
      if (state !== 'succeeded' || seenMs === 0) throw new Error(`build ${id} ended: ${state}`)
      return seenMs - startedMs
    },
    close: () => api.close(),
  }
}

/** Registers a job over Nomad's API and follows its log there: the limit. */
export function throughNomad(address: string): Way {
  const nomad = createNomadClient({
    address,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  })
  return {
    async run() {
      const job = toJob()
      const startedMs = machineMs()
      await nomad.registerJob(job)
      const allocation = await untilRunning(address, job.ID)
      const seenMs = await untilLogged(address, allocation)
      await untilOver(address, job.ID)
      return seenMs - startedMs
    },
    close: () => nomad.close(),
  }
}

/** `nomad job run`, then `nomad alloc logs` as soon as there is an allocation that runs. */
export function throughCli(binary: string, address: string, dir: string): Way {
  return {
    async run() {
      const job = toJob()
      const file = join(dir, `${job.ID}.json`)
      await writeFile(file, JSON.stringify({ Job: job }))
      const startedMs = machineMs()
      const at = `-address=${address}`
      await promisify(execFile)(binary, ['job', 'run', at, '-detach', '-json', file])
      const allocation = await untilRunning(address, job.ID)
      const args = ['alloc', 'logs', at, '-f', allocation]
      const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      const exited = once(child, 'exit')
      await once(child.stdout, 'data')
      const seenMs = machineMs()
      child.kill('SIGTERM')
      await exited
      await rm(file)
      await untilOver(address, job.ID)
      return seenMs - startedMs
    },
    close: () => Promise.resolve(),
  }
}

interface Allocation {
  ID: string
  ClientStatus: string
}

async function untilRunning(address: string, job: string): Promise<string> {
  for (;;) {
    const [found] = await readAllocations(address, job)
    if (found?.ClientStatus === 'failed') throw new Error(`job ${job} failed`)
    if (found !== undefined && found.ClientStatus !== 'pending') return found.ID
    await sleep(systemClock, POLL_MS)
  }
}

/** Measured runs do not overlap. */
async function untilOver(address: string, job: string): Promise<void> {
  while ((await readAllocations(address, job)).some((each) => each.ClientStatus === 'running')) {
    await sleep(systemClock, POLL_MS)
  }
}

async function readAllocations(address: string, job: string): Promise<Allocation[]> {
  const response = await fetch(`${address}/v1/job/${job}/allocations`)
  return (await response.json()) as Allocation[]
}

async function untilLogged(address: string, allocation: string): Promise<number> {
  const query = 'task=run&type=stdout&follow=true&plain=true'
  const reading = new AbortController()
  try {
    const response = await fetch(`${address}/v1/client/fs/logs/${allocation}?${query}`, reading)
    if (!response.ok || response.body === null) throw new Error(await response.text())
    for await (const _ of response.body) return machineMs()
    throw new Error(`the log of ${allocation} is empty`)
  } finally {
    reading.abort()
  }
}

let last = 0

function toJob() {
  const ID = `latency-${++last}`
  return {
    ID,
    Name: ID,
    Type: 'batch',
    Datacenters: ['*'],
    TaskGroups: [
      {
        Name: 'run',
        Count: 1,
        RestartPolicy: { Attempts: 0, Mode: 'fail' },
        Tasks: [
          {
            Name: 'run',
            Driver: 'raw_exec',
            Config: { command: '/bin/sh', args: ['-c', COMMAND] },
            Resources: { CPU: 100, MemoryMB: 64 },
          },
        ],
      },
    ],
  }
}
