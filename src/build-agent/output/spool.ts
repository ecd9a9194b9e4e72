/**
 * The masked output of one step on disk, from where it is uploaded.
 *
 * Bytes are gathered in one buffer while another is being written, so memory stays flat whatever a step
 * prints. The file holds the head of the output up to the limit; what came after it is counted, and one
 * marker at the end says how much that is. The marker lives in memory: it must be shown on a full disk too.
 */
import { createHash } from 'node:crypto'
import { type FileHandle, open, rm } from 'node:fs/promises'
import type { Clock } from '../../platform/index.ts'
import { sleep } from '../../platform/index.ts'

export interface SpoolTotals {
  length: number
  /** Hex. */
  sha256: string
  /** Bytes that were left out at the marker. */
  dropped: number
}

export interface SpoolOptions {
  path: string
  /** How much is kept. */
  limitBytes: number
  clock: Clock
  /** How long a write is tried again, such as on a full disk, before its bytes are given up. */
  diskFullMs: number
  /** Called once, when the first byte is left out. */
  onDrop: (why: DropReason, cause?: unknown) => void
  /** Called when there is more to read, and when there is room again. */
  onChange: () => void
}

/** What the output outgrew. */
export type DropReason = 'limit' | 'disk'

/** A write this large runs at the disk's speed; two of them are all the memory that a step's output takes. */
const BUFFER_BYTES = 512 * 1024
const DISK_RETRY_MS = 1000

export class Spool {
  readonly #file: FileHandle
  readonly #options: SpoolOptions
  readonly #hash = createHash('sha256')
  #filling: Buffer = Buffer.allocUnsafe(BUFFER_BYTES)
  #filled = 0
  #spare: Buffer = Buffer.allocUnsafe(BUFFER_BYTES)
  #writing: Promise<void> | null = null
  #accepted = 0
  #written = 0
  #dropped = 0
  #dropping: DropReason | null = null
  #marker: Buffer = Buffer.alloc(0)
  #totals: SpoolTotals | null = null
  readonly #ended = Promise.withResolvers<void>()

  private constructor(file: FileHandle, options: SpoolOptions) {
    this.#file = file
    this.#options = options
  }

  static async open(options: SpoolOptions): Promise<Spool> {
    return new Spool(await open(options.path, 'w+', 0o600), options)
  }

  /** How much can be read. */
  get length(): number {
    return this.#written + this.#marker.length
  }

  /** Known once the spool has ended. */
  get totals(): SpoolTotals | null {
    return this.#totals
  }

  /** True while more than one buffer waits: whoever writes should wait for `onChange`. */
  get isBehind(): boolean {
    return this.#writing !== null && this.#filled >= BUFFER_BYTES / 2
  }

  /** Takes a copy. */
  append(bytes: Buffer): void {
    const kept = this.#dropping === null ? this.#fit(bytes) : 0
    if (kept > 0) this.#gather(bytes.subarray(0, kept))
    if (kept === bytes.length) return
    this.#dropped += bytes.length - kept
    if (this.#dropping === null) this.#giveUp('limit')
  }

  /** Waits for the disk, then settles length and hash. */
  async end(): Promise<SpoolTotals> {
    while (this.#writing !== null) await this.#writing
    if (this.#dropping !== null) this.#marker = toMarker(this.#dropping, this.#dropped)
    this.#hash.update(this.#marker)
    const sha256 = this.#hash.digest('hex')
    this.#totals = { length: this.length, sha256, dropped: this.#dropped }
    this.#options.onChange()
    this.#ended.resolve()
    return this.#totals
  }

  /** @returns up to `into.length` bytes from `offset` on; a part of `into`. */
  async read(offset: number, into: Buffer): Promise<Buffer> {
    if (offset >= this.#written)
      return this.#marker.subarray(offset - this.#written).subarray(0, into.length)
    const length = Math.min(into.length, this.#written - offset)
    const { bytesRead } = await this.#file.read(into, 0, length, offset)
    return into.subarray(0, bytesRead)
  }

  /** Once the spool has ended: closes the file, and removes it when nobody needs it any more. */
  async close(options: { remove: boolean }): Promise<void> {
    await this.#ended.promise
    await this.#file.close()
    if (options.remove) await rm(this.#options.path, { force: true })
  }

  /** How many of these bytes the limit leaves room for. A character of several bytes is not cut in two. */
  #fit(bytes: Buffer): number {
    const room = Math.max(0, this.#options.limitBytes - this.#accepted)
    if (bytes.length <= room) return bytes.length
    let kept = room
    while (kept < bytes.length && kept - room < 3 && isContinuation(bytes[kept] ?? 0)) kept += 1
    return kept
  }

  #gather(bytes: Buffer): void {
    this.#accepted += bytes.length
    const needed = this.#filled + bytes.length
    if (needed > this.#filling.length) {
      const larger = Buffer.allocUnsafe(2 * needed)
      this.#filling.copy(larger, 0, 0, this.#filled)
      this.#filling = larger
    }
    this.#filled += bytes.copy(this.#filling, this.#filled)
    this.#writing ??= this.#writeAll()
  }

  async #writeAll(): Promise<void> {
    while (this.#filled > 0) {
      const buffer = this.#filling
      const batch = buffer.subarray(0, this.#filled)
      this.#filling = this.#spare
      this.#filled = 0
      await this.#write(batch)
      this.#spare = buffer
      this.#options.onChange()
    }
    this.#writing = null
  }

  /** Never fails: a step must not die of the disk that its output goes to. */
  async #write(batch: Buffer): Promise<void> {
    const giveUpMs = this.#options.clock.monotonic() + this.#options.diskFullMs
    let done = 0
    while (done < batch.length && this.#dropping !== 'disk') {
      try {
        const { bytesWritten } = await this.#file.write(
          batch,
          done,
          batch.length - done,
          this.#written,
        )
        this.#hash.update(batch.subarray(done, done + bytesWritten))
        this.#written += bytesWritten
        done += bytesWritten
      } catch (cause) {
        if (this.#options.clock.monotonic() >= giveUpMs) this.#giveUp('disk', cause)
        else await sleep(this.#options.clock, DISK_RETRY_MS)
      }
    }
    if (done < batch.length) this.#dropped += batch.length - done
  }

  #giveUp(why: DropReason, cause?: unknown): void {
    if (this.#dropping === null) this.#options.onDrop(why, cause)
    this.#dropping = why
  }
}

function toMarker(why: DropReason, dropped: number): Buffer {
  const what = why === 'limit' ? 'the output limit was reached' : 'the disk took no more'
  return Buffer.from(`\n[caravan: ${what}; ${dropped} bytes of output are left out here]\n`)
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80
}
