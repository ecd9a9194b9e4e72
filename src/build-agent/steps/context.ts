/** What every step of a slice works with. */
import type { Readable } from 'node:stream'
import type { Task } from '../../model/index.ts'
import type { Clock, Log } from '../../platform/index.ts'
import type { Ending } from '../ending.ts'
import type { Environment, JobPlace } from '../environment.ts'
import type { EventLog } from '../event-log.ts'
import type { Executor } from '../executors/executor.ts'
import type { Mask } from '../output/mask-filter.ts'
import type { Outputs, StepOutput } from '../output/step-output.ts'
import type { Command } from '../process/launch.ts'
import type { AgentTimings } from '../timings.ts'
import type { Service } from '../executors/docker/services.ts'
import type { Folders } from '../workspace.ts'
import type { StepOutcome } from './outcome.ts'

export interface JobContext {
  task: Task
  /** The agent's own folders for this job. */
  workspace: Folders
  /** What steps see of them, and where they work. */
  place: JobPlace
  executor: Executor
  /** By index of their containers. */
  services: ReadonlyMap<number, Service>
  /** Of the job; steps lay theirs over it. */
  environment: Environment
  /** One named pipe for each step. */
  pipes: readonly string[]
  outputs: Outputs
  events: EventLog
  mask: Mask
  ending: Ending
  /** The bytes of the git bundle; null when the work is ending. */
  openSource: (signal: AbortSignal) => Promise<Readable | null>
  clock: Clock
  log: Log
  timings: AgentTimings
}

/** What the commands of one step share. */
export interface StepIo {
  output: StepOutput
  /** Runs one command to its end; its output goes to the step's. */
  run(command: Command): Promise<StepOutcome>
}
