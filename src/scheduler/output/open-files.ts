/** A bounded number of open stream files, each of which does one thing at a time. */
import PQueue from 'p-queue'
import { CaravanError } from '../../model/index.ts'
import type { Log } from '../../platform/index.ts'
import { openStreamFile, readLength, type StreamFile } from './stream-file.ts'

/** What a call may do when its turn has come. */
export interface FileTurn {
  length(): Promise<number>
  /** Opens the file, or makes it. */
  open(): Promise<StreamFile>
}

interface Entry {
  path: string
  file: StreamFile | null
  /** Its turn has come. Only then is the file in use: one that waits opens it again if need be. */
  busy: boolean
  /** Calls that run or wait. */
  users: number
  /** Settles when the calls so far are done. */
  tail: Promise<unknown>
}

export class OpenFiles {
  readonly #openMax: number
  readonly #log: Log
  /** No more are busy than may be open, so whoever opens a file finds an idle one to close for it. */
  readonly #slots: PQueue
  /** A Map keeps the order of insertion: the first one was used longest ago. */
  readonly #entries = new Map<string, Entry>()
  #openCount = 0
  #closed = false

  /** @param openMax how many files may be open; those used longest ago are closed first. */
  constructor(openMax: number, log: Log) {
    this.#openMax = openMax
    this.#log = log
    this.#slots = new PQueue({ concurrency: openMax })
  }

  /**
   * Runs when all earlier calls for the path are done. After a failure the file is closed: only the
   * disk knows then how far a write came.
   *
   * @throws CaravanError STORE_FAILED when the disk refuses.
   */
  async exclusive<T>(path: string, run: (turn: FileTurn) => Promise<T>): Promise<T> {
    if (this.#closed) throw new CaravanError('STORE_FAILED', 'the output store is closed')
    const entry = this.#touch(path)
    entry.users += 1
    const turn = entry.tail.then(() => this.#slots.add(() => this.#takeTurn(entry, run)))
    entry.tail = turn.catch(() => undefined)
    try {
      return await turn
    } finally {
      entry.users -= 1
      if (entry.users === 0 && entry.file === null) this.#entries.delete(path)
    }
  }

  /** What a path holds now, without waiting for its turn. */
  async length(path: string): Promise<number> {
    return this.#entries.get(path)?.file?.length ?? readLength(path)
  }

  /** Waits for what runs, then closes every file. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#entries.values()].map((entry) => entry.tail))
    await this.#closeIdle(0)
  }

  #touch(path: string): Entry {
    const entry = this.#entries.get(path) ?? {
      path,
      file: null,
      busy: false,
      users: 0,
      tail: Promise.resolve(),
    }
    this.#entries.delete(path)
    this.#entries.set(path, entry)
    return entry
  }

  async #takeTurn<T>(entry: Entry, run: (turn: FileTurn) => Promise<T>): Promise<T> {
    entry.busy = true
    try {
      return await run({ length: () => this.length(entry.path), open: () => this.#open(entry) })
    } catch (cause) {
      await this.#closeFile(entry)
      if (cause instanceof CaravanError) throw cause
      const message = `the output file ${entry.path} could not be used`
      throw new CaravanError('STORE_FAILED', message, { cause })
    } finally {
      entry.busy = false
    }
  }

  async #open(entry: Entry): Promise<StreamFile> {
    if (entry.file !== null) return entry.file
    // Counted first, so that calls which open at the same time see each other.
    this.#openCount += 1
    try {
      await this.#closeIdle(this.#openMax)
      entry.file = await openStreamFile(entry.path)
      return entry.file
    } catch (cause) {
      this.#openCount -= 1
      throw cause
    }
  }

  async #closeIdle(keep: number): Promise<void> {
    for (const entry of this.#entries.values()) {
      if (this.#openCount <= keep) return
      if (entry.busy) continue
      if (entry.users === 0) this.#entries.delete(entry.path)
      await this.#closeFile(entry)
    }
  }

  async #closeFile(entry: Entry): Promise<void> {
    const { file } = entry
    if (file === null) return
    entry.file = null
    this.#openCount -= 1
    await file.close().catch((cause: unknown) => {
      this.#log.warn('an output file did not close cleanly', { path: entry.path, cause })
    })
  }
}
