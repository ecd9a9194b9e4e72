/** Signal names and numbers of this machine. */
import { constants } from 'node:os'

const NUMBERS: Readonly<Record<string, number>> = constants.signals

/** Nomad's raw_exec asks with SIGINT unless the job names another signal. */
export const DEFAULT_KILL_SIGNAL = 'SIGINT'

/** @returns 0 for a name that this machine does not know. */
export function toSignalNumber(name: string): number {
  return NUMBERS[name] ?? 0
}

/** Signals by which a program is ended that it did not choose: nobody exits with 128 + these by hand. */
const CRASHES: ReadonlySet<number> = new Set(
  ['SIGILL', 'SIGTRAP', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGKILL', 'SIGSEGV', 'SIGSYS'].map(
    toSignalNumber,
  ),
)

/**
 * A shell tells of a death by signal N as 128 + N, just as of an exit with that code.
 *
 * @param sent signals we sent ourselves.
 * @returns the signal that ended it, 0 when it ended of itself.
 */
export function toExitSignal(code: number, sent: ReadonlySet<number>): number {
  const signal = code - 128
  return sent.has(signal) || CRASHES.has(signal) ? signal : 0
}
