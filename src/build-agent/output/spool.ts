/**
 * The masked output of one step on disk, from where it is uploaded.
 *
 * Bytes are gathered in one buffer while another is being written, so memory stays flat whatever a step
 * prints; the file is a ring of bounded size (see the layout). A spool that is nearly full asks its writer
 * to wait for the server. When the server does not come, or the disk takes no more, the middle of the
 * output is given up, and a marker tells how much that is: a lost line is better than a lost build.
 *
 * Length and hash are those of what the server gets, marker included.
 */
import { createHash } from 'node:crypto'
import { type Clock, sleep } from '../../platform/index.ts'
import {
  createLayout,
  earliestAt,
  giveWay,
  type Layout,
  neededBytes,
  roomAt,
  shrink,
} from './layout.ts'
import { Patience } from './patience.ts'
import { closeGap, type DropReason, type Ending, readEnded, type SpoolTotals } from './spool-end.ts'
import { SpoolFile } from './spool-file.ts'

export interface SpoolOptions {
  path: string
  /** How much is kept. */
  limitBytes: number
  /** How large the file may get. */
  roomBytes: number
  clock: Clock
  /** How long the server and the disk are waited for when there is no room. */
  fullMs: number
  /** Aborts when nobody may wait any more. */
  hurry: AbortSignal
  /** Called once, when it is clear that bytes are left out. */
  onDrop: (why: DropReason, cause?: unknown) => void
  /** Called when there is more to read, and when there is room again. */
  onChange: () => void
}

/** A write this large runs at the disk's speed; two of them are all the memory that a step's output takes. */
const BUFFER_BYTES = 512 * 1024
const DISK_RETRY_MS = 1000
/** From here on the writer is asked to wait; the rest is for what is on its way already. */
const FULL_SHARE = 0.8
/** A server that takes less than this while the writer waits is as good as none. */
const PROGRESS_SHARE = 0.1
/** Until the step is over nobody knows whether the last character of the head is whole. */
const CHARACTER_BYTES = 3

export class Spool {
  readonly #file: SpoolFile
  readonly #options: SpoolOptions
  readonly #hash = createHash('sha256')
  readonly #patience: Patience
  #layout: Layout
  #filling: Buffer = Buffer.allocUnsafe(BUFFER_BYTES)
  #filled = 0
  #spare: Buffer = Buffer.allocUnsafe(BUFFER_BYTES)
  #writing: Promise<void> | null = null
  #accepted = 0
  #written = 0
  /** The most that the server ever had. */
  #have = 0
  /** The most that was ever read, and so may be with the server. */
  #sent = 0
  #hashed = 0
  #why: DropReason = 'limit'
  /** The disk did not take what it was given. */
  #isBroken = false
  #isTold = false
  #onRoom: () => void = () => undefined
  #ending: Ending | null = null
  #totals: SpoolTotals | null = null
  readonly #ended = Promise.withResolvers<void>()

