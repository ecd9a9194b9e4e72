/**
 * A spool on disk: the bytes in one file, and beside it, once that is needed to make sense of them, how they
 * lie there. What a process that was killed has written can be read by another one.
 */
import { type FileHandle, open, readFile, rm } from 'node:fs/promises'
import { z } from 'zod'
import { type Layout, locate } from './layout.ts'

const index = z.object({
  size: z.number(),
  head: z.number(),
  tail: z.number(),
  /** How much the step had written. */
  written: z.number(),
  /** How far the write got that was under way. */
  until: z.number(),
  ending: z
    .object({
      head: z.number(),
      marker: z.string(),
      tailFrom: z.number(),
      length: z.number(),
      dropped: z.number(),
    })
    .nullable(),
})
export type SpoolIndex = z.infer<typeof index>

/** One write of one page, which a kill does not tear. */
const INDEX_BYTES = 1024

export class SpoolFile {
  readonly #path: string
  readonly #file: FileHandle
  #index: FileHandle | null = null

  private constructor(path: string, file: FileHandle) {
    this.#path = path
    this.#file = file
  }

  /** Makes an empty one, or opens one that is there for reading. */
  static async open(path: string, how: 'new' | 'read'): Promise<SpoolFile> {
    return new SpoolFile(path, await open(path, how === 'new' ? 'w+' : 'r', 0o600))
  }

  /** @returns null while the file is not overwritten: then its bytes lie as they were written. */
  static async readIndex(path: string): Promise<SpoolIndex | null> {
    const text = await readFile(toIndexPath(path), 'utf8').catch((cause: unknown) => {
      if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null
      throw cause
    })
    return text === null || text === '' ? null : index.parse(JSON.parse(text))
  }

  async size(): Promise<number> {
    return (await this.#file.stat()).size
  }

  /** @returns a part of `into`: full, or up to the end of what lies in one piece. */
  async read(layout: Layout, at: number, into: Buffer): Promise<Buffer> {
    if (into.length === 0) return into
    const { position, run } = locate(layout, at)
    const length = Math.min(into.length, run)
    const { bytesRead } = await this.#file.read(into, 0, length, position)
    return into.subarray(0, bytesRead)
  }

  /** @returns how much was written. */
  async write(layout: Layout, at: number, bytes: Buffer): Promise<number> {
    const { position, run } = locate(layout, at)
    const length = Math.min(bytes.length, run)
    const { bytesWritten } = await this.#file.write(bytes, 0, length, position)
    return bytesWritten
  }

  async saveIndex(state: SpoolIndex): Promise<void> {
    this.#index ??= await open(toIndexPath(this.#path), 'w', 0o600)
    const text = Buffer.from(JSON.stringify(state).padEnd(INDEX_BYTES))
    await this.#index.write(text, 0, text.length, 0)
  }

  async close({ remove }: { remove: boolean }): Promise<void> {
    await Promise.all([this.#file.close(), this.#index?.close()])
    if (!remove) return
    await Promise.all([
      rm(this.#path, { force: true }),
      rm(toIndexPath(this.#path), { force: true }),
    ])
  }
}

function toIndexPath(path: string): string {
  return `${path}.index`
}
