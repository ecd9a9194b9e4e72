/** Hides secrets in a stream, whatever pieces it comes in: the result never depends on the pieces. */
import { createMatcher, isMaskable, type Matcher } from './mask.ts'
import { toSpellings } from './spellings.ts'

const REPLACEMENT = Buffer.from('****')
const NOTHING = Buffer.alloc(0)

/** All spellings together; twenty times as much is the memory that they take. */
const SPELLING_BYTES_MAX = 2 * 1024 * 1024

/** The secrets of one slice. Filters follow when one is added. */
export class Mask {
  #secrets = new Set<string>()
  #spellings = new Set<string>()
  #spellingBytes = 0
  #plainOnly = 0
  #matcher: Matcher | null = null

  constructor(secrets: readonly string[] = []) {
    this.add(secrets)
  }

  /** Null while there is nothing to hide. A new object with every change. */
  get matcher(): Matcher | null {
    return this.#matcher
  }

  /** How many secrets are hidden only as they are written, not encoded: there are too many. */
  get plainOnly(): number {
    return this.#plainOnly
  }

  /** @returns how many of the values are too short or too common to be hidden. */
  add(secrets: readonly string[]): number {
    const maskable = secrets.filter(isMaskable)
    const fresh = maskable.filter((secret) => !this.#secrets.has(secret))
    for (const secret of fresh) {
      this.#secrets.add(secret)
      this.#spell(secret)
    }
    if (fresh.length > 0) this.#matcher = createMatcher([...this.#secrets, ...this.#spellings])
    return secrets.length - maskable.length
  }

  #spell(secret: string): void {
    const spellings = toSpellings(secret)
    const bytes = spellings.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
    if (this.#spellingBytes + bytes > SPELLING_BYTES_MAX) {
      this.#plainOnly += 1
      return
    }
    this.#spellingBytes += bytes
    for (const spelling of spellings) this.#spellings.add(spelling)
  }

  /** For names, reasons and messages: every text that leaves the agent. */
  text(text: string): string {
    const filter = new MaskFilter(this)
    const pieces = [...filter.push(Buffer.from(text)), ...filter.end()]
    return Buffer.concat(pieces).toString('utf8')
  }
}

interface Region {
  start: number
  end: number
}

/**
 * One stream. Bytes that may be the beginning of a secret are held back until more is known, which are
 * never more than the longest secret has. They are not let go after a silence: who prints a secret slowly
 * must not see it. Secrets that overlap are replaced once.
 */
export class MaskFilter {
  readonly #mask: Mask
  #matcher: Matcher | null
  #state = 0
  #held = NOTHING
  #scratch = NOTHING
  /** Secrets found whose place is not settled yet; positions count from the first held byte. */
  #regions: Region[] = []
  /** Bytes before this position belong to a secret that has been replaced already. */
  #swallowTo = 0

  constructor(mask: Mask) {
    this.#mask = mask
    this.#matcher = mask.matcher
  }

  /** @returns what may leave, as pieces that are good until the next push and as long as `chunk` is. */
  push(chunk: Buffer): Buffer[] {
    if (this.#matcher !== this.#mask.matcher) return this.#switch(chunk)
    if (this.#matcher === null) return [chunk]
    const input = this.#behindHeld(chunk)
    const onMatch = (length: number, end: number) => this.#addRegion(end - length, end)
    this.#state = this.#matcher.scan(input, this.#held.length, this.#state, onMatch)
    return this.#release(input, input.length - this.#matcher.depth(this.#state))
  }

  /** The stream is over: what was held back is no secret. */
  end(): Buffer[] {
    this.#state = 0
    return this.#release(this.#held, this.#held.length)
  }

  /** Secrets were added: what is held back is looked at again with all of them. */
  #switch(chunk: Buffer): Buffer[] {
    const input = this.#behindHeld(chunk)
    this.#matcher = this.#mask.matcher
    this.#state = 0
    this.#held = NOTHING
    this.#regions = []
    return this.push(input)
  }

  /** In one buffer that is used again: a fresh one for each chunk is memory that waits for its collection. */
  #behindHeld(chunk: Buffer): Buffer {
    const { length } = this.#held
    if (length === 0) return chunk
    const whole = length + chunk.length
    if (this.#scratch.length < whole) this.#scratch = Buffer.allocUnsafeSlow(whole)
    this.#held.copy(this.#scratch)
    chunk.copy(this.#scratch, length)
    return this.#scratch.subarray(0, whole)
  }

  /** Overlapping secrets become one region; regions stay in order and apart. */
  #addRegion(start: number, end: number): void {
    const region = { start, end }
    for (
      let last = this.#regions.at(-1);
      last && last.end > region.start;
      last = this.#regions.at(-1)
    ) {
      region.start = Math.min(region.start, last.start)
      this.#regions.pop()
    }
    if (region.start < this.#swallowTo) this.#swallowTo = Math.max(this.#swallowTo, end)
    else this.#regions.push(region)
  }

  /** Everything before `safe` is settled: no secret that is still to be found begins there. */
  #release(input: Buffer, safe: number): Buffer[] {
    const pieces: Buffer[] = []
    let cursor = this.#swallowTo
    let settled = 0
    for (const region of this.#regions) {
      if (region.start >= safe) break
      if (region.start > cursor) pieces.push(input.subarray(cursor, region.start))
      pieces.push(REPLACEMENT)
      cursor = region.end
      settled += 1
    }
    if (safe > cursor) pieces.push(input.subarray(cursor, safe))
    this.#swallowTo = Math.max(0, cursor - safe)
    this.#regions = this.#regions
      .slice(settled)
      .map(({ start, end }) => ({ start: start - safe, end: end - safe }))
    this.#held = safe === input.length ? NOTHING : Buffer.from(input.subarray(safe))
    return pieces
  }
}
