/**
 * The queue: registers waiting slices with Nomad as room becomes free, oldest first.
 *
 * When something stands in the way of all (Nomad is away, our token may not register), the queue is
 * held, says why, and tries with one slice again and again; no build fails for it.
 */
import PQueue from 'p-queue'
import type { Reason, ResourceClass, SliceKey } from '../model/index.ts'
import { backoffMs, type Clock, type Log, type RandomSource } from '../platform/index.ts'
import { chooseNext, judgeFit, type NodeCapacity } from './capacity.ts'
import type { Cluster } from './cluster.ts'
import type { Hints } from './hints.ts'
import { placeOf, type Ledger } from './ledger.ts'
import { startLoop, type Loop } from './loop.ts'
import type { OpenSlice } from './open-slices.ts'
import {
  submitSlice,
  type InTurn,
  type SubmissionDeps,
  type SubmissionOutcome,
} from './submission.ts'

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
const UNDER_WAY_MAX = 4 * CONCURRENCY

/** A long queue, looked at after each of its slices, may keep the process busy for a fifth of the time. */
const REST_PER_TURN = 4

/** Node changes are told by events; this is for those that got lost. */
const NODES_AGE_MAX_MS = 2000

/** Looks again while slices wait for room, in case that what made room was told to nobody. */
const WAITING_REST_MS = 5000
const IDLE_REST_MS = 30_000

const BACKOFF = { baseMs: 250, maxMs: 30_000 }

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

interface Setback {
  reason: string
  failures: number
  /** No try before; monotonic. */
  untilMs: number
}

class Submitter {
  onSettled: () => void = () => undefined
  readonly #deps: SubmitterDeps
  readonly #queue = new PQueue({ concurrency: UNDER_WAY_MAX })
  readonly #calls = new PQueue({ concurrency: CONCURRENCY })
  readonly #closing = new AbortController()
  /** Slices whose registration is under way or waits for its turn. */
  readonly #inFlight = new Set<SliceKey>()
  /** What went wrong with one slice alone. */
  readonly #setbacks = new Map<SliceKey, Setback>()
  /** What stands in the way of all. */
  #hold: Setback | null = null

  constructor(deps: SubmitterDeps) {
    this.#deps = deps
  }

  holdReason(): string | null {
    return this.#hold && `submission is held: ${this.#hold.reason}`
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
    const heldMs = leftOf(this.#hold, nowMs)
    if (heldMs > 0) {
      this.#explain([...unsettled, ...waiting], () => this.#hold?.reason ?? null)
      return heldMs
    }
    const nodes = await this.#readNodes()
    if (nodes === null) return 0
    const placeable = await this.#endUnplaceable(waiting, nodes)
    const live = this.#live()
    const decision = chooseNext({ waiting: placeable, live, nodes, classes })
    const chosen = [...unsettled, ...decision.submit]
    // While the queue is held, one goes ahead and finds out whether it is still so.
    const sent = this.#hold === null ? chosen : chosen.slice(0, 1)
    for (const entry of sent) this.#start(entry)
    const left = placeable.filter(({ key }) => !this.#inFlight.has(key))
    this.#explain(left, ({ build }) => decision.waits.get(build.resource_class))
    return this.#restMs(left.length > 0 ? WAITING_REST_MS : IDLE_REST_MS, nowMs)
  }

  hurry(): void {
    if (this.#hold !== null) this.#hold.untilMs = 0
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the scheduler is closing'))
    this.#queue.clear()
    await this.#queue.onIdle()
  }

  #due(entries: Iterable<OpenSlice>, nowMs: number): OpenSlice[] {
    return [...entries].filter(
      ({ key }) => !this.#inFlight.has(key) && leftOf(this.#setbacks.get(key), nowMs) === 0,
    )
  }

  /** Those that have a place on a node, or may have one before long. */
  #live(): OpenSlice[] {
    const { open } = this.#deps.ledger
    const registered = LIVE_STATES.flatMap((state) => [...open.inState(state)])
    const leaving = [...open.inState('waiting_run')].filter(({ key }) => this.#inFlight.has(key))
    return [...registered, ...leaving]
  }

  #restMs(atMost: number, nowMs: number): number {
    const open = this.#deps.ledger.open
    let restMs = atMost
    for (const [key, setback] of this.#setbacks) {
      const state = open.get(key)?.slice.state
      const leftMs = leftOf(setback, nowMs)
      if (state !== 'waiting_run' && state !== 'submitting') this.#setbacks.delete(key)
      else if (leftMs > 0) restMs = Math.min(restMs, leftMs)
    }
    return restMs
  }

  /** @returns null when they can not be read, which holds the queue. */
  async #readNodes(): Promise<readonly NodeCapacity[] | null> {
    try {
      return await this.#deps.cluster.nodes(NODES_AGE_MAX_MS)
    } catch (cause) {
      this.#holdAll(cause instanceof Error ? cause.message : String(cause), cause)
      return null
    }
  }

