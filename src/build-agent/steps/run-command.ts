/** A `run` step: its shell, its script, its environment, its place. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CaravanError, type RunStep } from '../../model/index.ts'
import { buildStepEnvironment, findOversized } from '../environment.ts'
import { resolveStepDirectory } from '../paths.ts'
import { splitWords, toCommandLine } from '../shell.ts'
import type { JobContext, StepIo } from './context.ts'
import type { StepOutcome } from './outcome.ts'

/** @throws CaravanError INPUT_INVALID when the step can not be run as it is configured. */
export async function runCommand(
  context: JobContext,
  { index, step }: { index: number; step: RunStep },
  io: StepIo,
): Promise<StepOutcome> {
  const { executor, workspace, place, environment } = context
  const cwd = resolveStepDirectory(step.working_directory, place)
  // The kernel's own answer to a missing folder reads as if the shell was missing.
  if (!(await executor.isFolder(cwd))) {
    throw new CaravanError('INPUT_INVALID', `the working directory ${cwd} does not exist`)
  }
  const line = readShellLine(context, step)
  const shell = line === undefined ? executor.shell.words : splitWords(line)
  const scriptFile = join(workspace.scriptsDir, `step-${index}`)
  await writeFile(scriptFile, step.command, { mode: workspace.fileMode })
  const argv = toCommandLine(shell, {
    text: step.command,
    scriptFile: executor.pathOf(scriptFile),
  })
  const env = buildStepEnvironment(environment, step.environment, place)
  const oversized = findOversized(argv, env)
  if (oversized !== null) throw new CaravanError('INPUT_INVALID', oversized)
  return await io.run({ argv, cwd, env })
}

/** The shell that the step's header shows. */
export function toShellLine(context: JobContext, step: RunStep): string {
  return readShellLine(context, step) ?? context.executor.shell.words.join(' ')
}

/** The step's own shell, else the job's. */
function readShellLine(context: JobContext, step: RunStep): string | undefined {
  return step.shell ?? context.task.shell
}
