/**
 * Carries one spool to the server: one request at a time, each from the offset that the server named last.
 *
 * The answer decides. Less than we thought: go back. More than we ever had: somebody else writes this
 * stream, and we are the one who must stop.
 */
import { isCaravanError } from '../../model/index.ts'
import { type Clock, type Log, type RandomSource, sleep } from '../../platform/index.ts'
import type { Session } from '../session.ts'
import type { SpoolTotals } from './spool-end.ts'

/** What is sent. */
export interface Source {
  /** How much can be read. */
  readonly length: number
  /** What was before it can not be read any more. */
  readonly earliest: number
  /** Known once nothing will be added. */
  readonly totals: SpoolTotals | null
  /** @returns up to `into.length` bytes from `offset` on; a part of `into`. */
  read(offset: number, into: Buffer): Promise<Buffer>
  /** The server has so much. */
  acknowledge(have: number): void
}

export interface UploaderOptions {
  spool: Source
  session: Session
  place: { step: number; attempt: number }
  chunkBytes: number
  clock: Clock
  random: RandomSource
  /** Aborts when no further try is wanted. */
  signal: AbortSignal
  log: Log
  onFenced: (why: string) => void
}

/** What is smaller than this is not made smaller when the server finds it too large. */
const CHUNK_BYTES_MIN = 1024
/** A silent step is looked after this often even if nobody woke us. */
const IDLE_MS = 60_000
/** Of the time between two calls. */
const SPREAD_MIN = 0.75
const SPREAD_MAX = 1.25
/** Before going on with a server that did not move forward, so that a confused one is not flooded. */
const STALLED_PAUSE_MS = 500

export class Uploader {
  readonly #options: UploaderOptions
  #chunkBytes: number
  #have = 0
  #wake: () => void = () => undefined
  /** Settles when the server has all of it, or when it was given up. */
  readonly done: Promise<boolean>

  constructor(options: UploaderOptions) {
    this.#options = options
    this.#chunkBytes = options.chunkBytes
    this.done = this.#run()
  }

  /** The spool has more, or has ended, or the server wants another pace. */
  notify(): void {
    this.#wake()
  }

  async #run(): Promise<boolean> {
    const { spool, signal } = this.#options
    let buffer = Buffer.alloc(0)
    while (!signal.aborted) {
      if (this.#have === spool.length) {
        if (spool.totals !== null) return true
        await this.#waitForOutput()
        continue
      }
      const wanted = Math.min(this.#chunkBytes, spool.length - this.#have)
      // Grown on demand: most steps print a few kilobytes and never need a whole chunk.
      if (buffer.length < wanted) buffer = Buffer.allocUnsafe(wanted)
      if (!(await this.#sendChunk(buffer.subarray(0, wanted)))) return false
      await this.#waitForMore()
    }
    return false
  }

  /** @returns false when there is no use in going on. */
  async #sendChunk(buffer: Buffer): Promise<boolean> {
    const { spool, session, place, signal, clock, log } = this.#options
    const offset = this.#have
    const bytes = await spool.read(offset, buffer)
    try {
      const answer = await session.call(
        'output',
        (calls, s) => calls.output({ ...place, offset }, bytes, s),
        signal,
      )
      if (answer === null) return false
      if (answer.have > spool.length) {
        this.#options.onFenced('the server has output that this agent never sent')
        return false
      }
      this.#have = answer.have
      spool.acknowledge(answer.have)
      if (answer.have < spool.earliest) {
        log.error('the server has lost output that is not here any more', { ...place, ...answer })
        return false
      }
    } catch (cause) {
      if (!isCaravanError(cause, 'TOO_LARGE')) throw cause
      this.#chunkBytes = Math.max(CHUNK_BYTES_MIN, Math.floor(bytes.length / 2))
      if (this.#chunkBytes < bytes.length) return true
    }
    if (this.#have <= offset) await sleep(clock, STALLED_PAUSE_MS, signal)
    return true
  }

  /** Until there is something to send that the server lacks, or nothing will come any more. */
  async #waitForOutput(): Promise<void> {
    const woken = new AbortController()
    this.#wake = () => woken.abort()
    await sleep(this.#options.clock, IDLE_MS, AbortSignal.any([woken.signal, this.#options.signal]))
  }

  /**
   * Lets output gather for as long as the server asks for, spread so that a fleet does not send in step;
   * unless a whole chunk has gathered already or no more will come.
   */
  async #waitForMore(): Promise<void> {
    const { spool, clock, session, random, signal } = this.#options
    const sinceMs = clock.monotonic()
    const spread = SPREAD_MIN + random.number() * (SPREAD_MAX - SPREAD_MIN)
    for (;;) {
      const flushMs = session.control.flush_ms
      const leftMs = sinceMs + flushMs * spread - clock.monotonic()
      if (leftMs <= 0 || signal.aborted) return
      const woken = new AbortController()
      const look = () => {
        const isFull = spool.length - this.#have >= this.#chunkBytes
        // Somebody began to watch, or the last one has gone.
        const isOtherPace = session.control.flush_ms !== flushMs
        if (isFull || spool.totals !== null || isOtherPace) woken.abort()
      }
      this.#wake = look
      look()
      await sleep(clock, leftMs, AbortSignal.any([woken.signal, signal]))
      if (session.control.flush_ms === flushMs) return
    }
  }
}
