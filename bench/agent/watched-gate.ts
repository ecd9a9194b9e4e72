/** The gate of the real scheduler, with an eye on what agents call and when. */
import { type AgentEvent, isResult } from '../../src/model/index.ts'
import type { AgentCaller, AgentGate, OutputStore, Scheduler } from '../../src/scheduler/index.ts'
import { machineMs } from './machine.ts'

/** What is known of a slice that is over. */
export interface SliceReport {
  state: string
  /** Why, in words. */
  detail: string
  /** When the first call of a name, or the first event of a type, came; machine milliseconds. */
  firstMs: Record<string, number>
  /** When the last call was answered that it needed. */
  overMs: number
  /** Of each finished step, what the agent announced and what the store has. */
  outputs: { announced: StreamFacts; stored: StreamFacts }[]
}

interface StreamFacts {
  length: number
  sha256: string
}

export interface WatchedGateOptions {
  scheduler: Scheduler
  outputs: OutputStore
  /** Secrets of the next task that is claimed: no configuration holds any yet. */
  mask: () => string[]
  onOver: (slice: string, report: SliceReport) => void
}

interface Seen {
  firstMs: Record<string, number>
  finished: StepFinished[]
}

type StepFinished = Extract<AgentEvent, { type: 'step_finished' }>

export function watchGate(options: WatchedGateOptions): AgentGate {
  const { agents } = options.scheduler
  const slices = new Map<string, Seen>()
  const mark = (slice: string, what: string): Seen => {
    const seen = slices.get(slice) ?? { firstMs: {}, finished: [] }
    slices.set(slice, seen)
    seen.firstMs[what] ??= machineMs()
    return seen
  }
  return {
    ...agents,
    async claim(slice, epoch, request) {
      mark(slice, 'claim')
      const outcome = await agents.claim(slice, epoch, request)
      if (outcome.ok) outcome.value.task.mask.push(...options.mask())
      return outcome
    },
    async accept(caller) {
      mark(caller.slice, 'accept')
      return await agents.accept(caller)
    },
    async events(caller, events) {
      for (const event of events) {
        const { finished } = mark(caller.slice, event.type)
        if (event.type === 'step_finished') finished.push(event)
      }
      const outcome = await agents.events(caller, events)
      if (events.some((event) => event.type === 'slice_finished')) {
        const seen = mark(caller.slice, 'over')
        void report(caller, seen, options)
      }
      return outcome
    },
  }
}

async function report(
  caller: AgentCaller,
  { firstMs, finished }: Seen,
  { scheduler, outputs, onOver }: WatchedGateOptions,
): Promise<void> {
  const [build = ''] = caller.slice.split('-')
  for await (const _ of scheduler.follow(build, { output: false }, AbortSignal.timeout(60_000))) {
    // Until the build is over, which follows from what the agent has said.
  }
  const slice = (await scheduler.readBuild(build))?.slices[0]
  if (slice === undefined || !isResult(slice.state)) throw new Error(`build ${build} does not end`)
  const found = finished.map(async ({ step, attempt, output: announced }) => {
    const key = { slice: caller.slice, epoch: caller.epoch, step, attempt }
    const [length, sha256] = await Promise.all([outputs.length(key), outputs.sha256(key)])
    return { announced, stored: { length, sha256 } }
  })
  const { state, reason, detail } = slice
  onOver(caller.slice, {
    state,
    detail: `${reason}: ${detail}`,
    firstMs,
    overMs: firstMs['over'] ?? 0,
    outputs: await Promise.all(found),
  })
}
