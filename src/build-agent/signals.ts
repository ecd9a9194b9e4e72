/**
 * What SIGTERM and SIGINT lead to: the reason is asked for, since a signal carries none, and the time until
 * Nomad kills us is shared out between the steps and the flush.
 */
import { REASONS, type Reason } from '../model/index.ts'
import { type Clock, type Log, sleep, type Timer } from '../platform/index.ts'
import type { Ending } from './ending.ts'
import type { Signals } from './ports.ts'
import type { Session } from './session.ts'
import type { SliceOutcome } from './steps/outcome.ts'
import type { AgentTimings } from './timings.ts'

export interface SignalPlanOptions {
  signals: Signals
  ending: Ending
  clock: Clock
  log: Log
  timings: AgentTimings
}

/** Of the time between the signal and the kill: steps end, output leaves, the end is told; the rest is spare. */
const STEPS_UNTIL = 0.6
const OUTPUT_UNTIL = 0.8
const REPORT_UNTIL = 0.9
/** Whoever sends a second signal does not want to wait. */
const SECOND_OUTPUT_MS = 1500
const SECOND_REPORT_MS = 2000

export class SignalPlan {
  readonly #options: SignalPlanOptions
  readonly #arrived = new AbortController()
  readonly #stopListening: () => void
  readonly #unasked = new AbortController()
  #timers: Timer[] = []
  /** Asked for since the signal came. */
  #why: Promise<Reason | null> | null = null
  /** Set once there is a server to ask. */
  session: Session | null = null
  /** From the signal to the kill, as the job has it; set with the claim. */
  killTimeoutMs: number

  constructor(options: SignalPlanOptions) {
    this.#options = options
    this.killTimeoutMs = options.timings.killTimeoutMs
    this.#stopListening = options.signals.listen((name) => void this.#receive(name))
  }

  /** Aborts with the first signal. */
  get arrived(): AbortSignal {
    return this.#arrived.signal
  }

  /**
   * Before the end is told: a server that was away when the signal came knows by now what it meant. An
   * operator's stop that passes for a drain would be made again on another node.
   */
  async reconsider(outcome: SliceOutcome): Promise<SliceOutcome> {
    if (outcome.reason !== 'drained' || this.#why === null) return outcome
    const reason = await this.#why
    return reason === null ? outcome : { ...outcome, reason, result: REASONS[reason].result }
  }

  close(): void {
    this.#unasked.abort()
    this.#stopListening()
    for (const timer of this.#timers) timer.cancel()
  }

  async #receive(name: string): Promise<void> {
    const { ending, log } = this.#options
    if (this.#arrived.signal.aborted) {
      log.warn('asked to end a second time', { signal: name })
      ending.hurry()
      this.#plan({ output: SECOND_OUTPUT_MS, report: SECOND_REPORT_MS })
      return
    }
    this.#arrived.abort()
    const total = this.killTimeoutMs
    this.#plan({
      steps: total * STEPS_UNTIL,
      output: total * OUTPUT_UNTIL,
      report: total * REPORT_UNTIL,
    })
    this.#why = this.#askWhy()
    const reason = await this.#whyForNow(this.#why)
    log.warn('asked to end', { signal: name, reason })
    // The steps may have all of their share: what does not need it ends sooner anyway.
    ending.begin({ kind: 'asked', reason, graceMs: total * STEPS_UNTIL })
  }

  #plan(afterMs: { steps?: number; output: number; report: number }): void {
    const { clock, ending } = this.#options
    const at = (ms: number, run: () => void) => this.#timers.push(clock.after(ms, run).unref())
    if (afterMs.steps !== undefined) at(afterMs.steps, () => ending.hurry())
    at(afterMs.output, () => ending.giveUpOutput())
    at(afterMs.report, () => ending.giveUpReport())
  }

  /** No answer in time is taken for a drain: the steps are ended now, whatever it was. */
  async #whyForNow(why: Promise<Reason | null>): Promise<Reason> {
    const { clock, timings } = this.#options
    const answered = new AbortController()
    const first = await Promise.race([why, sleep(clock, timings.whyMs, answered.signal)])
    answered.abort()
    return typeof first === 'string' ? first : 'drained'
  }

  /** @returns null when the server does not tell, or knows no more than that there was a signal. */
  async #askWhy(): Promise<Reason | null> {
    if (this.session === null) return null
    const { signal } = this.#unasked
    const until = AbortSignal.any([signal, this.#options.ending.outputOver])
    const answer = await this.session.call('why', (calls, s) => calls.why(s), until)
    const { action, reason } = answer?.control ?? { action: 'none' as const, reason: undefined }
    return reason ?? (action === 'none' ? null : 'canceled_by_user')
  }
}
