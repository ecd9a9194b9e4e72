/**
 * What the rest of Caravan may ask of the scheduler, and what the scheduler asks of the world.
 *
 * Shapes that cross HTTP are those of `model/`; this file only says who calls what.
 */
import type { Readable } from 'node:stream'
import type { z } from 'zod'
import type { NomadClient } from '../nomad/index.ts'
import type { Clock, GaugeReading, Log, MetricSink, RandomSource } from '../platform/index.ts'
import type { TokenBook } from './access/index.ts'
import type { Demand } from './demand/index.ts'
import type {
  AgentEvent,
  AgentRefusal,
  BuildId,
  BuildRequest,
  BuildSummary,
  BuildView,
  ClaimAnswer,
  ClaimRequest,
  Control,
  FollowEvent,
  Settings,
  SliceKey,
  dryRunAnswer,
} from '../model/index.ts'

/** What `createScheduler` is given; all of it outlives the scheduler except `outputs`, which it closes. */
export interface SchedulerDeps {
  settings: Settings
  /** Owned by one process at a time: `createScheduler` takes its lock. */
  dataDir: string
  nomad: SchedulerNomad
  outputs: OutputStore
  clock: Clock
  random: RandomSource
  log: Log
  /** Told of what happens; of nothing when absent. */
  metrics?: MetricSink
  /** Signs claim tokens; at least 32 bytes that stay the same over restarts. */
  serverKey: Uint8Array
  /** Where agents reach us: asked when a job is submitted, since a port may be known late. */
  publicUrl: () => string
  /** Program and arguments that start the agent on a client. */
  agentCommand: readonly string[]
  template: { file: string; text: string }
}

/** The part of Nomad that the scheduler uses. */
export type SchedulerNomad = Pick<
  NomadClient,
  | 'namespace'
  | 'registerJob'
  | 'readJob'
  | 'deregisterJob'
  | 'evaluateJob'
  | 'listJobs'
  | 'jobStatuses'
  | 'jobAllocations'
  | 'jobEvaluations'
  | 'readAllocation'
  | 'listAllocations'
  | 'listNodes'
  | 'readNode'
  | 'version'
  | 'schedulerConfiguration'
  | 'events'
>

/** The control plane as API and CLI see it. */
export interface Scheduler {
  /** Compiles, plans and stores; the slices wait in the queue when it returns. */
  submit(request: BuildRequest): Promise<BuildView>
  /** Everything `submit` does short of storing; the claim token is left out. */
  dryRun(request: BuildRequest): Promise<z.infer<typeof dryRunAnswer>>
  /** Newest first. @param cursor as handed out by the page before. */
  listBuilds(page: {
    cursor?: string
    limit: number
  }): Promise<{ builds: BuildSummary[]; next_cursor: string | null }>
  /** @param ref a build id, or a build number in decimal. */
  readBuild(ref: string): Promise<BuildView | null>
  /**
   * A new build of what this one was; null when there is no such build.
   *
   * @throws CaravanError CONFLICT or CONFIG_INVALID when it can not be run again.
   */
  rerunBuild(ref: string, options: { failed: boolean }): Promise<BuildView | null>
  /** Asks every live slice to end; the returned view may still show slices that are winding down. */
  cancelBuild(ref: string): Promise<BuildView | null>
  follow(ref: string, options: { output: boolean }, signal: AbortSignal): AsyncIterable<FollowEvent>
  /** Null when there is no such build, slice or step. */
  readOutput(place: OutputPlace & { ref: string }, range: ByteRange): Promise<OutputRead | null>
  /** Keeps an uploaded git bundle. @returns the SHA-256 of its bytes. */
  storeSource(bytes: Readable): Promise<string>
  /** The calls of build-agents. */
  readonly agents: AgentGate
  /** Tokens that people and machines prove themselves with. */
  readonly tokens: TokenBook
  /** What slices ask of the cluster, from memory. */
  readonly demand: Demand
  /** Names what keeps builds from going on, Nomad's absence too; empty when all is well. */
  health(): Promise<string[]>
  /** Names what is wrong with this process itself and its store. */
  faults(): string[]
  /** How queue, slices and places stand; without those of nodes while Nomad is away. */
  gauges(): Promise<GaugeReading[]>
  start(): Promise<void>
  /** Stops the loops and closes the store. Running slices go on without us. */
  close(): Promise<void>
}

