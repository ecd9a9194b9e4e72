/**
 * The server's side of the agent protocol with nothing behind it but the output store: it hands out
 * slices that were offered to it, keeps their output and writes down when which call came.
 */
import { type AgentEvent, OUTPUT_CHUNK_BYTES_MAX, type Task } from '../../src/model/index.ts'
import { type Clock, sleep } from '../../src/platform/index.ts'
import type {
  AgentCaller,
  AgentGate,
  AgentOutcome,
  OutputStore,
} from '../../src/scheduler/index.ts'
import { machineMs } from './machine.ts'

export const CLAIM_TOKEN = 'claim-token-of-the-bench'

/** What is known of a slice that is over. */
export interface SliceReport {
  result: string
  reason: string
  detail: string
  /** When the first call of a name, or the first event of a type, came; machine milliseconds. */
  firstMs: Record<string, number>
  /** Of each finished step, what the agent announced and what the store has. */
  outputs: { announced: StreamFacts; stored: StreamFacts }[]
}

interface StreamFacts {
  length: number
  sha256: string
}

export interface BenchGate extends AgentGate {
  offer(slice: string, task: Task): void
}

interface Offered {
  task: Task
  applied: number
  firstMs: Record<string, number>
  finished: Extract<AgentEvent, { type: 'step_finished' }>[]
}

const SESSION = 'session-of-the-bench'
/** As the scheduler has it, so that an agent behaves as in production. */
const CONTROL = { version: 1, action: 'none' as const, flush_ms: 250, mask: [] }
const LEASE_MS = 60_000

export function createBenchGate(deps: {
  outputs: OutputStore
  clock: Clock
  onOver: (slice: string, report: SliceReport) => void
}): BenchGate {
  const { outputs, clock, onOver } = deps
  const slices = new Map<string, Offered>()

  const mark = (slice: Offered, what: string) => {
    slice.firstMs[what] ??= machineMs()
  }
  const enter = (caller: AgentCaller, call: string): Offered | null => {
    const slice = slices.get(caller.slice)
    if (slice === undefined || caller.session !== SESSION) return null
    mark(slice, call)
    return slice
  }
  const close = async (caller: AgentCaller, slice: Offered, event: Finish): Promise<void> => {
    const { result, reason, detail } = event
    const { firstMs, finished } = slice
    const found = finished.map(async ({ step, attempt, output: announced }) => {
      const key = { slice: caller.slice, epoch: caller.epoch, step, attempt }
      const [length, sha256] = await Promise.all([outputs.length(key), outputs.sha256(key)])
      return { announced, stored: { length, sha256 } }
    })
    onOver(caller.slice, { result, reason, detail, firstMs, outputs: await Promise.all(found) })
  }

  return {
    offer(slice, task) {
      slices.set(slice, { task, applied: 0, firstMs: {}, finished: [] })
    },
    async claim(key, _epoch, { token }) {
      const slice = slices.get(key)
      if (slice === undefined || token !== CLAIM_TOKEN) return REFUSED
      mark(slice, 'claim')
      return ok({
        session: SESSION,
        lease_ms: LEASE_MS,
        server_time_ms: clock.now(),
        chunk_bytes: OUTPUT_CHUNK_BYTES_MAX,
        control: CONTROL,
        task: slice.task,
      })
    },
    accept: async (caller) => (enter(caller, 'accept') ? ok({ control: CONTROL }) : REFUSED),
    async events(caller, events) {
      const slice = enter(caller, 'events')
      if (slice === null) return REFUSED
      for (const event of events) {
        if (event.seq !== slice.applied + 1) continue
        slice.applied = event.seq
        mark(slice, event.type)
        if (event.type === 'step_finished') slice.finished.push(event)
        if (event.type === 'slice_finished') await close(caller, slice, event)
      }
      return ok({ applied: slice.applied, control: CONTROL })
    },
    async output(caller, { step, attempt, offset }, bytes) {
      if (enter(caller, 'output') === null) return REFUSED
      const key = { slice: caller.slice, epoch: caller.epoch, step, attempt }
      return ok({ have: await outputs.append(key, offset, bytes), control: CONTROL })
    },
    async control(caller, { waitMs }, signal) {
      if (enter(caller, 'control') === null) return REFUSED
      await sleep(clock, waitMs, signal)
      return ok({ control: CONTROL })
    },
    why: async (caller) => (enter(caller, 'why') ? ok({ control: CONTROL }) : REFUSED),
    source: async (caller) => (enter(caller, 'source') ? ok(null) : REFUSED),
  }
}

type Finish = Extract<AgentEvent, { type: 'slice_finished' }>

const REFUSED = { ok: false, refusal: 'bad_token' } as const

function ok<T>(value: T): AgentOutcome<T> {
  return { ok: true, value }
}
