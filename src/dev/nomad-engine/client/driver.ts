/**
 * What runs tasks. Two of them stand behind this port: real processes, and simulated ones.
 */
import type { Allocation } from '../objects/allocation.ts'
import type { Task } from '../objects/job.ts'
import type { TaskHandle } from '../state/rows.ts'
import type { Environment } from './environment.ts'
import type { TaskFolders } from './folders.ts'

export interface Launch {
  allocation: Allocation
  task: Task
  folders: TaskFolders
  environment: Environment
  /** The task's `config` with every reference resolved. */
  config: Record<string, unknown>
  /** Writes down how to find it again; called before anything of the user's runs. */
  remember(handle: TaskHandle): void
}

export interface TaskExit {
  code: number
  /** 0 when no signal ended it. */
  signal: number
  /** Set when it is not known how it ended. */
  error?: string
}

export interface TaskUsage {
  memoryBytes: number
  /** Of all processes since they started. */
  userMs: number
  systemMs: number
}

export interface RunningTask {
  /** Settles when the task is over; never rejects. */
  readonly exit: Promise<TaskExit>
  /** Asks it to end, and makes it when the time is over. Harmless when repeated. */
  kill(signal: string, timeoutMs: number): void
  usage(): TaskUsage | null
  /** Stops watching it, without touching it. */
  detach(): void
}

export type StartOutcome =
  | { ok: true; running: RunningTask }
  | { ok: false; type: 'Driver Failure' | 'Failed Validation'; message: string }

export interface Driver {
  start(launch: Launch): Promise<StartOutcome>
  /** @returns null when nothing of the user's ever ran under this handle. */
  recover(
    launch: Omit<Launch, 'config' | 'environment' | 'remember'>,
    handle: TaskHandle,
  ): Promise<RunningTask | null>
  /** Whether its tasks write anything to disk. */
  readonly keepsFiles: boolean
}
