/**
 * Where the bytes of an output lie in its spool file, and which of them are kept. Pure.
 *
 * Offsets count the bytes that the step wrote. The file is a ring: byte r lies at r modulo its size. What
 * lies before `head` is sent while the step runs. What comes behind it stays in the file until the step is
 * over, in a ring of its own of `tail` bytes, so that of an output which is too large the first part and
 * the last are kept. The ring of the tail is made of the room that the unsent head leaves, so neither ever
 * overwrites the other.
 */

export interface Layout {
  /** Of the file. */
  size: number
  /** Where the head ends. */
  head: number
  /** How much of what follows the head is kept. */
  tail: number
}

/** Of an output that is too large the last three quarters are kept: failures are told at the end. */
const TAIL_SHARE = 0.75
/** Smaller files are not worth the trouble of telling when they are nearly full. */
const SIZE_MIN = 4096

/**
 * @param limitBytes how much of the output is kept.
 * @param roomBytes how large the file may get; the tail is three quarters of it where that is less.
 */
export function createLayout(limitBytes: number, roomBytes: number): Layout {
  const size = Math.max(SIZE_MIN, Math.min(limitBytes, roomBytes))
  const tail = tailOf(Math.min(limitBytes, size))
  return { size, head: limitBytes - tail, tail }
}

/**
 * The layout from which on nobody has to wait for the server: the head ends a quarter of the file behind
 * what the server has, or where it already was to end. Nothing moves in the file.
 *
 * @param sent nothing before it may be taken out any more.
 */
export function giveWay(layout: Layout, { have, sent }: { have: number; sent: number }): Layout {
  const { size } = layout
  const head = Math.max(have + size - tailOf(size), sent)
  return head < layout.head ? { size, head, tail: size - (head - have) } : layout
}

/** The same for a disk that is full when the file has `written` bytes, and has never been overwritten. */
export function shrink(
  layout: Layout,
  { have, sent, written }: { have: number; sent: number; written: number },
): Layout {
  const head = Math.min(layout.head, written, Math.max(have + written - tailOf(written), sent))
  return { size: written, head, tail: written - (head - have) }
}

/** How many bytes may follow the first `at` before one is overwritten that is still needed. */
export function roomAt({ size, head, tail }: Layout, at: number, have: number): number {
  return at >= head + tail ? Number.POSITIVE_INFINITY : have + size - at
}

/** How much of the file holds what is still needed, when the output has `length` bytes. */
export function neededBytes({ head, tail }: Layout, length: number, have: number): number {
  return Math.max(0, Math.min(length, head + tail) - have)
}

/** Before it the file holds nothing of the head any more, once it was written up to `at`. */
export function earliestAt({ size, head, tail }: Layout, at: number): number {
  return Math.max(0, Math.min(at, head + tail) - size)
}

/** Where the tail of an output of `length` bytes begins. */
export function tailFrom({ head, tail }: Layout, length: number): number {
  return Math.max(Math.min(head, length), length - tail)
}

/** Where a byte lies, and how many of its followers lie right behind it. */
export function locate(layout: Layout, at: number): { position: number; run: number } {
  const { size, head, tail } = layout
  if (at < head) {
    const position = at % size
    return { position, run: Math.min(head - at, size - position) }
  }
  const inTail = (at - head) % tail
  const position = (head + inTail) % size
  return { position, run: Math.min(tail - inTail, size - position) }
}

/** How many of the last bytes are the beginning of a character of which the rest is missing. */
export function unfinishedBytes(end: Buffer): number {
  for (let back = 1; back <= Math.min(3, end.length); back++) {
    const byte = end[end.length - back] ?? 0
    if (isContinuation(byte)) continue
    const wanted = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return wanted > back ? back : 0
  }
  return 0
}

/** How many of the first bytes are the end of a character of which the beginning is missing. */
export function orphanedBytes(start: Buffer): number {
  let count = 0
  while (count < Math.min(3, start.length) && isContinuation(start[count] ?? 0)) count += 1
  return count
}

function tailOf(bytes: number): number {
  return Math.floor(bytes * TAIL_SHARE)
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80
}
