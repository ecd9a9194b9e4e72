/** What the agent needs of the world. The command gives it the real things, tests give theirs. */
import type { Readable } from 'node:stream'
import type {
  AgentEvent,
  AgentRefusal,
  ClaimAnswer,
  ClaimRequest,
  Control,
} from '../model/index.ts'
import type { Clock, Log, RandomSource } from '../platform/index.ts'
import type { AgentTimings } from './timings.ts'

/** A refusal is an answer. Whatever is thrown means that the same call may be made again. */
export type AgentAnswer<T> = { ok: true; value: T } | { ok: false; refusal: AgentRefusal }

/** The scheduler, as seen by one epoch of one slice. */
export interface AgentServer {
  claim(request: ClaimRequest, signal: AbortSignal): Promise<AgentAnswer<ClaimAnswer>>
  /** The calls of a slice that has been claimed. */
  open(session: string): AgentCalls
  close(): Promise<void>
}

/**
 * Calls that may all be repeated without harm.
 *
 * @throws CaravanError SERVER_UNREACHABLE or SERVER_ERROR, with `detail.retry_after_ms` when the server
 *   names a pause; TOO_LARGE when a body is larger than the server takes.
 */
export interface AgentCalls {
  accept(signal: AbortSignal): Promise<AgentAnswer<{ control: Control }>>
  events(
    events: AgentEvent[],
    signal: AbortSignal,
  ): Promise<AgentAnswer<{ applied: number; control: Control }>>
  output(
    place: { step: number; attempt: number; offset: number },
    bytes: Buffer,
    signal: AbortSignal,
  ): Promise<AgentAnswer<{ have: number; control: Control }>>
  control(
    poll: { seen: number; waitMs: number },
    signal: AbortSignal,
  ): Promise<AgentAnswer<{ control: Control }>>
  why(signal: AbortSignal): Promise<AgentAnswer<{ control: Control }>>
  /** The bytes of the git bundle; must be read to their end or destroyed. */
  source(signal: AbortSignal): Promise<AgentAnswer<Readable>>
}

/** Delivers the signals that ask the process to end. */
export interface Signals {
  /** @returns a function that stops listening. */
  listen(onSignal: (name: 'SIGTERM' | 'SIGINT') => void): () => void
}

export interface AgentOptions {
  server: { url: string; slice: string; epoch: number; token: string }
  allocation: {
    id: string
    /** Shared by the tasks of the allocation; the spool lives in it. */
    dir: string
    /** Where the spool is kept instead, when the allocation's folder may be gone before it is swept. */
    spoolRoot?: string
    /** The task's own; home and working directory of the steps live in it. */
    taskDir: string
  }
  node: { id: string; name: string }
  version: string
  /** Path of the Node.js that runs the agent, for the tools that it gives to steps. */
  runtime: string
  /** Environment that the agent was started with; what is internal is not passed on. */
  environment: Readonly<Record<string, string | undefined>>
  clock: Clock
  log: Log
  random: RandomSource
  signals: Signals
  timings?: Partial<AgentTimings>
  /** What the output that the server lacks may take of the disk. */
  spoolBytes?: number
}
