/** Where steps run. */
import type { ExecResult } from '../../platform/index.ts'
import type { Environment } from '../environment.ts'
import type { Command, RunningCommand } from '../process/launch.ts'
import type { OomKills } from '../process/oom.ts'
import type { DefaultShell } from '../shell.ts'

export interface Executor {
  /** What the steps inherit. */
  readonly environment: Environment
  readonly shell: DefaultShell
  /** Of the user that runs the steps. */
  readonly home: string
  /** Where a command finds a file that the agent has put into one of its folders. */
  pathOf(file: string): string
  start(command: Command, output: CommandOutput): Promise<RunningCommand>
  /** Asks something short whose answer the user does not see. */
  ask(question: Command, timeoutMs: number): Promise<ExecResult>
  /** May say yes where the start of a command tells of a missing folder itself. */
  isFolder(path: string): Promise<boolean>
  /** What stands in a folder; one that is missing is empty. */
  lookInto(path: string): Promise<FolderContent>
  /** @throws CaravanError INPUT_INVALID when it can not be made. */
  makeFolder(path: string): Promise<void>
  /** Whether a step has asked for an early end of the job. */
  isHalted(): Promise<boolean>
  /** What is left of the disk that holds a folder. Infinity where nobody can tell. */
  freeBytes(path: string): Promise<number>
  /** How many processes the kernel has killed for want of memory so far. Null where nobody counts them. */
  countOomKills(): Promise<OomKills | null>
  /** Ends everything that steps have left behind. */
  sweep(): Promise<void>
  /** Lets go of what the executor holds; nothing is started any more. */
  close(): Promise<void>
}

export type FolderContent = 'empty' | 'repository' | 'other'

/** Where stdout and stderr of a command go: a pipe that the agent reads. */
export interface CommandOutput {
  fd: number
  file: string
  /** Adds a line of the agent's own. */
  say(line: string): void
}
