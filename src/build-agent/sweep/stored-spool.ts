/** The spool of an agent that is gone, as something that can be sent. */
import { earliestAt, type Layout } from '../output/layout.ts'
import { closeGap, type Ending, readEnded, type SpoolTotals } from '../output/spool-end.ts'
import { SpoolFile, type SpoolIndex } from '../output/spool-file.ts'
import type { Source } from '../output/uploader.ts'

/** Stands where an agent was killed: what it had not put on disk yet is lost. */
const CUT = Buffer.from('\n[caravan: the agent was killed here; what followed is lost]\n')

export class StoredSpool implements Source {
  readonly #file: SpoolFile
  readonly #layout: Layout
  readonly #ending: Ending
  readonly #trailer: Buffer
  readonly earliest: number

  private constructor(
    file: SpoolFile,
    stored: { layout: Layout; ending: Ending; written: number; trailer: Buffer },
  ) {
    this.#file = file
    this.#layout = stored.layout
    this.#ending = stored.ending
    this.#trailer = stored.trailer
    this.earliest = earliestAt(stored.layout, stored.written)
  }

  /** @throws Error when the folder is not as an agent leaves it. */
  static async open(path: string): Promise<StoredSpool> {
    const file = await SpoolFile.open(path, 'read')
    const index = (await SpoolFile.readIndex(path)) ?? asWritten(await file.size())
    if (index.ending !== null) {
      const { ending, written } = index
      return new StoredSpool(file, { layout: index, ending, written, trailer: Buffer.alloc(0) })
    }
    // Until it is overwritten, a file tells by its length how much it holds.
    const isOverwritten = index.until > index.size
    const length = isOverwritten ? index.written : await file.size()
    const until = isOverwritten ? index.until : length
    const facts = { length, until, why: 'limit' as const, sent: 0 }
    const ending = await closeGap(index, facts, (at, into) => file.read(index, at, into))
    return new StoredSpool(file, { layout: index, ending, written: until, trailer: CUT })
  }

  get length(): number {
    return this.#ending.length + this.#trailer.length
  }

  /** Nothing is added any more. The hash is what the agent announced, if it came to that. */
  get totals(): SpoolTotals {
    return { length: this.length, sha256: '', dropped: this.#ending.dropped }
  }

  async read(offset: number, into: Buffer): Promise<Buffer> {
    const inTrailer = offset - this.#ending.length
    if (inTrailer >= 0) return into.subarray(0, this.#trailer.copy(into, 0, inTrailer))
    return await readEnded(this.#ending, { offset, into }, (at, part) =>
      this.#file.read(this.#layout, at, part),
    )
  }

  acknowledge(): void {
    // Nobody waits for room.
  }

  async close(): Promise<void> {
    await this.#file.close({ remove: false })
  }
}

/** There was no room for an index: then the file holds the beginning, and was never overwritten. */
function asWritten(length: number): SpoolIndex {
  return { size: length, head: length, tail: 0, written: length, until: length, ending: null }
}
