/**
 * Nomad's event stream: a line of JSON per change, and an empty object every 30 seconds.
 *
 * Reading never waits for the consumer. Nomad drops readers that fall behind its small buffer, so what
 * the consumer has not taken is queued here, and given up as a gap when that grows too large.
 */
import type { Readable } from 'node:stream'
import { HttpError, backoffMs, sleep } from '../platform/index.ts'
import { checkEventBatch } from './check.ts'
import { isRepeatable } from './failure.ts'
import { ItemQueue } from './item-queue.ts'
import { readLines } from './lines.ts'
import type { GapReason, StreamItem, Subscription } from './ports.ts'
import type { Transport } from './transport.ts'
import type { NomadEvent } from './wire.ts'

/** Two heartbeats missed, and a little for the network. */
const SILENCE_MAX_MS = 65_000
/** A change that touches thousands of allocations at once is still below. */
const LINE_BYTES_MAX = 16 * 1024 ** 2
/** What may wait for the consumer; parsed it takes a few times as much memory. */
const QUEUE_BYTES_MAX = 16 * 1024 ** 2
/** What an item without events counts for, so that a queue of them ends somewhere too. */
const BARE_ITEM_BYTES = 1024
const BACKOFF = { baseMs: 500, maxMs: 5_000 }

/** @see NomadClient.events */
export async function* streamEvents(
  transport: Transport,
  subscription: Subscription,
  signal: AbortSignal,
): AsyncGenerator<StreamItem> {
  const left = new AbortController()
  const queue = new ItemQueue<StreamItem>(QUEUE_BYTES_MAX)
  const reader = new Reader(transport, subscription, queue)
  const reading = reader.run(AbortSignal.any([signal, left.signal])).then(
    () => queue.end(),
    (error: unknown) => queue.end(error),
  )
  try {
    for await (const item of queue) {
      if (signal.aborted) return
      yield item
    }
  } finally {
    left.abort()
    await reading
  }
}

/** Keeps one connection open and fills the queue from it. */
class Reader {
  readonly #transport: Transport
  readonly #subscription: Subscription
  readonly #queue: ItemQueue<StreamItem>
  /** Where the next connection starts. */
  #index: number

  constructor(transport: Transport, subscription: Subscription, queue: ItemQueue<StreamItem>) {
    this.#transport = transport
    this.#subscription = subscription
    this.#queue = queue
    this.#index = subscription.index ?? 0
  }

  /** Ends with the signal. @throws what connecting again can not cure. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#transport
    const backoff = { ...BACKOFF, random: () => random.number() }
    let lost: GapReason | null = null
    let failures = 0
    while (!signal.aborted) {
      const startMs = clock.monotonic()
      try {
        await this.#checkRights(signal)
        lost = await this.#follow(await this.#connect(signal), lost)
        log.warn('event stream of Nomad lost', { reason: lost })
      } catch (cause) {
        if (signal.aborted) return
        if (!isPassing(cause)) throw cause
        lost = toGapReason(cause)
        log.warn('event stream of Nomad lost', { reason: lost, failures, cause })
      }
      // A connection that held for long was sound, whatever ended it.
      failures = clock.monotonic() - startMs > BACKOFF.maxMs ? 0 : failures + 1
      await sleep(clock, backoffMs(failures, backoff), signal)
    }
  }

  /**
   * To a subscription without rights Nomad answers 200, then nothing, and ends it after most of a
   * minute. Lists that need the same rights tell at once. @throws CaravanError NOMAD_FORBIDDEN
   */
  async #checkRights(signal: AbortSignal): Promise<void> {
    const { topics, namespace } = this.#subscription
    const paths = topics.map(({ topic }) => (topic === 'Node' ? '/v1/nodes' : '/v1/jobs'))
    for (const path of new Set(paths)) {
      const call = { purpose: 'follow the events', path, query: { per_page: 1 }, namespace, signal }
      await this.#transport.wait({ ...call, check: (list) => list })
    }
  }

  #connect(signal: AbortSignal): Promise<Readable> {
    const { topics, namespace } = this.#subscription
    return this.#transport.stream({
      purpose: 'follow the events',
      path: '/v1/event/stream',
      query: {
        index: this.#index,
        topic: topics.map(({ topic, key }) => (key === undefined ? topic : `${topic}:${key}`)),
      },
      namespace,
      signal,
      silenceMaxMs: SILENCE_MAX_MS,
    })
  }

  /** @returns why it is over. @throws HttpError when the connection broke. */
  async #follow(body: Readable, lost: GapReason | null): Promise<GapReason> {
    let started = false
    for await (const line of readLines(body, LINE_BYTES_MAX)) {
      if (!started) {
        started = true
        this.#tell({ kind: 'connected', index: this.#index }, BARE_ITEM_BYTES)
        if (lost) this.#tell({ kind: 'gap', reason: lost }, BARE_ITEM_BYTES)
      }
      if (!this.#take(line)) return 'malformed'
    }
    return 'ended'
  }

  /** @returns false when the rest of the stream can not be trusted either. */
  #take(line: string | null): boolean {
    if (line === null) {
      // Too long, so it is left out: asking for it again would never end.
      this.#tell({ kind: 'gap', reason: 'malformed' }, BARE_ITEM_BYTES)
      return true
    }
    try {
      const batch = parseLine(line)
      if (batch === null) return true
      this.#index = batch.Index
      const item = { kind: 'batch', index: batch.Index, events: batch.Events } as const
      this.#tell(item, Buffer.byteLength(line))
      return true
    } catch (cause) {
      this.#transport.log.warn('event of Nomad makes no sense', { cause })
      return false
    }
  }

  #tell(item: StreamItem, bytes: number): void {
    if (this.#queue.push(item, bytes)) return
    this.#transport.log.warn('events of Nomad dropped: their reader is too slow')
    this.#queue.clear()
    this.#queue.push({ kind: 'gap', reason: 'slow_reader' }, BARE_ITEM_BYTES)
  }
}

/** @returns null for a heartbeat. @throws Error for anything but a batch of events. */
function parseLine(line: string): { Index: number; Events: NomadEvent[] } | null {
  if (line === '{}' || line.trim() === '') return null
  return checkEventBatch(JSON.parse(line))
}

function isPassing(cause: unknown): boolean {
  return cause instanceof HttpError || isRepeatable(cause, 'read')
}

function toGapReason(cause: unknown): GapReason {
  if (!(cause instanceof HttpError)) return 'unreachable'
  return cause.fault === 'timeout' ? 'silent' : 'ended'
}
