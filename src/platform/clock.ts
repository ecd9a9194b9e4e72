/**
 * Time as a port. Code outside this folder never asks the machine for the time or sets a timer.
 */
import { setTimeout as nodeSetTimeout } from 'node:timers'

export interface Timer {
  cancel(): void
  /** Lets the process end while this timer is set. */
  unref(): Timer
}

export interface Clock {
  /** Wall clock, milliseconds since 1970. For records and display only. */
  now(): number
  /** Never jumps, milliseconds from an arbitrary start. For every duration and deadline. */
  monotonic(): number
  after(delayMs: number, run: () => void): Timer
}

/** Node fires a longer timer at once instead of late. */
const TIMER_MAX_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, run) {
    const handle = nodeSetTimeout(run, Math.min(Math.max(delayMs, 0), TIMER_MAX_MS))
    const timer: Timer = {
      cancel: () => clearTimeout(handle),
      unref() {
        handle.unref()
        return timer
      },
    }
    return timer
  },
}

/**
 * Waits, or ends early when the signal aborts: `true` when the whole delay passed.
 *
 * An abort is no error here: every loop that sleeps looks at its signal next anyway.
 */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<boolean> {
  if (signal?.aborted) return Promise.resolve(false)
  return new Promise((resolve) => {
    const stop = () => {
      timer.cancel()
      resolve(false)
    }
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', stop)
      resolve(true)
    })
    signal?.addEventListener('abort', stop, { once: true })
  })
}

/**
 * A signal that aborts after the delay, or with any of the others; `cancel` frees its timer and lets go of the
 * others. Not by `AbortSignal.any`, which costs more than many of the calls that are bounded so.
 */
export function deadline(
  clock: Clock,
  delayMs: number,
  ...others: (AbortSignal | undefined)[]
): { signal: AbortSignal; cancel(): void } {
  const controller = new AbortController()
  const follow = () => end(others.find((other) => other?.aborted)?.reason)
  const cancel = () => {
    timer.cancel()
    for (const other of others) other?.removeEventListener('abort', follow)
  }
  const end = (reason: unknown) => {
    cancel()
    controller.abort(reason)
  }
  const timer = clock.after(delayMs, () => end(new Error('the deadline passed')))
  if (others.some((other) => other?.aborted)) follow()
  else for (const other of others) other?.addEventListener('abort', follow, { once: true })
  return { signal: controller.signal, cancel }
}

/** Full jitter around a doubling delay: a fleet that lost its server must not come back in step. */
export function backoffMs(
  attempt: number,
  options: { baseMs: number; maxMs: number; random: () => number },
): number {
  const ceiling = Math.min(options.maxMs, options.baseMs * 2 ** Math.min(attempt, 30))
  return Math.round(ceiling * (0.5 + options.random() / 2))
}
