/** Where the files of an allocation are. */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'

export interface TaskFolders {
  /** The whole allocation: what the file calls of the API show. */
  allocation: string
  /** Shared by its tasks. */
  shared: string
  logs: string
  /** The task's own folder, in which it starts. */
  task: string
  local: string
  secrets: string
  /** How the task runs: out of its reach, and not shown by the API. */
  run: string
}

/** @param dataDir of the engine. */
export function toAllocationFolder(dataDir: string, allocationId: string): string {
  return join(dataDir, 'alloc', allocationId)
}

export function toTaskFolders(dataDir: string, allocationId: string, task: string): TaskFolders {
  const allocation = toAllocationFolder(dataDir, allocationId)
  const own = join(allocation, task)
  return {
    allocation,
    shared: join(allocation, 'alloc'),
    logs: join(allocation, 'alloc', 'logs'),
    task: own,
    local: join(own, 'local'),
    secrets: join(own, 'secrets'),
    run: join(dataDir, 'client', allocationId, task),
  }
}

/** Makes what a task expects to find. Harmless when it is there. */
export function createFolders(folders: TaskFolders): void {
  const { shared, logs, task, local, secrets, run } = folders
  for (const folder of [
    logs,
    join(shared, 'data'),
    join(shared, 'tmp'),
    local,
    join(task, 'tmp'),
  ]) {
    mkdirSync(folder, { recursive: true })
  }
  mkdirSync(secrets, { recursive: true, mode: 0o700 })
  mkdirSync(run, { recursive: true })
}

export function hasFolders(dataDir: string, allocationId: string): boolean {
  return existsSync(toAllocationFolder(dataDir, allocationId))
}

/** Everything on disk that belongs to an allocation. */
export function foldersOf(dataDir: string, allocationId: string): string[] {
  return [toAllocationFolder(dataDir, allocationId), join(dataDir, 'client', allocationId)]
}
