/**
 * One process per folder.
 *
 * A lock must end with its process however that ends, and two processes that find a stale lock must
 * not both take it. Files that hold a process id can do neither without a race; the kernel's own
 * advisory locks can, but Node.js does not offer them. SQLite does: a connection in an exclusive
 * transaction holds the kernel's lock on its file until it is closed or the process is gone.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { CaravanError } from '../model/index.ts'

export interface FolderLock {
  release(): void
}

/** What the holder tells about itself, for the message that a second process gets. */
const holder = z.object({ pid: z.number().int(), since: z.string() })

/** Held here too, since a connection that is garbage-collected is closed, and its lock gone. */
const held = new Set<object>()

/**
 * Makes the folder when it is not there and takes it for this process.
 *
 * @param nowMs written down for people; nothing is decided by it.
 * @throws CaravanError DATA_DIR_LOCKED when another process, or another part of this one, holds it.
 */
export async function lockFolder(folder: string, nowMs: number): Promise<FolderLock> {
  // Loaded here: most programs that use this room, the build-agent first, never lock a folder.
  const { DatabaseSync } = await import('node:sqlite')
  mkdirSync(folder, { recursive: true })
  const holderFile = join(folder, 'lock.json')
  const database = new DatabaseSync(join(folder, 'lock'))
  try {
    database.exec('BEGIN EXCLUSIVE')
  } catch (cause) {
    database.close()
    throw isBusy(cause) ? toRefusal(folder, readHolder(holderFile)) : cause
  }
  const own: z.infer<typeof holder> = { pid: process.pid, since: new Date(nowMs).toISOString() }
  writeFileSync(holderFile, `${JSON.stringify(own)}\n`)
  held.add(database)
  return {
    release() {
      if (held.delete(database)) database.close()
    },
  }
}

/** SQLITE_BUSY and its extended codes. */
function isBusy(cause: unknown): boolean {
  return cause instanceof Error && 'errcode' in cause && (Number(cause.errcode) & 0xff) === 5
}

function readHolder(file: string): z.infer<typeof holder> | null {
  try {
    return holder.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    // The holder has not written it yet, or an older one died while writing: the lock counts, not this.
    return null
  }
}

function toRefusal(folder: string, by: z.infer<typeof holder> | null): CaravanError {
  const who = by === null ? 'another process' : `process ${by.pid}, running since ${by.since}`
  return new CaravanError(
    'DATA_DIR_LOCKED',
    `${folder} is in use by ${who}: stop that one first, or choose another data directory`,
    { detail: { folder, ...by } },
  )
}
