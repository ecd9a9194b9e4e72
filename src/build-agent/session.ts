/**
 * The conversation with the server after the claim: every call is repeated until it is answered, every
 * answer renews the lease and may bring orders, a long poll runs beside whatever else is said.
 */
import { isCaravanError, type ClaimAnswer, type Control } from '../model/index.ts'
import {
  backoffMs,
  type Clock,
  type Log,
  type RandomSource,
  sleep,
  type Timer,
} from '../platform/index.ts'
import type { AgentAnswer, AgentCalls } from './ports.ts'
import type { AgentTimings } from './timings.ts'

export interface SessionOptions {
  calls: AgentCalls
  claim: Pick<ClaimAnswer, 'control' | 'lease_ms'>
  orphanMs: number
  clock: Clock
  log: Log
  random: RandomSource
  timings: AgentTimings
  /** Newer orders than any before. */
  onControl: (control: Control) => void
  /** The server will have nothing more to do with this epoch. */
  onFenced: (refusal: string) => void
  /** The server was silent for `orphanMs`. */
  onOrphaned: () => void
}

type Send<T> = (calls: AgentCalls, signal: AbortSignal) => Promise<AgentAnswer<T>>

export class Session {
  readonly #options: SessionOptions
  readonly #closing = new AbortController()
  #control: Control
  #heardMs: number
  #orphanTimer: Timer | null = null
  #polling: Promise<void> = Promise.resolve()

  constructor(options: SessionOptions) {
    this.#options = options
    this.#control = options.claim.control
    this.#heardMs = options.clock.monotonic()
  }

  get control(): Control {
    return this.#control
  }

  /** When the server last answered, as the monotonic clock had it. */
  get heardMs(): number {
    return this.#heardMs
  }

  /** Starts the long poll and the watch for a silent server. */
  start(): void {
    this.#options.onControl(this.#control)
    this.#watchSilence()
    this.#polling = this.#poll()
  }

  /** No more orders are wanted: the end of the slice is on its way. */
  async stopPolling(): Promise<void> {
    this.#closing.abort()
    await this.#polling
  }

  async close(): Promise<void> {
    await this.stopPolling()
    this.#orphanTimer?.cancel()
  }

  /** Like `repeat`, for the calls whose answers bring orders, which is nearly all. */
  async call<T extends { control: Control }>(
    what: string,
    send: Send<T>,
    signal: AbortSignal,
  ): Promise<T | null> {
    const answer = await this.repeat(what, send, signal)
    if (answer !== null) this.#obey(answer.control)
    return answer
  }

  /**
   * Makes one call until the server answers it.
   *
   * @returns null when the signal aborted first, or when the server refused for good.
   * @throws CaravanError TOO_LARGE, which repeating does not mend.
   */
  async repeat<T>(what: string, send: Send<T>, signal: AbortSignal): Promise<T | null> {
    const { clock, log, random, timings, onFenced } = this.#options
    for (let tries = 0; !signal.aborted; tries++) {
      let pauseMs = backoffMs(tries, {
        baseMs: timings.retryBaseMs,
        maxMs: timings.retryMaxMs,
        random: () => random.number(),
      })
      try {
        const answer = await send(this.#options.calls, signal)
        if (answer.ok) {
          this.#heardMs = clock.monotonic()
          if (tries > 0) log.info('the server answers again', { call: what, tries })
          return answer.value
        }
        if (answer.refusal !== 'not_ready') {
          onFenced(answer.refusal)
          return null
        }
      } catch (cause) {
        if (signal.aborted) break
        if (isCaravanError(cause, 'TOO_LARGE')) throw cause
        pauseMs = Math.max(pauseMs, readRetryAfterMs(cause))
        const level = tries === 0 ? 'warn' : 'debug'
        log[level]('the server did not take a call, trying again', { call: what, tries, cause })
      }
      await sleep(clock, pauseMs, signal)
    }
    return null
  }

  /** Takes orders that are newer than those we have; answers may overtake one another. */
  #obey(control: Control): void {
    if (control.version <= this.#control.version) return
    this.#control = control
    this.#options.onControl(control)
  }

  async #poll(): Promise<void> {
    const { signal } = this.#closing
    // Any call renews the lease, and this one is always under way: two may get lost before it expires.
    const waitMs = Math.min(
      this.#options.timings.pollMaxMs,
      Math.floor(this.#options.claim.lease_ms / 3),
    )
    while (!signal.aborted) {
      const startedMs = this.#options.clock.monotonic()
      const seen = this.#control.version
      const answer = await this.call(
        'control',
        (calls, s) => calls.control({ seen, waitMs }, s),
        signal,
      )
      if (answer === null) return
      // A server that does not hold the call must not be asked in a tight loop.
      const early =
        this.#control.version === seen && this.#options.clock.monotonic() - startedMs < waitMs / 2
      if (early) await sleep(this.#options.clock, Math.min(waitMs, POLL_PAUSE_MS), signal)
    }
  }

  #watchSilence(): void {
    const { clock, orphanMs } = this.#options
    const silentMs = clock.monotonic() - this.#heardMs
    if (silentMs >= orphanMs) {
      this.#options.onOrphaned()
      return
    }
    this.#orphanTimer = clock.after(orphanMs - silentMs, () => this.#watchSilence()).unref()
  }
}

const POLL_PAUSE_MS = 1000
/** A server that asks for more is not obeyed: its clock or its proxy is wrong. */
const RETRY_AFTER_MAX_MS = 60_000

/** What a server that wants to be left alone for a while has said; 0 when it has not. */
export function readRetryAfterMs(cause: unknown): number {
  const value = isCaravanError(cause) ? cause.detail['retry_after_ms'] : undefined
  return typeof value === 'number' ? Math.min(value, RETRY_AFTER_MAX_MS) : 0
}
