/**
 * The ordered log of what happened: numbered from 1 without a gap, kept on disk and in memory, and sent
 * again from wherever the server says it has got to.
 */
import { appendFile } from 'node:fs/promises'
import { type AgentEvent, isCaravanError } from '../model/index.ts'
import { type Clock, type Log, sleep } from '../platform/index.ts'
import type { Session } from './session.ts'

export interface EventLogOptions {
  session: Session
  file: string
  clock: Clock
  log: Log
  /** Wall time of the server when the monotonic clock stood at zero. */
  serverEpochMs: number
  /** Aborts when no further try is wanted. */
  signal: AbortSignal
  onFenced: (why: string) => void
}

type WithoutOrder<Event> = Event extends unknown ? Omit<Event, 'seq' | 'at_ms'> : never
export type NewEvent = WithoutOrder<AgentEvent>

/** As many as one request may carry. */
const BATCH_MAX = 256
/** Steps are bounded by the configuration; what a job can cause without end is not. */
const NOTICES_MAX = 200
const TEXT_MAX = 4000
/** Before going on with a server that did not move forward, so that a confused one is not flooded. */
const STALLED_PAUSE_MS = 500

export class EventLog {
  readonly #options: EventLogOptions
  /** All of them, in order: a server that was restored from a backup may ask for old ones again. */
  readonly #events: AgentEvent[] = []
  #applied = 0
  #batchMax = BATCH_MAX
  #notices = 0
  #sending: Promise<void> | null = null
  #saving: Promise<void> = Promise.resolve()

  constructor(options: EventLogOptions) {
    this.#options = options
  }

  /** True when the server has applied all there is. */
  get isDelivered(): boolean {
    return this.#applied === this.#events.length
  }

  push(event: NewEvent): void {
    const { clock, serverEpochMs } = this.#options
    const order = {
      seq: this.#events.length + 1,
      at_ms: Math.round(serverEpochMs + clock.monotonic()),
    }
    const whole: AgentEvent = { ...event, ...order }
    this.#events.push(whole)
    this.#saving = this.#saving.then(() => this.#save(whole))
    this.#sending ??= this.#send()
  }

  /** Something the user should know that is no step's output. */
  notice(text: string, step?: number): void {
    this.#notices += 1
    if (this.#notices > NOTICES_MAX) return
    const last = this.#notices === NOTICES_MAX ? ' (further notices are left out)' : ''
    const place = step === undefined ? {} : { step }
    this.push({ type: 'notice', text: text.slice(0, TEXT_MAX) + last, ...place })
  }

  /** Waits until all is delivered or given up. */
  async settle(): Promise<void> {
    while (this.#sending !== null) await this.#sending
    await this.#saving
  }

  async #send(): Promise<void> {
    const { signal, clock } = this.#options
    // Events of one moment travel together.
    await Promise.resolve()
    while (!this.isDelivered && !signal.aborted) {
      const before = this.#applied
      if (!(await this.#sendBatch())) break
      if (this.#applied <= before) await sleep(clock, STALLED_PAUSE_MS, signal)
    }
    this.#sending = null
  }

  /** @returns false when there is no use in going on. */
  async #sendBatch(): Promise<boolean> {
    const { session, signal, onFenced } = this.#options
    const batch = this.#events.slice(this.#applied, this.#applied + this.#batchMax)
    try {
      const answer = await session.call('events', (calls, s) => calls.events(batch, s), signal)
      if (answer === null) return false
      if (answer.applied > this.#events.length) {
        onFenced('the server has events that this agent never sent')
        return false
      }
      this.#applied = answer.applied
    } catch (cause) {
      if (!isCaravanError(cause, 'TOO_LARGE')) throw cause
      this.#batchMax = Math.max(1, Math.floor(batch.length / 2))
    }
    return true
  }

  /** The copy on disk serves whoever finds the spool of an agent that is gone. */
  async #save(event: AgentEvent): Promise<void> {
    try {
      await appendFile(this.#options.file, `${JSON.stringify(event)}\n`, { mode: 0o600 })
    } catch (cause) {
      this.#options.log.warn('an event was not kept on disk', { seq: event.seq, cause })
    }
  }
}
