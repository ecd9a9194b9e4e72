/** Output of steps as append-only files, one per stream. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { CaravanError } from '../../model/index.ts'
import type { Log } from '../../platform/index.ts'
import type { OutputStore } from '../ports.ts'
import { OpenFiles } from './open-files.ts'
import { toOutputFile } from './paths.ts'
import { createWatchers } from './watchers.ts'

export interface OutputStoreOptions {
  /** Folder of all output; made when the first byte arrives. Owned by one process at a time. */
  directory: string
  log: Log
  /** Files kept open for the next append. */
  openMax?: number
}

/** A quarter of the 1024 descriptors that a process has by default: sockets need the rest. */
const OPEN_MAX = 256

/** Read ahead for one reader: enough to keep a disk busy, little enough for hundreds of readers. */
const READ_BYTES = 256 * 1024

/**
 * An append that returned is in the kernel's hands: it survives the death of this process, not a
 * power cut. After one, the shorter file tells its length and the agent sends the rest again, or the
 * hash of the step does not match.
 *
 * Every method throws CaravanError INPUT_INVALID for a key or offset that makes no sense, and
 * STORE_FAILED when the disk refuses.
 */
export function createOutputStore(options: OutputStoreOptions): OutputStore {
  const { directory, log } = options
  const files = new OpenFiles(options.openMax ?? OPEN_MAX, log)
  const watchers = createWatchers(log)
  return {
    async append(key, offset, bytes) {
      return files.exclusive(toOutputFile(directory, key), async (turn) => {
        const have = await turn.length()
        const fresh = toFreshBytes({ have, offset, bytes })
        if (fresh === null) return have
        const file = await turn.open()
        await file.append(fresh)
        watchers.notify(key, file.length)
        return file.length
      })
    },
    async length(key) {
      return files.length(toOutputFile(directory, key))
    },
    async read(key, range) {
      const path = toOutputFile(directory, key)
      const end = Math.min(await files.length(path), range.offset + (range.length ?? Infinity))
      if (range.offset >= end) return Readable.from([])
      return createReadStream(path, {
        start: range.offset,
        end: end - 1,
        highWaterMark: READ_BYTES,
      })
    },
    async sha256(key) {
      return files.exclusive(toOutputFile(directory, key), async (turn) => {
        if ((await turn.length()) === 0) return createHash('sha256').digest('hex')
        return (await turn.open()).sha256()
      })
    },
    watch: (slice, onAppend) => watchers.add(slice, onAppend),
    close: () => files.close(),
  }
}

/**
 * The part of the bytes that comes right after what we have, or null when there is none: a duplicate,
 * or bytes from beyond our end, whose sender has to go back to where we are.
 */
export function toFreshBytes(part: { have: number; offset: number; bytes: Buffer }): Buffer | null {
  const { have, offset, bytes } = part
  if (!Number.isSafeInteger(offset) || offset < 0) {
    throw new CaravanError('INPUT_INVALID', `output cannot start at byte ${offset}`)
  }
  const isNext = offset <= have && have < offset + bytes.length
  return isNext ? bytes.subarray(have - offset) : null
}
