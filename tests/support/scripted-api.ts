/** A real API on a free port in front of a scheduler that does what the test says. */
import type { Test } from 'tap'
import { type Api, type ApiOptions, startApi } from '../../src/api/index.ts'
import { createLog, type LogFields, systemClock } from '../../src/platform/index.ts'
import type { AgentGate, Scheduler, TokenBook } from '../../src/scheduler/index.ts'

export interface Script extends Partial<Omit<Scheduler, 'agents'>> {
  agents?: Partial<AgentGate>
}

export interface LogLine {
  level: string
  message: string
  fields: LogFields
}

/** @returns the API, closed when the test ends, and what it logged. */
export async function startScripted(
  t: Test,
  script: Script = {},
  options: Partial<ApiOptions> = {},
): Promise<{ api: Api; log: LogLine[] }> {
  const log: LogLine[] = []
  const api = await startApi({
    scheduler: toScheduler(script),
    listen: { host: '127.0.0.1', port: 0 },
    tokens: [],
    clock: systemClock,
    log: createLog((level, message, fields) => log.push({ level, message, fields }), 'info'),
    version: '1.2.3',
    ...options,
  })
  t.teardown(() => api.close())
  return { api, log }
}

/** Whatever the script does not hold fails the test that calls it. */
function toScheduler({ agents = {}, ...script }: Script): Scheduler {
  const no = (name: string) => () => {
    throw new Error(`the test has no ${name}`)
  }
  return {
    submit: no('submit'),
    dryRun: no('dryRun'),
    listBuilds: no('listBuilds'),
    readBuild: no('readBuild'),
    rerunBuild: no('rerunBuild'),
    cancelBuild: no('cancelBuild'),
    follow: no('follow'),
    readOutput: no('readOutput'),
    storeSource: no('storeSource'),
    tokens: noTokens,
    demand: { read: no('demand.read'), follow: no('demand.follow') },
    health: async () => [],
    faults: () => [],
    gauges: async () => [],
    start: async () => undefined,
    close: async () => undefined,
    ...script,
    agents: {
      admits: async () => ({ ok: true, value: null }),
      claim: no('claim'),
      accept: no('accept'),
      events: no('events'),
      output: no('output'),
      control: no('control'),
      why: no('why'),
      source: no('source'),
      ...agents,
    },
  }
}

/** A book without a token in it. */
const noTokens: TokenBook = {
  size: 0,
  create: () => Promise.reject(new Error('the test has no tokens')),
  list: () => ({ tokens: [], next_cursor: null }),
  revoke: async () => null,
  find: () => null,
  onRevoked: () => () => undefined,
}

/** An HTTP call as anybody could make it. */
export async function call(
  api: Api,
  method: string,
  path: string,
  init: RequestInit = {},
): Promise<{ status: number; headers: Headers; text: string; json: unknown }> {
  const response = await fetch(api.url + path, { method, ...init })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false
  const json: unknown = isJson && text !== '' ? JSON.parse(text) : undefined
  return { status: response.status, headers: response.headers, text, json }
}

interface Sent extends RequestInit {
  headers: Record<string, string>
}

export function asJson(value: unknown): Sent {
  return { body: JSON.stringify(value), headers: { 'content-type': 'application/json' } }
}

export function asBytes(bytes: string | Uint8Array<ArrayBuffer>): Sent {
  return { body: bytes, headers: { 'content-type': 'application/octet-stream' } }
}
