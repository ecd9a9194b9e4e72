/** Where steps run. */
import type { Environment } from '../environment.ts'
import type { Command, RunningCommand } from '../process/launch.ts'
import type { OomKills } from '../process/oom.ts'
import type { DefaultShell } from '../shell.ts'

export interface Executor {
  /** What the steps inherit. */
  readonly environment: Environment
  readonly shell: DefaultShell
  /** @param outputFd stdout and stderr of the command. */
  start(command: Command, outputFd: number): Promise<RunningCommand>
  isFolder(path: string): Promise<boolean>
  /** How many processes the kernel has killed for want of memory so far. Null where nobody counts them. */
  countOomKills(): Promise<OomKills | null>
  /** Ends everything that steps have left behind. */
  sweep(): Promise<void>
  /** Lets go of what the executor holds; nothing is started any more. */
  close(): Promise<void>
}
