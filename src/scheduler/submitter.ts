/**
 * The queue: registers waiting slices with Nomad as room becomes free, oldest first.
 *
 * When something stands in the way of all (Nomad is away, our token may not register), or of all of one
 * resource class (its node pool is missing), they are held, say why, and one slice tries again and again;
 * no build fails for it.
 */
import PQueue from 'p-queue'
import { isCaravanError, type ResourceClass, type SliceKey } from '../model/index.ts'
import type { Clock, Log, RandomSource } from '../platform/index.ts'
import { chooseNext, type NodeCapacity } from './capacity.ts'
import type { Cluster } from './cluster.ts'
import type { Hints } from './hints.ts'
import type { Ledger } from './ledger.ts'
import { startLoop, type Loop } from './loop.ts'
import type { OpenSlice } from './open-slices.ts'
import { createPace, type Pace } from './pace.ts'
import { createRetryWaits, type RetryWaits } from './retry-waits.ts'
import { Setbacks } from './setbacks.ts'
import {
  submitSlice,
  type InTurn,
  type SubmissionDeps,
  type SubmissionOutcome,
} from './submission.ts'
import { endUnplaceable } from './unplaceable.ts'

export interface SubmitterDeps extends Omit<SubmissionDeps, 'call'> {
  ledger: Ledger
  cluster: Cluster
  hints: Hints
  classes: ReadonlyMap<string, ResourceClass>
  clock: Clock
  random: RandomSource
  log: Log
}

/** Enough to keep a leader busy over a network round trip, far below its limit of connections. */
const CONCURRENCY = 24

/** So many slices are on their way from the queue to the last row: Nomad must never wait for the store. */
const UNDER_WAY_MAX = 8 * CONCURRENCY

/** A long queue, looked at after each of its slices, may keep the process busy for a fifth of the time. */
const REST_PER_TURN = 4

/** Node changes are told by events; this is for those that got lost. */
const NODES_AGE_MAX_MS = 2000

/** Looks again while slices wait for room, in case that what made room was told to nobody. */
const WAITING_REST_MS = 5000
const IDLE_REST_MS = 30_000

/** What holds the slices of every class. No class has this name. */
const ALL = ''

/** States in which a slice has, or may soon have, a place on a node. */
const LIVE_STATES = ['submitting', 'placing', 'starting', 'running', 'finishing'] as const

export interface SubmitterLoop extends Loop {
  /** What stood in the way may be gone: tries again now. */
  hurry(): void
}

export function startSubmitter(deps: SubmitterDeps): SubmitterLoop {
  const submitter = new Submitter(deps)
  const { clock, random, log } = deps
  const loop = startLoop({
    name: 'submission',
    turn: () => submitter.turn(),
    restPerTurn: REST_PER_TURN,
    clock,
    random,
    log,
  })
  submitter.onSettled = () => loop.wake()
  return {
    wake: () => loop.wake(),
    hurry() {
      submitter.hurry()
      loop.wake()
    },
    fault: () => loop.fault() ?? submitter.holdReason(),
    async stop() {
      await loop.stop()
      await submitter.close()
    },
  }
}

class Submitter {
  onSettled: () => void = () => undefined
  readonly #deps: SubmitterDeps
  readonly #queue = new PQueue({ concurrency: UNDER_WAY_MAX })
  readonly #calls = new PQueue({ concurrency: CONCURRENCY })
  readonly #pace: Pace
  readonly #closing = new AbortController()
  /** Slices whose registration is under way or waits for its turn. */
  readonly #inFlight = new Set<SliceKey>()
  /** What went wrong with one slice alone. */
  readonly #setbacks: Setbacks<SliceKey>
  readonly #waits: RetryWaits
  /** What stands in the way of a resource class, or of ALL. */
  readonly #holds: Setbacks<string>

  constructor(deps: SubmitterDeps) {
    this.#deps = deps
    this.#pace = createPace(deps.clock, CONCURRENCY)
    this.#waits = createRetryWaits(deps.clock)
    this.#setbacks = new Setbacks(deps)
    this.#holds = new Setbacks(deps)
  }

  holdReason(): string | null {
    const [held] = this.#holds.get(ALL) === undefined ? this.#holds.keys() : [ALL]
    if (held === undefined) return null
    const what = held === ALL ? 'submission' : `submission of class ${held}`
    return `${what} is held: ${this.#holds.get(held)?.reason}`
  }

  /** @returns how long to rest. */
  async turn(): Promise<number> {
    const { open } = this.#deps.ledger
    const { classes, clock } = this.#deps
    // One moment for the whole turn: what is not due at it is what the rest is measured by.
    const nowMs = clock.monotonic()
    // Intents from before: whether their requests arrived is found out by sending them again.
    const unsettled = this.#due(open.inState('submitting'), nowMs)
    const waiting = this.#due(open.inState('waiting_run'), nowMs)
    if (unsettled.length + waiting.length === 0) return this.#restMs(IDLE_REST_MS, nowMs)
    const heldMs = this.#holds.leftMs(ALL, nowMs)
    if (heldMs > 0) {
      this.#explain([...unsettled, ...waiting], () => this.#holds.get(ALL)?.reason)
      return heldMs
    }
    const nodes = await this.#readNodes()
    if (nodes === null) return 0
    const placeable = await endUnplaceable(this.#deps, waiting, nodes)
    const live = this.#live()
    const decision = chooseNext({ waiting: placeable, live, nodes, classes })
    for (const entry of this.#passHolds([...unsettled, ...decision.submit], nowMs)) {
      this.#start(entry)
    }
    const left = placeable.filter(({ key }) => !this.#inFlight.has(key))
    this.#explain(left, ({ build: { resource_class: name } }) => {
      return this.#holds.get(name)?.reason ?? decision.waits.get(name)
    })
    return this.#restMs(left.length > 0 ? WAITING_REST_MS : IDLE_REST_MS, nowMs)
  }