  /** @returns those that some node can hold. */
  async #endUnplaceable(
    waiting: readonly OpenSlice[],
    nodes: readonly NodeCapacity[],
  ): Promise<OpenSlice[]> {
    const { classes } = this.#deps
    const placeable: OpenSlice[] = []
    for (const [name, entries] of Map.groupBy(waiting, ({ build }) => build.resource_class)) {
      const resourceClass = classes.get(name)
      const fit = resourceClass && judgeFit(resourceClass, nodes)
      if (fit === undefined) {
        const detail = `the settings have no resource class ${name} any more`
        await this.#endAll(entries, 'config_error', detail)
      } else if (fit.kind === 'never') {
        await this.#endAll(entries, 'no_placement', fit.detail)
      } else {
        placeable.push(...entries)
      }
    }
    return placeable
  }

  async #endAll(entries: readonly OpenSlice[], reason: Reason, detail: string): Promise<void> {
    const { ledger, log } = this.#deps
    log.warn('slices can not be placed', { slices: entries.length, reason, detail })
    for (const { slice } of entries) {
      const fact = { kind: 'ended' as const, epoch: slice.epoch, reason, detail }
      await ledger.record(placeOf(slice), fact)
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

  #start({ key }: OpenSlice): void {
    this.#inFlight.add(key)
    void this.#queue.add(async () => {
      try {
        const call: InTurn = (work) => this.#calls.add(work)
        this.#learn(key, await submitSlice({ ...this.#deps, call }, key, this.#closing.signal))
      } catch (cause) {
        if (!this.#closing.signal.aborted) this.#retry(key, cause)
      } finally {
        this.#inFlight.delete(key)
        this.onSettled()
      }
    })
  }

  #learn(key: SliceKey, outcome: SubmissionOutcome): void {
    const { hints, log } = this.#deps
    if (outcome.kind === 'settled') {
      if (this.#hold !== null) log.info('submission goes on')
      this.#hold = null
      this.#setbacks.delete(key)
      hints.set(key, 'queue', null)
      return
    }
    hints.set(key, 'queue', outcome.reason)
    // Those that were under way when the first one failed tell nothing new.
    const heldMs = leftOf(this.#hold, this.#deps.clock.monotonic())
    if (heldMs === 0) this.#holdAll(outcome.reason)
  }

  #holdAll(reason: string, cause?: unknown): void {
    const why = cause === undefined ? { reason } : { reason, cause }
    if (this.#hold === null) this.#deps.log.warn('submission is held', why)
    this.#hold = this.#toSetback(this.#hold, reason)
  }

  /** Only this slice is put off: what it met may have to do with it alone. */
  #retry(key: SliceKey, cause: unknown): void {
    const { hints, log } = this.#deps
    const reason = cause instanceof Error ? cause.message : String(cause)
    const setback = this.#toSetback(this.#setbacks.get(key), reason)
    log.warn('a slice could not be submitted yet', { slice: key, ...setback, cause })
    this.#setbacks.set(key, setback)
    hints.set(key, 'queue', `could not be submitted yet: ${reason}`)
  }

  #toSetback(before: Setback | null | undefined, reason: string): Setback {
    const { clock, random } = this.#deps
    const failures = (before?.failures ?? 0) + 1
    const restMs = backoffMs(failures, { ...BACKOFF, random: () => random.number() })
    return { reason, failures, untilMs: clock.monotonic() + restMs }
  }
}

/** How long until the next try. */
function leftOf(setback: Setback | null | undefined, nowMs: number): number {
  return setback ? Math.max(0, setback.untilMs - nowMs) : 0
}