export interface ByteRange {
  offset: number
  /** To the end when absent. */
  length?: number
}

export interface OutputPlace {
  slice: number
  step: number
  /** Of which attempt; the last one when absent. */
  epoch?: number
}

export interface OutputRead {
  bytes: Readable
  /** Bytes the server holds in all. */
  have: number
  /** True when the step is over and nothing is missing. */
  complete: boolean
}

export type AgentOutcome<T> = { ok: true; value: T } | { ok: false; refusal: AgentRefusal }

/** Who calls: the epoch of a slice, proven by its session. */
export interface AgentCaller {
  slice: SliceKey
  epoch: number
  session: string
}

/**
 * The scheduler's side of the agent protocol. A refusal is a value; whatever is thrown is a fault of
 * ours and tells the agent to try again.
 */
export interface AgentGate {
  /**
   * Whether the proof is the slice's own, asked before a body is read: the claim token for a claim, the
   * session for everything else.
   */
  admits(
    slice: { slice: SliceKey; epoch: number },
    proof: { kind: 'claim' | 'session'; bearer: string },
  ): Promise<AgentOutcome<null>>
  claim(slice: SliceKey, epoch: number, request: ClaimRequest): Promise<AgentOutcome<ClaimAnswer>>
  accept(caller: AgentCaller): Promise<AgentOutcome<{ control: Control }>>
  events(
    caller: AgentCaller,
    events: AgentEvent[],
  ): Promise<AgentOutcome<{ applied: number; control: Control }>>
  output(
    caller: AgentCaller,
    place: { step: number; attempt: number; offset: number },
    bytes: Buffer,
  ): Promise<AgentOutcome<{ have: number; control: Control }>>
  /** Answers when the control version passes `seen`, when the wait is over, or when aborted. */
  control(
    caller: AgentCaller,
    options: { seen: number; waitMs: number },
    signal: AbortSignal,
  ): Promise<AgentOutcome<{ control: Control }>>
  why(caller: AgentCaller): Promise<AgentOutcome<{ control: Control }>>
  source(caller: AgentCaller): Promise<AgentOutcome<{ bytes: Readable; length: number } | null>>
}

/** Names one output stream: one try of one step of one epoch of one slice. */
export interface OutputKey {
  slice: SliceKey
  epoch: number
  step: number
  attempt: number
}

/**
 * Output as append-only files. Offsets count masked bytes from the start of the stream.
 */
export interface OutputStore {
  /**
   * Keeps what is new: bytes below what we have are duplicates, bytes beyond it are not taken.
   * @returns how many bytes the stream has now.
   */
  append(key: OutputKey, offset: number, bytes: Buffer): Promise<number>
  length(key: OutputKey): Promise<number>
  read(key: OutputKey, range: ByteRange): Promise<Readable>
  /** Hex SHA-256 of the whole stream. */
  sha256(key: OutputKey): Promise<string>
  /** Calls back after every append to any stream of the slice. @returns a function that stops it. */
  watch(slice: SliceKey, onAppend: (key: OutputKey, have: number) => void): () => void
  close(): Promise<void>
}

/** Something committed about a build; readers look the rest up. */
export interface Change {
  kind: 'build' | 'slice' | 'step' | 'notice'
  slice?: number
  step?: number
  /** Of a notice. */
  text?: string
}

/** Every committed change, in the order of the commits. */
export interface ChangeFeed {
  /** @returns a function that ends the subscription. */
  subscribe(build: BuildId, listener: (change: Change) => void): () => void
}
