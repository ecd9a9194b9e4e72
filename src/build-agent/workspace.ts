/**
 * The folders of one slice inside its allocation.
 *
 * Home and everything of the agent's own live in the task's folder, so that parallel slices on one host
 * never meet. The spool lives in the folder that outlasts the task.
 */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { JobPlace } from './environment.ts'
import { resolveWorkingDirectory } from './paths.ts'

export interface Workspace extends JobPlace {
  scriptsDir: string
  pipesDir: string
  spoolDir: string
  eventsFile: string
  /** Appears when a step asks the job to end early. */
  haltFile: string
  /** Where a downloaded bundle is put. */
  bundleFile: string
  /** Of files that commands read. */
  fileMode: number
}

export interface WorkspaceOptions {
  allocationDir: string
  /** Shared by all slices of the machine. */
  spoolRoot?: string | undefined
  slice: string
  taskDir: string
  /** Tells the processes that have run in one allocation apart. */
  name: string
}

/** Everything but the working directory, which only the task names. */
export type Folders = Omit<Workspace, 'workingDirectory'>

export function toFolders({
  allocationDir,
  spoolRoot,
  taskDir,
  slice,
  name,
}: WorkspaceOptions): Folders {
  const internalDir = join(taskDir, 'caravan', name)
  const ownRoot = join(allocationDir, 'caravan', 'spool')
  const spoolDir = join(spoolRoot ?? ownRoot, `${slice}-${name}`)
  return {
    home: join(taskDir, 'home'),
    internalDir,
    bashEnvFile: join(internalDir, 'bash_env'),
    shimsDir: join(internalDir, 'bin'),
    scriptsDir: join(internalDir, 'scripts'),
    pipesDir: join(internalDir, 'pipes'),
    haltFile: join(internalDir, 'halt'),
    bundleFile: join(internalDir, 'source.bundle'),
    fileMode: 0o600,
    spoolDir,
    eventsFile: join(spoolDir, 'events.jsonl'),
  }
}

export async function createFolders(folders: Folders): Promise<void> {
  const { home, shimsDir, scriptsDir, pipesDir, spoolDir } = folders
  const own = [shimsDir, scriptsDir, pipesDir, spoolDir]
  await Promise.all([
    mkdir(home, { recursive: true }),
    ...own.map((folder) => mkdir(folder, { recursive: true, mode: 0o700 })),
  ])
  // Steps append to it; the agent itself never writes to it again.
  await writeFile(folders.bashEnvFile, '', { mode: 0o600 })
}

/** What steps see: the agent's folders as they find them, and where they work. */
export function toJobPlace(
  folders: Folders,
  executor: { home: string; pathOf: (file: string) => string },
  path: string,
): JobPlace {
  const { home, pathOf } = executor
  return {
    home,
    workingDirectory: resolveWorkingDirectory(path, home),
    internalDir: pathOf(folders.internalDir),
    bashEnvFile: pathOf(folders.bashEnvFile),
    shimsDir: pathOf(folders.shimsDir),
  }
}

/** Scripts, pipes and what steps have exported, which may be secret. */
export async function removeInternal(folders: Folders): Promise<void> {
  await rm(folders.internalDir, { recursive: true, force: true })
}

/** For when the server has all of it, or will not have it. */
export async function removeSpool(folders: Folders): Promise<void> {
  await rm(folders.spoolDir, { recursive: true, force: true })
}

/** Whether a folder is missing or has nothing in it. */
export async function isEmptyFolder(path: string): Promise<boolean> {
  try {
    return (await readdir(path)).length === 0
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return true
    throw cause
  }
}
