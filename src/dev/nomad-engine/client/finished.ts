/**
 * Keeps the files of allocations that are over, up to a number of them.
 *
 * A real client does so too: logs are gone sooner or later, and nobody may rely on them.
 */
import { rm } from 'node:fs/promises'
import type { Log } from '../../../platform/index.ts'
import { foldersOf } from './folders.ts'

/** Nomad keeps 50 on each client; a node of the engine stands for a small fleet of them. */
const FINISHED_MAX = 500

export class FinishedAllocations {
  readonly #dataDir: string
  readonly #log: Log
  /** In the order in which they ended. */
  readonly #ids = new Set<string>()
  readonly #removals = new Set<Promise<void>>()

  constructor(dataDir: string, log: Log) {
    this.#dataDir = dataDir
    this.#log = log
  }

  /** It is over: its files stay until newer ones take their place. */
  add(id: string): void {
    this.#ids.add(id)
    for (const oldest of this.#ids) {
      if (this.#ids.size <= FINISHED_MAX) return
      this.remove(oldest)
    }
  }

  /** Away with its files. Build folders are large: it must not hold up anything else. */
  remove(id: string): void {
    if (!this.#ids.delete(id)) return
    const removal = Promise.all(
      foldersOf(this.#dataDir, id).map((folder) => rm(folder, { recursive: true, force: true })),
    )
      .then(() => undefined)
      .catch((cause: unknown) => {
        this.#log.warn('files of an allocation were not removed', { allocation: id, cause })
      })
      .finally(() => this.#removals.delete(removal))
    this.#removals.add(removal)
  }

  /** Settles when nothing is being removed any more. */
  async close(): Promise<void> {
    await Promise.all(this.#removals)
  }
}
