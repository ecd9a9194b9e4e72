/** How a command in a container ended: a reading of everything that may tell. Pure. */

export interface Observation {
  /** What the wrapper wrote: an exit status, or `folder` when there was none to work in. */
  status: string | null
  /** Whether the connection that the command was started with still stands, and can be believed. */
  isConnected: boolean
  /** What Docker says of the command. */
  exec: { isRunning: boolean; exitCode: number | null } | 'unknown' | 'unreachable'
  container: { isRunning: boolean; exitCode: number } | 'gone' | 'unreachable'
  /** Whether the group of the command has members; null where this machine can not tell. */
  isAlive: boolean | null
  /** For how long it has been unclear. */
  unclearMs: number
  /** Docker was away since the command was started. */
  wasUnreachable: boolean
}

export type Verdict =
  | { kind: 'wait' }
  | { kind: 'exited'; code: number }
  | { kind: 'no_folder' }
  /** The main process of the container ended, and took the command with it. */
  | { kind: 'container_ended'; code: number }
  /** Nobody will ever tell; not the user's fault. */
  | { kind: 'lost'; why: string }

/** What an engine needs to come back from a restart. */
export const UNCLEAR_MAX_MS = 30_000
/** When a container ends, Docker may hear of its commands first, which were killed with it. */
export const KILLED_MS = 1000
/** What a command ends with that was killed. */
const KILLED = 137

const WAIT: Verdict = { kind: 'wait' }

/** The wrapper's own word counts first: it can be neither cut off nor forgotten, as an answer of Docker's can. */
export function readEnd(seen: Observation): Verdict {
  if (seen.status === 'folder') return { kind: 'no_folder' }
  if (seen.status !== null) return { kind: 'exited', code: Number(seen.status) }
  if (seen.isConnected) return WAIT
  const isLate = seen.unclearMs >= UNCLEAR_MAX_MS
  if (seen.container === 'unreachable' || seen.exec === 'unreachable') {
    // A command that still runs is not lost, however long the engine is away.
    if (!isLate || seen.isAlive === true) return WAIT
    return { kind: 'lost', why: 'the Docker Engine does not answer' }
  }
  if (seen.container === 'gone') return { kind: 'lost', why: 'the container was removed' }
  if (!seen.container.isRunning) {
    if (seen.wasUnreachable) {
      return { kind: 'lost', why: 'the container ended while the Docker Engine was away' }
    }
    return { kind: 'container_ended', code: seen.container.exitCode }
  }
  if (seen.exec === 'unknown') {
    if (seen.isAlive === true) return WAIT
    return isLate ? { kind: 'lost', why: 'Docker does not know the command any more' } : WAIT
  }
  if (seen.exec.isRunning) return WAIT
  if (seen.exec.exitCode === KILLED && seen.unclearMs < KILLED_MS) return WAIT
  if (seen.exec.exitCode !== null) return { kind: 'exited', code: seen.exec.exitCode }
  return isLate ? { kind: 'lost', why: 'Docker does not say how the command ended' } : WAIT
}
