/**
 * The output files of a task: `<task>.stdout.<n>`, the highest number being written to.
 *
 * The task holds its file open for appending, so rotation copies what is there to a file of its own and
 * empties the one being written: the task notices nothing.
 */
import {
  copyFileSync,
  existsSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
} from 'node:fs'
import { join } from 'node:path'

export type LogType = 'stdout' | 'stderr'
export const LOG_TYPES: readonly LogType[] = ['stdout', 'stderr']

export interface LogFile {
  name: string
  path: string
  /** The number at the end of its name. */
  index: number
  size: number
}

/** @returns the file that the task writes to, or would. */
export function logFile(folder: string, task: string, type: LogType): string {
  return listLogs(folder, task, type).at(-1)?.path ?? join(folder, `${task}.${type}.0`)
}

/** For appending; whoever opened it closes it. */
export function openLog(path: string): number {
  return openSync(path, 'a')
}

/** Oldest first. */
export function listLogs(folder: string, task: string, type: LogType): LogFile[] {
  const prefix = `${task}.${type}.`
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
    .map((name) => ({ name, path: join(folder, name), index: Number(name.slice(prefix.length)) }))
    .sort((left, right) => left.index - right.index)
    .flatMap((file) => {
      // It may be removed between two looks, with all of its allocation.
      const stats = statSync(file.path, { throwIfNoEntry: false })
      return stats ? [{ ...file, size: stats.size }] : []
    })
}

/**
 * Starts a new file when the current one is full, and drops the oldest ones.
 *
 * Done in one go, so that no reader of this process ever sees it half done. What the task writes
 * between the copy and the emptying is lost, as it is with every tool that rotates this way.
 */
export function rotateLogs(
  folder: string,
  task: string,
  type: LogType,
  limits: { filesMax: number; bytesMax: number },
): void {
  const files = listLogs(folder, task, type)
  const current = files.at(-1)
  if (current === undefined || current.size < limits.bytesMax) return
  const next = join(folder, `${task}.${type}.${current.index + 1}`)
  renameSync(current.path, next)
  copyFileSync(next, current.path)
  truncateSync(next)
  const surplus = files.length + 1 - limits.filesMax
  for (const old of files.slice(0, Math.max(surplus, 0))) rmSync(old.path, { force: true })
}
