/** One real agent, started as Nomad is asked to start it, on a build of its own. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, deadline } from '../../src/platform/index.ts'
import { endTogether } from './child.ts'
import { machineMs, Meter, type Usage } from './machine.ts'
import type { Marker } from './marker.ts'
import type { BenchJob } from './messages.ts'
import type { BenchServer, PlacedSlice } from './server.ts'
import type { SliceReport } from './watched-gate.ts'

export interface AgentRun {
  /** Machine milliseconds. */
  startedMs: number
  /** When the first step was running, by its own word; NaN without a marker. */
  markedMs: number
  /** When its process was gone. */
  endedMs: number
  report: SliceReport
  agent: UsageSpan
  server: UsageSpan
}

/** As of the first step and of the end. */
interface UsageSpan {
  marked: Usage
  over: Usage
}

export interface AgentOptions {
  server: BenchServer
  /** What its first step says that it runs by; nobody is told when absent. */
  marker?: Marker
  job: BenchJob
  secrets?: readonly string[]
  /** Where the folder of the allocation is made, and removed again. */
  dir: string
  clock: Clock
}

/** Ten times what the slowest bench takes. */
const LIMIT_MS = 180_000

/** @throws Error when the build does not succeed, with the agent's own log. */
export async function runAgent(options: AgentOptions): Promise<AgentRun> {
  const { server, marker, job, secrets = [], clock } = options
  const slice = await server.submit(job, secrets)
  const folder = await mkdtemp(join(options.dir, 'allocation-'))
  const marked = marker?.next() ?? Promise.resolve(Number.NaN)
  const startedMs = machineMs()
  const child = spawn(slice.command, slice.args, {
    env: toEnvironment(slice, folder),
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  endTogether(child)
  const limit = deadline(clock, LIMIT_MS)
  limit.signal.addEventListener('abort', () => child.kill('SIGKILL'))
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text))
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve))
  const succeeded = exited.then((code) => {
    if (code !== 0) throw new Error(`the agent ended with ${code}:\n${log}`)
  })
  const unlessFailed = async <T>(wanted: Promise<T>): Promise<T> =>
    await Promise.race([wanted, succeeded.then(() => wanted)])
  try {
    const meter = new Meter(child.pid ?? 0, clock)
    const read = async () => ({ agent: await meter.read(), server: await server.meter.read() })
    const markedMs = await unlessFailed(marked)
    const before = await read()
    const report = await unlessFailed(slice.over)
    const after = await read()
    await succeeded
    const endedMs = machineMs()
    if (report.state !== 'succeeded') throw new Error(`${report.detail}\n${log}`)
    if (after.agent.peakRssMb === 0) throw new Error('this needs the /proc of Linux')
    return {
      startedMs,
      markedMs,
      endedMs,
      report,
      agent: { marked: before.agent, over: after.agent },
      server: { marked: before.server, over: after.server },
    }
  } finally {
    limit.cancel()
    child.kill('SIGTERM')
    await exited
    slice.ended()
    await rm(folder, { recursive: true, force: true })
  }
}

/** No more than Nomad would give it; the settings of whoever runs the bench stay out. */
function toEnvironment({ env, allocation }: PlacedSlice, folder: string): Record<string, string> {
  const { PATH = '/usr/bin:/bin' } = process.env
  return {
    ...env,
    PATH,
    HOME: folder,
    LANG: 'C.UTF-8',
    NOMAD_ALLOC_ID: allocation,
    NOMAD_ALLOC_DIR: join(folder, 'alloc'),
    NOMAD_TASK_DIR: join(folder, 'local'),
  }
}
