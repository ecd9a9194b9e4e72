/** How an output that is over is put together: all of it, or its head, a marker and its tail. */
import { type Layout, orphanedBytes, tailFrom, unfinishedBytes } from './layout.ts'

/** What was in the way of an output: its own limit, a server that took nothing, a disk that took nothing. */
export type DropReason = 'limit' | 'server' | 'disk'

/** Of what the server gets. */
export interface SpoolTotals {
  length: number
  /** Hex. */
  sha256: string
  /** Bytes that were left out at the marker. */
  dropped: number
}

export interface Ending {
  /** How many bytes stand before the marker. */
  head: number
  /** Empty when nothing is missing. */
  marker: string
  /** Which byte of the step's is the first behind the marker. */
  tailFrom: number
  /** Of all three. */
  length: number
  dropped: number
}

/** @param read gets up to `into.length` bytes of the step's output from `at` on. */
type ReadRaw = (at: number, into: Buffer) => Promise<Buffer>

interface GapFacts {
  /** How much the step wrote. */
  length: number
  why: DropReason
  /** How much of it the server may have, which therefore stays. */
  sent: number
  /** How far a write got that was under way, which has overwritten the beginning of the tail. */
  until?: number
}

const CHARACTER_BYTES = 3

/**
 * No character is cut in two where something is missing.
 */
export async function closeGap(
  layout: Layout,
  { length, why, sent, until = length }: GapFacts,
  read: ReadRaw,
): Promise<Ending> {
  const from = tailFrom(layout, until)
  const cut = Math.min(layout.head, length)
  if (from === cut) return { head: length, marker: '', tailFrom: length, length, dropped: 0 }
  const looked = Math.min(CHARACTER_BYTES, cut)
  const unfinished = unfinishedBytes(await read(cut - looked, Buffer.alloc(looked)))
  const head = Math.max(sent, cut - unfinished)
  const after = Math.min(CHARACTER_BYTES, length - from)
  const tail = from + orphanedBytes(await read(from, Buffer.alloc(after)))
  const dropped = tail - head
  const marker = toMarker(why, dropped)
  return {
    head,
    marker,
    tailFrom: tail,
    length: head + Buffer.byteLength(marker) + length - tail,
    dropped,
  }
}

/** Reads what the server gets: at most up to the next border of head, marker and tail. */
export async function readEnded(
  ending: Ending,
  { offset, into }: { offset: number; into: Buffer },
  read: ReadRaw,
): Promise<Buffer> {
  const { head, length } = ending
  if (offset < head) return await read(offset, into.subarray(0, head - offset))
  const marker = Buffer.from(ending.marker)
  const inMarker = offset - head
  if (inMarker < marker.length) {
    return into.subarray(0, marker.copy(into, 0, inMarker))
  }
  const part = into.subarray(0, length - offset)
  return await read(ending.tailFrom + inMarker - marker.length, part)
}

const WHAT: Readonly<Record<DropReason, string>> = {
  limit: 'the output limit was reached',
  server: 'the server took no output for too long',
  disk: 'the disk took no more',
}

function toMarker(why: DropReason, dropped: number): string {
  return `\n[caravan: ${WHAT[why]}; ${dropped} bytes of output are left out here]\n`
}
