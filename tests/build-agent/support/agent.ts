/** Starts real agents against the protocol server: real processes, real files, short waits. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { runAgent, type AgentOptions, type AgentTimings } from '../../../src/build-agent/index.ts'
import type { RunStep, Task } from '../../../src/model/index.ts'
import {
  type Clock,
  createLog,
  createTextWriter,
  sleep,
  systemClock,
  systemRandom,
} from '../../../src/platform/index.ts'
import {
  type ProtocolServer,
  ProtocolServer as Server,
  type ProtocolServerOptions,
  SLICE,
  TOKEN,
} from './protocol-server.ts'

/** Waits of the real agent, made short enough for tests and long enough for a busy machine. */
const SHORT: AgentTimings = {
  onCancelMs: 10_000,
  graceMs: 2000,
  killedMs: 2000,
  leakedPipeMs: 300,
  killTimeoutMs: 5000,
  whyMs: 500,
  claimMs: 3000,
  pullRetryMs: 20,
  retryBaseMs: 10,
  retryMaxMs: 50,
  spoolFullMs: 200,
  flushMs: 3000,
  pollMaxMs: 5000,
}

export interface RunningAgent {
  exit: Promise<number>
  /** The agent's own log. */
  log(): string
  send(signal: 'SIGTERM' | 'SIGINT'): void
  allocation: AgentOptions['allocation']
}

export interface AgentChanges {
  timings?: Partial<AgentTimings>
  token?: string
  epoch?: number
  url?: string
  environment?: Record<string, string | undefined>
  spoolBytes?: number
  clock?: Clock
  /** Where the allocation lies; a folder of its own when absent. */
  dir?: string
  spoolRoot?: string
}

export async function startAgent(
  t: Test,
  server: ProtocolServer,
  changes: AgentChanges = {},
): Promise<RunningAgent> {
  const dir = changes.dir ?? (await mkdtemp(join(tmpdir(), 'caravan-agent-')))
  const lines: string[] = []
  let listener: (name: 'SIGTERM' | 'SIGINT') => void = () => undefined
  const allocation = {
    id: 'allocation-1',
    dir: join(dir, 'alloc'),
    taskDir: join(dir, 'local'),
    ...(changes.spoolRoot === undefined ? {} : { spoolRoot: changes.spoolRoot }),
  }
  const exit = runAgent({
    server: {
      url: changes.url ?? server.url,
      slice: SLICE,
      epoch: changes.epoch ?? 1,
      token: changes.token ?? TOKEN,
    },
    allocation,
    node: { id: 'node-1', name: 'test' },
    version: '0.0.0',
    runtime: process.execPath,
    environment: changes.environment ?? { PATH: process.env['PATH'], LANG: 'C.UTF-8' },
    clock: changes.clock ?? systemClock,
    log: createLog(createTextWriter({ write: (line) => lines.push(line) }, Date.now), 'debug'),
    random: systemRandom,
    signals: {
      listen(onSignal) {
        listener = onSignal
        return () => (listener = () => undefined)
      },
    },
    timings: { ...SHORT, ...changes.timings },
    ...(changes.spoolBytes === undefined ? {} : { spoolBytes: changes.spoolBytes }),
  })
  t.teardown(async () => {
    // Of a test that failed in the middle of its build nothing may be left either.
    listener('SIGTERM')
    listener('SIGTERM')
    await exit
    if (changes.dir === undefined) await rm(dir, { recursive: true, force: true })
  })
  return { exit, log: () => lines.join(''), send: (name) => listener(name), allocation }
}

/** Runs the steps to their end, and checks what holds for every run that is not disturbed for good. */
export async function runToEnd(
  t: Test,
  task: Task,
  changes: AgentChanges & Omit<ProtocolServerOptions, 'task'> = {},
): Promise<{ server: ProtocolServer; code: number; log: string; agent: RunningAgent }> {
  const server = await Server.start(t, { task, ...changes })
  const agent = await startAgent(t, server, changes)
  const code = await agent.exit
  t.same(server.violations, [], 'the protocol was kept')
  t.same(server.checkOutputs(), [], 'every byte arrived')
  return { server, code, log: agent.log(), agent }
}

type TaskChanges = Omit<Partial<Task>, 'limits' | 'steps'> & {
  steps?: (string | Partial<RunStep> | { kind: 'checkout'; name: string; path?: string })[]
  limits?: Partial<Task['limits']>
}

export function aTask(changes: TaskChanges = {}): Task {
  const steps = (changes.steps ?? ['true']).map((step) => {
    if (typeof step !== 'string' && step.kind === 'checkout') return step
    return aStep(typeof step === 'string' ? { command: step } : step)
  })
  return {
    build: {
      id: '0123456789abcdef01234567',
      number: 1,
      org: 'acme',
      repo: 'app',
      branch: 'main',
      sha: '0'.repeat(40),
      job: 'test',
    },
    slice: { index: 0, total: 2 },
    source: { kind: 'none' },
    executor: { kind: 'machine' },
    environment: [],
    working_directory: '~/project',
    mask: [],
    ...changes,
    steps,
    limits: {
      max_run_time_ms: 60_000,
      output_bytes: 1024 ** 3,
      orphan_ms: 30_000,
      ...changes.limits,
    },
  }
}

export function aStep(changes: Partial<RunStep>): RunStep {
  return {
    kind: 'run',
    name: changes.command ?? 'step',
    command: 'true',
    environment: {},
    when: 'on_success',
    ...(changes.background === true ? {} : { no_output_timeout_ms: 30_000 }),
    background: false,
    ...changes,
  }
}

/** Waits until a process has ended; one that nobody has collected yet has ended too. */
export async function isGone(pid: number): Promise<boolean> {
  const late = AbortSignal.timeout(5000)
  while (!late.aborted) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
    if (stat === null || /\) [ZX] /.test(stat)) return true
    await sleep(systemClock, 10)
  }
  return false
}
