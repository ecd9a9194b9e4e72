/** The agent as a process of its own, as Nomad starts it: what can be killed, measured and starved. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { type ProtocolServer, SLICE, TOKEN } from './protocol-server.ts'

const CARAVAN = fileURLToPath(new URL('../../../bin/caravan.mjs', import.meta.url))

export interface AgentProcess {
  child: ChildProcess
  exit: Promise<number | null>
  log(): string
}

export interface ProcessPlace {
  /** Holds the allocations, as `alloc` of a Nomad client does; the agent's is `a`. */
  dir: string
  epoch?: number
  environment?: Record<string, string>
  /** Words before the program, such as those that put it into a control group. */
  prefix?: readonly string[]
}

export function spawnAgent(t: Test, server: ProtocolServer, place: ProcessPlace): AgentProcess {
  const { dir, epoch = 1, environment = {}, prefix = [] } = place
  const { NODE_OPTIONS = '', ...rest } = environment
  const words = [...prefix, process.execPath, CARAVAN, 'build-agent']
  // What measures the tests is no part of an agent.
  const child = spawn('env', [`NODE_OPTIONS=${NODE_OPTIONS}`, ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      CARAVAN_URL: server.url,
      CARAVAN_SLICE: SLICE,
      CARAVAN_EPOCH: String(epoch),
      CARAVAN_CLAIM_TOKEN: TOKEN,
      NOMAD_ALLOC_ID: 'allocation-1',
      NOMAD_ALLOC_DIR: join(dir, 'a/alloc'),
      NOMAD_TASK_DIR: join(dir, 'a/local'),
      ...rest,
    },
  })
  let log = ''
  child.stderr?.on('data', (bytes: Buffer) => (log += bytes.toString()))
  const exit = once(child, 'exit').then(([code]) => code as number | null)
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exit
  })
  return { child, exit, log: () => log }
}

/** `caravan build-agent sweep`, as a timer of the node runs it. */
export async function sweepCommand(
  args: readonly string[],
): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(process.execPath, [CARAVAN, 'build-agent', 'sweep', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'] },
  })
  let stderr = ''
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()))
  const [code] = await once(child, 'close')
  return { code: code as number | null, stderr }
}

/** The most memory that a process ever had, in MB. */
export async function peakMemoryMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024
}
