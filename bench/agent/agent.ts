/** One real agent, started as the job template starts it, on a slice of its own. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Task } from '../../src/model/index.ts'
import { type Clock, deadline } from '../../src/platform/index.ts'
import { endTogether } from './child.ts'
import { CLAIM_TOKEN, type SliceReport } from './gate.ts'
import { machineMs, Meter, type Usage } from './machine.ts'
import type { Marker } from './marker.ts'
import type { BenchServer } from './server.ts'

export interface AgentRun {
  /** Machine milliseconds. */
  startedMs: number
  /** When the first step was running, by its own word. */
  markedMs: number
  /** When the server had everything. */
  overMs: number
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
  marker: Marker
  /** Its first step says `marker.command` first. */
  task: Task
  /** Where the folder of the allocation is made, and removed again. */
  dir: string
  clock: Clock
}

const CARAVAN = fileURLToPath(new URL('../../bin/caravan.mjs', import.meta.url))
/** Ten times what the slowest bench takes. */
const LIMIT_MS = 180_000

/** @throws Error when the slice does not succeed, with the agent's own log. */
export async function runAgent(options: AgentOptions): Promise<AgentRun> {
  const { server, marker, task, clock } = options
  const { key, over } = await server.offer(task)
  const allocation = await mkdtemp(join(options.dir, 'allocation-'))
  const marked = marker.next()
  const startedMs = machineMs()
  const child = spawn(process.execPath, [CARAVAN, 'build-agent'], {
    env: toEnvironment({ url: server.url, slice: key, allocation }),
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  endTogether(child)
  const limit = deadline(clock, LIMIT_MS)
  limit.signal.addEventListener('abort', () => child.kill('SIGKILL'))
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text))
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve))
  const failed = exited.then((code) => {
    if (code !== 0) throw new Error(`the agent ended with ${code}:\n${log}`)
  })
  const orFailed = async <T>(wanted: Promise<T>): Promise<T> =>
    await Promise.race([wanted, failed.then(() => wanted)])
  try {
    const meter = new Meter(child.pid ?? 0, clock)
    const read = async () => ({ agent: await meter.read(), server: await server.meter.read() })
    const markedMs = await orFailed(marked)
    const before = await read()
    const report = await orFailed(over)
    const overMs = machineMs()
    const after = await read()
    await failed
    if (report.result !== 'succeeded') throw new Error(`${report.detail}\n${log}`)
    return {
      startedMs,
      markedMs,
      overMs,
      report,
      agent: { marked: before.agent, over: after.agent },
      server: { marked: before.server, over: after.server },
    }
  } finally {
    limit.cancel()
    child.kill('SIGTERM')
    await exited
    await rm(allocation, { recursive: true, force: true })
  }
}

/** No more than Nomad would give it; the settings of whoever runs the bench stay out. */
function toEnvironment(given: {
  url: string
  slice: string
  allocation: string
}): Record<string, string> {
  const { PATH = '/usr/bin:/bin' } = process.env
  return {
    PATH,
    HOME: given.allocation,
    LANG: 'C.UTF-8',
    CARAVAN_URL: given.url,
    CARAVAN_SLICE: given.slice,
    CARAVAN_EPOCH: '1',
    CARAVAN_CLAIM_TOKEN: CLAIM_TOKEN,
    NOMAD_ALLOC_ID: 'allocation-of-the-bench',
    NOMAD_ALLOC_DIR: join(given.allocation, 'alloc'),
    NOMAD_TASK_DIR: join(given.allocation, 'local'),
  }
}
