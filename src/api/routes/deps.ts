/** What every group of routes is given. */
import type { Clock, Log } from '../../platform/index.ts'
import type { Scheduler } from '../../scheduler/index.ts'

/** What routes work with. */
export interface RouteDeps {
  scheduler: Scheduler
  clock: Clock
  log: Log
  version: string
  /** Aborts when the server stops. */
  stopping: AbortSignal
  /** The largest source that is taken. */
  sourceBytesMax: number
}

/** For answers that are as long as what is stored: nobody waits longer for a download. */
export const TRANSFER_TIMEOUT_MS = 60 * 60_000
