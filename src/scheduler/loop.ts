/**
 * A loop that can not die: it catches what a turn throws, says so, and tries again later.
 */
import { backoffMs, sleep, type Clock, type Log, type RandomSource } from '../platform/index.ts'

export interface Loop {
  /** Lets the next turn begin now, or right after the one that runs. */
  wake(): void
  /** What the last turns failed with; null when the last one went well. */
  fault(): string | null
  /** Returns when the turn that runs is over. */
  stop(): Promise<void>
}

/** Several of them, as one. */
export interface Loops {
  faults(): string[]
  stop(): Promise<void>
}

export interface LoopOptions {
  name: string
  /**
   * One turn. @returns how long to rest before the next one, unless woken.
   * @param isWell to be called by a turn that lasts, once what may fail has worked.
   */
  turn: (signal: AbortSignal, isWell: () => void) => Promise<number>
  /** How many times as long as a turn takes the next one waits, whoever wakes it; 0 when absent. */
  restPerTurn?: number
  clock: Clock
  random: RandomSource
  log: Log
}

/** The first failure is mostly a hiccup; a service that stays away is asked twice a minute. */
const BACKOFF = { baseMs: 250, maxMs: 30_000 }

/** A turn that waited for others was not work. */
const PAUSE_MAX_MS = 100

/** Made once: an abort without a reason makes one with a stack, thousands of times a second. */
const AWAKE = new Error('woken')

/** One bad turn is not worth an alarm. */
const FAULTS_BEFORE_ALARM = 3

export function startLoop(options: LoopOptions): Loop {
  const { name, clock, random, log } = options
  const stopping = new AbortController()
  let awake = false
  let rest = new AbortController()
  let failures = 0
  let lastFault: string | null = null

  const isWell = (): void => {
    if (failures > 0) log.info('a loop recovered', { loop: name, failures })
    failures = 0
    lastFault = null
  }

  const turn = async (): Promise<number> => {
    try {
      const restMs = await options.turn(stopping.signal, isWell)
      isWell()
      return restMs
    } catch (cause) {
      if (stopping.signal.aborted) return 0
      failures += 1
      lastFault = cause instanceof Error ? cause.message : String(cause)
      const restMs = backoffMs(failures, { ...BACKOFF, random: () => random.number() })
      log.warn('a turn of a loop failed', { loop: name, failures, retryMs: restMs, cause })
      return restMs
    }
  }

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      awake = false
      const startedMs = clock.monotonic()
      const restMs = await turn()
      const pauseMs = (clock.monotonic() - startedMs) * (options.restPerTurn ?? 0)
      if (pauseMs > 0) await sleep(clock, Math.min(pauseMs, PAUSE_MAX_MS), stopping.signal)
      // A failing turn rests in any case: being woken must not turn its backoff into a busy loop.
      if (awake && failures === 0) continue
      rest = new AbortController()
      const ends =
        failures === 0 ? AbortSignal.any([rest.signal, stopping.signal]) : stopping.signal
      await sleep(clock, restMs, ends)
    }
  }
  // A moment later, when whoever starts the loop has it in hand.
  const done = Promise.resolve().then(run)

  return {
    wake() {
      awake = true
      rest.abort(AWAKE)
    },
    fault: () => (failures < FAULTS_BEFORE_ALARM ? null : `${name} fails: ${lastFault}`),
    async stop() {
      stopping.abort(new Error('the scheduler is closing'))
      await done
    },
  }
}