  private constructor(file: SpoolFile, options: SpoolOptions) {
    this.#file = file
    this.#options = options
    this.#layout = createLayout(options.limitBytes, options.roomBytes)
    this.#patience = new Patience({
      ...options,
      limitMs: options.fullMs,
      isNeeded: () => this.backlog >= this.#layout.size * FULL_SHARE,
      progress: () => this.#have,
      worth: () => this.#layout.size * PROGRESS_SHARE,
      onOver: () => this.#changed(),
    })
  }

  static async open(options: SpoolOptions): Promise<Spool> {
    const spool = new Spool(await SpoolFile.open(options.path, 'new'), options)
    // Made while there is room for it. A file without an index is one that was never overwritten.
    await spool.#saveIndex(0).catch(() => undefined)
    return spool
  }

  /** How much can be read. */
  get length(): number {
    if (this.#ending !== null) return this.#ending.length
    return Math.max(this.#sent, Math.min(this.#written, this.#layout.head - CHARACTER_BYTES))
  }

  /** What was before it can not be read any more. */
  get earliest(): number {
    return earliestAt(this.#layout, this.#written)
  }

  /** How many bytes there are that the server lacks. */
  get backlog(): number {
    return neededBytes(this.#layout, this.#accepted, this.#have)
  }

  /** Known once the spool has ended. */
  get totals(): SpoolTotals | null {
    return this.#totals
  }

  /** True while whoever writes should wait for `onChange`. */
  get isFull(): boolean {
    const isBehindDisk = this.#writing !== null && this.#filled >= BUFFER_BYTES / 2
    return isBehindDisk || this.#isNearlyFull
  }

  /** Takes a copy. */
  append(bytes: Buffer): void {
    this.#accepted += bytes.length
    const needed = this.#filled + bytes.length
    if (needed > this.#filling.length) {
      const larger = Buffer.allocUnsafe(2 * needed)
      this.#filling.copy(larger, 0, 0, this.#filled)
      this.#filling = larger
    }
    this.#filled += bytes.copy(this.#filling, this.#filled)
    if (this.#isNearlyFull) this.#patience.start()
    if (this.#filled > 0) this.#writing ??= this.#writeAll()
  }

  /** The server has so much. */
  acknowledge(have: number): void {
    this.#have = Math.max(this.#have, have)
    if (!this.#isNearlyFull) this.#patience.stop()
    this.#changed()
  }

  /** Waits for the disk, then settles length and hash. */
  async end(): Promise<SpoolTotals> {
    while (this.#writing !== null) await this.#writing
    this.#patience.stop()
    const facts = { length: this.#accepted, why: this.#why, sent: this.#sent }
    const ending = await closeGap(this.#layout, facts, this.#readRaw)
    this.#ending = ending
    const buffer = this.#spare
    while (this.#hashed < ending.length) await this.read(this.#hashed, buffer)
    const { length, dropped } = ending
    this.#totals = { length, sha256: this.#hash.digest('hex'), dropped }
    this.#filling = NOTHING
    this.#spare = NOTHING
    this.#options.onChange()
    this.#ended.resolve()
    return this.#totals
  }

  /** @returns up to `into.length` bytes from `offset` on; a part of `into`. */
  async read(offset: number, into: Buffer): Promise<Buffer> {
    const wanted = into.subarray(0, Math.max(0, this.length - offset))
    // Counted before the disk answers: what is on its way out can not be given up meanwhile.
    if (wanted.length > 0) this.#sent = Math.max(this.#sent, offset + wanted.length)
    const bytes =
      this.#ending === null
        ? await this.#readRaw(offset, wanted)
        : await readEnded(this.#ending, { offset, into: wanted }, this.#readRaw)
    const end = offset + bytes.length
    this.#sent = Math.max(this.#sent, end)
    if (this.#hashed >= offset && this.#hashed < end && this.#totals === null) {
      this.#hash.update(bytes.subarray(this.#hashed - offset))
      this.#hashed = end
    }
    return bytes
  }

  /** Once the spool has ended: closes the file, and removes it when nobody needs it any more. */
  async close(options: { remove: boolean }): Promise<void> {
    await this.#ended.promise
    // Whoever finds the file must know where what it holds begins and ends.
    const saved = options.remove ? null : this.#saveIndex(this.#written)
    await Promise.allSettled([saved])
    await this.#file.close(options)
    await saved
  }

  get #isNearlyFull(): boolean {
    return !this.#patience.isLost && this.backlog >= this.#layout.size * FULL_SHARE
  }

  #changed(): void {
    this.#onRoom()
    this.#options.onChange()
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
    const { clock, fullMs, hurry } = this.#options
    let fullSinceMs: number | null = null
    for (let done = 0; done < batch.length;) {
      const { bytes, skipped } = await this.#nextPart(batch.subarray(done))
      try {
        const written = skipped + (bytes.length === 0 ? 0 : await this.#writePart(bytes))
        this.#written += written
        done += written
        fullSinceMs = null
      } catch (cause) {
        fullSinceMs ??= clock.monotonic()
        const isWaitOver = clock.monotonic() - fullSinceMs >= fullMs || hurry.aborted
        if (isWaitOver || this.#isBroken) this.#shrink(cause)
        else await sleep(clock, DISK_RETRY_MS, hurry)
      }
    }
  }

  /** What can be written in one go, or skipped because it is left out. Waits for room. */
  async #nextPart(rest: Buffer): Promise<{ bytes: Buffer; skipped: number }> {
    const at = this.#written
    for (;;) {
      const { head, tail } = this.#layout
      if (at >= head + tail) this.#tell()
      if (at >= head && tail === 0) return { bytes: NOTHING, skipped: rest.length }
      const room = roomAt(this.#layout, at, this.#have)
      if (room === Number.POSITIVE_INFINITY && rest.length > tail) {
        // What follows in the same batch would overwrite it at once.
        return { bytes: NOTHING, skipped: rest.length - tail }
      }
      if (room > 0) return { bytes: rest.subarray(0, room), skipped: 0 }
      if (this.#patience.isLost) {
        this.#yield()
        continue
      }
      this.#patience.start()
      await new Promise<void>((resolve) => (this.#onRoom = resolve))
    }
  }

  async #writePart(bytes: Buffer): Promise<number> {
    const at = this.#written
    // A file that is overwritten does not tell by its length how much it holds.
    if (at + bytes.length > this.#layout.size) await this.#saveIndex(at + bytes.length)
    return await this.#file.write(this.#layout, at, bytes)
  }

  /** The server took nothing for too long: what there is no room for is left out. */
  #yield(): void {
    this.#layout = giveWay(this.#layout, { have: this.#have, sent: this.#sent })
    this.#why = 'server'
  }

  /** The disk took nothing for too long: what it has taken is made the room for what comes. */
  #shrink(cause: unknown): void {
    const written = this.#written
    const facts = { have: this.#have, sent: this.#sent, written }
    this.#patience.lose()
    this.#why = 'disk'
    if (this.#isBroken || written > this.#layout.size) {
      // Not even what it has taken can be overwritten.
      this.#layout = { ...this.#layout, head: Math.min(this.#layout.head, written), tail: 0 }
    } else this.#layout = shrink(this.#layout, facts)
    this.#isBroken = true
    this.#tell(cause)
  }

  #tell(cause?: unknown): void {
    if (this.#isTold) return
    this.#isTold = true
    this.#options.onDrop(this.#why, cause)
  }

  async #saveIndex(until: number): Promise<void> {
    const state = { ...this.#layout, written: this.#written, until, ending: this.#ending }
    await this.#file.saveIndex(state)
  }

  readonly #readRaw = async (at: number, into: Buffer): Promise<Buffer> =>
    await this.#file.read(this.#layout, at, into)
}

const NOTHING = Buffer.alloc(0)
