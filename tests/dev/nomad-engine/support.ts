/** An engine on a folder of its own, and short ways to talk to it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startNomadEngine } from '../../../src/dev/index.ts'
import type { EngineOptions, NomadEngine } from '../../../src/dev/index.ts'
import { silentLog, systemClock, systemRandom } from '../../../src/platform/index.ts'

export interface TestEngine {
  engine: NomadEngine
  dataDir: string
  /** The answer's body, parsed. Fails on any status but 200. */
  get<T = Json>(path: string): Promise<T>
  send<T = Json>(method: string, path: string, body?: unknown): Promise<T>
  fetch(path: string, init?: RequestInit): Promise<Response>
  register(job: object, more?: object): Promise<{ EvalID: string; JobModifyIndex: number }>
  /** The job's allocations, the first placed first. */
  allocations(job: string): Promise<AllocationStub[]>
}

/** What tests look at. */
export interface AllocationStub {
  ID: string
  NodeID: string
  ClientStatus: string
  ClientDescription: string
  DesiredStatus: string
  DesiredDescription: string
  NextAllocation: string
  FollowupEvalID: string
  CreateIndex: number
  TaskStates: Record<
    string,
    { State: string; Failed: boolean; Events: { Type: string; DisplayMessage: string }[] }
  > | null
}

export type Json = Record<string, unknown>

interface Teardown {
  teardown(run: () => Promise<void>): unknown
}

export async function startTestEngine(
  t: Teardown,
  options: Partial<EngineOptions> = {},
): Promise<TestEngine> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'engine-'))
  const engine = await startNomadEngine({
    port: 0,
    dataDir,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    environment: { PATH: process.env['PATH'] },
    ...options,
  })
  t.teardown(async () => {
    await engine.close({ stopTasks: true })
    if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true })
  })
  return { engine, dataDir, ...talkTo(engine.url) }
}

/** Short ways to talk to any server that speaks this API. */
export function talkTo(url: string): Omit<TestEngine, 'engine' | 'dataDir'> {
  const send = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const response = await fetch(url + path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (response.status !== 200) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return (text === '' ? {} : JSON.parse(text)) as T
  }
  return {
    send,
    get: (path) => send('GET', path),
    fetch: (path, init) => fetch(url + path, init),
    register: (job, more = {}) => send('PUT', '/v1/jobs', { Job: job, ...more }),
    async allocations(job) {
      const stubs = await send<AllocationStub[]>('GET', `/v1/job/${job}/allocations`)
      return stubs.sort((a, b) => a.CreateIndex - b.CreateIndex)
    },
  }
}

/** A batch job of one slice that runs a shell line once. */
export function aJob(
  id: string,
  line: string,
  more: { task?: object; group?: object; job?: object } = {},
) {
  return {
    ID: id,
    Name: id,
    Type: 'batch',
    TaskGroups: [
      {
        Name: 'slice',
        Count: 1,
        RestartPolicy: { Attempts: 0, Mode: 'fail' },
        ReschedulePolicy: { Attempts: 0, Unlimited: false },
        Disconnect: { Replace: false },
        Tasks: [
          {
            Name: 'main',
            Driver: 'raw_exec',
            Config: { command: '/bin/sh', args: ['-c', line] },
            ...more.task,
          },
        ],
        ...more.group,
      },
    ],
    ...more.job,
  }
}

/** A job whose task takes time and nothing else. */
export function aSimulatedJob(
  id: string,
  config: object = {},
  more: { task?: object; group?: object; job?: object } = {},
) {
  const task = { Driver: 'mock_driver', Config: { run_for: '1h', ...config }, ...more.task }
  return aJob(id, '', { ...more, task })
}

/** Asks again until the answer is not undefined. */
export async function eventually<T>(
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  what: string,
  deadlineMs = 10_000,
): Promise<T> {
  const end = performance.now() + deadlineMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer
    if (performance.now() > end) throw new Error(`still waiting for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** The job's last allocation, once it has this status. */
export function untilStatus(
  talk: Pick<TestEngine, 'allocations'>,
  job: string,
  status: string,
): Promise<AllocationStub> {
  return eventually(async () => {
    const last = (await talk.allocations(job)).at(-1)
    return last?.ClientStatus === status ? last : undefined
  }, `${job} to be ${status}`)
}

/** Whether there is such a process, still or already. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

export function eventTypes(allocation: AllocationStub): string[] {
  return Object.values(allocation.TaskStates ?? {}).flatMap((state) =>
    state.Events.map((event) => event.Type),
  )
}
