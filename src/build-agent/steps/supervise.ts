/** Watches one command until it is over, and ends it when its time is up. */
import { formatDuration } from '../../model/index.ts'
import type { Clock, Timer } from '../../platform/index.ts'
import type { Ending } from '../ending.ts'
import type { RunningCommand } from '../process/launch.ts'
import { type StepOutcome, toStepOutcome } from './outcome.ts'

export interface Supervision {
  ending: Ending
  silence: SilenceWatch
  /** From TERM to KILL. */
  graceMs: number
  /** For a background step: aborts when all others are done. */
  jobOver: AbortSignal | undefined
}

export async function supervise(
  command: RunningCommand,
  { ending, graceMs, silence, jobOver }: Supervision,
): Promise<StepOutcome> {
  const over = new AbortController()
  const when = <Why>(signal: AbortSignal, why: Why) => aborted(signal, over.signal).then(() => why)
  silence.start()
  const cutShort = await Promise.race([
    command.exited.then(() => null),
    when(ending.signal, 'ending' as const),
    silence.expired.then(() => 'no_output' as const),
    ...(jobOver === undefined ? [] : [when(jobOver, 'job_over' as const)]),
  ])
  silence.stop()
  over.abort()
  const granted = ending.cause?.kind === 'asked' ? ending.cause.graceMs : undefined
  if (cutShort !== null) {
    await command.stop({ graceMs: granted ?? graceMs, urgent: ending.urgent })
  }
  return toStepOutcome(await command.exited, cutShort, ending.cause)
}

interface SilenceOptions {
  /** Infinity for a step that may be silent for ever. */
  limitMs: number
  /** True while silence does not count. */
  isExcused: () => boolean
}

/** Tells when a step has written nothing for too long. Any byte counts, from before it is masked. */
export class SilenceWatch {
  readonly #clock: Clock
  readonly #options: SilenceOptions
  readonly #expired = Promise.withResolvers<void>()
  #heardMs = 0
  #timer: Timer | null = null

  constructor(clock: Clock, options: SilenceOptions) {
    this.#clock = clock
    this.#options = options
  }

  get expired(): Promise<void> {
    return this.#expired.promise
  }

  start(): void {
    this.heard()
    if (Number.isFinite(this.#options.limitMs)) this.#look()
  }

  heard(): void {
    this.#heardMs = this.#clock.monotonic()
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /** The words that people who search for this failure know. */
  message(): string {
    return `Too long with no output (exceeded ${formatDuration(this.#options.limitMs)}): context deadline exceeded`
  }

  /** One timer that looks again when the limit could have passed: a busy step must not set one per read. */
  #look(): void {
    if (this.#options.isExcused()) this.heard()
    const leftMs = this.#heardMs + this.#options.limitMs - this.#clock.monotonic()
    if (leftMs <= 0) this.#expired.resolve()
    else this.#timer = this.#clock.after(leftMs, () => this.#look())
  }
}

/** @param until from then on nobody listens any more. */
function aborted(signal: AbortSignal, until: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true, signal: until })
  })
}