  hurry(): void {
    this.#holds.hurry()
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the scheduler is closing'))
    this.#queue.clear()
    await this.#queue.onIdle()
  }

  #due(entries: Iterable<OpenSlice>, nowMs: number): OpenSlice[] {
    return [...entries].filter(
      ({ key, slice }) =>
        !this.#inFlight.has(key) &&
        this.#setbacks.leftMs(key, nowMs) === 0 &&
        this.#waits.leftMs(key, slice, nowMs) === 0,
    )
  }

  /** Those that have a place on a node, or may have one before long. */
  #live(): OpenSlice[] {
    const { open } = this.#deps.ledger
    const registered = LIVE_STATES.flatMap((state) => [...open.inState(state)])
    const leaving = [...open.inState('waiting_run')].filter(({ key }) => this.#inFlight.has(key))
    return [...registered, ...leaving]
  }

  /** Of what is held, one goes ahead and finds out whether it is still so. */
  #passHolds(chosen: readonly OpenSlice[], nowMs: number): readonly OpenSlice[] {
    const tried = new Set<string>()
    const passing = chosen.filter(({ build: { resource_class: name } }) => {
      if (this.#holds.get(name) === undefined) return true
      if (tried.has(name) || this.#holds.leftMs(name, nowMs) > 0) return false
      tried.add(name)
      return true
    })
    return this.#holds.get(ALL) === undefined ? passing : passing.slice(0, 1)
  }

  #restMs(atMost: number, nowMs: number): number {
    const open = this.#deps.ledger.open
    const lefts = [...this.#holds.keys()].map((name) => this.#holds.leftMs(name, nowMs))
    for (const key of this.#setbacks.keys()) {
      const state = open.get(key)?.slice.state
      if (state === 'waiting_run' || state === 'submitting') {
        lefts.push(this.#setbacks.leftMs(key, nowMs))
      } else this.#setbacks.forget(key)
    }
    this.#waits.keepOnly((key) => open.get(key)?.slice.state === 'waiting_run')
    for (const { key, slice } of open.inState('waiting_run')) {
      lefts.push(this.#waits.leftMs(key, slice, nowMs))
    }
    return lefts.reduce(
      (restMs, leftMs) => (leftMs > 0 ? Math.min(restMs, leftMs) : restMs),
      atMost,
    )
  }

  /** @returns null when they can not be read, which holds the queue. */
  async #readNodes(): Promise<readonly NodeCapacity[] | null> {
    try {
      return await this.#deps.cluster.nodes(NODES_AGE_MAX_MS)
    } catch (cause) {
      this.#hold(ALL, cause instanceof Error ? cause.message : String(cause), cause)
      return null
    }
  }

  #explain(
    entries: readonly OpenSlice[],
    reasonOf: (entry: OpenSlice) => string | null | undefined,
  ): void {
    for (const entry of entries) {
      this.#deps.hints.set(entry.key, 'queue', reasonOf(entry) ?? null)
    }
  }

  #start({ key, build }: OpenSlice): void {
    this.#inFlight.add(key)
    // It waits no more.
    this.#deps.hints.set(key, 'queue', null)
    void this.#queue.add(async () => {
      const { clock } = this.#deps
      let startedMs = clock.monotonic()
      try {
        // A call that waited for its turn tells nothing of the time before it.
        const call: InTurn = (work) =>
          this.#calls.add(() => {
            startedMs = clock.monotonic()
            return work()
          })
        const outcome = await submitSlice({ ...this.#deps, call }, key, this.#closing.signal)
        this.#learn(key, build.resource_class, outcome)
      } catch (cause) {
        if (isCaravanError(cause, 'NOMAD_UNKNOWN_OUTCOME')) this.#pace.strained(startedMs)
        if (!this.#closing.signal.aborted) this.#retry(key, cause)
      } finally {
        this.#inFlight.delete(key)
        this.#calls.concurrency = this.#pace.limit
        this.onSettled()
      }
    })
  }

  #learn(key: SliceKey, resourceClass: string, outcome: SubmissionOutcome): void {
    const { hints, log, clock } = this.#deps
    const isSettled = outcome.kind === 'settled'
    hints.set(key, 'queue', isSettled ? null : outcome.reason)
    if (isSettled) this.#pace.went()
    // Whatever it was, Nomad looked at it: nothing stands in the way of all.
    const ended = isSettled || outcome.scope === 'class' ? [ALL] : []
    if (isSettled) ended.push(resourceClass)
    for (const held of ended) if (this.#holds.forget(held)) log.info('submission goes on', { held })
    if (isSettled) {
      this.#setbacks.forget(key)
      return
    }
    const held = outcome.scope === 'all' ? ALL : resourceClass
    // Those that were under way when the first one failed tell nothing new.
    if (this.#holds.leftMs(held, clock.monotonic()) === 0) this.#hold(held, outcome.reason)
  }

  #hold(held: string, reason: string, cause?: unknown): void {
    const why = cause === undefined ? { held, reason } : { held, reason, cause }
    if (this.#holds.get(held) === undefined) this.#deps.log.warn('submission is held', why)
    this.#holds.add(held, reason)
  }

  /** Only this slice is put off: what it met may have to do with it alone. */
  #retry(key: SliceKey, cause: unknown): void {
    const { hints, log } = this.#deps
    const reason = cause instanceof Error ? cause.message : String(cause)
    const setback = this.#setbacks.add(key, reason)
    log.warn('a slice could not be submitted yet', { slice: key, ...setback, cause })
    hints.set(key, 'queue', `could not be submitted yet: ${reason}`)
  }
}
