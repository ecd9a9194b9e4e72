/** Files as streams of frames: how Nomad's client sends logs, and how a reader follows them. */
import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { Readable } from 'node:stream'
import { sleep } from '../../../platform/index.ts'
import type { Clock } from '../../../platform/index.ts'

/** One piece of a file. Empty ones tell that the stream is alive. */
export type Frame =
  | { file: string; offset: number; data: Buffer }
  | { file: string; offset: number; event: 'file truncated' | 'file deleted' }
  | null

/** What a stream reads from: files of one kind, oldest first, of which the last may grow. */
export interface Source {
  list(): SourceFile[]
  /** The name that frames carry. */
  label(file: SourceFile): string
}

export interface SourceFile {
  path: string
  /** Grows from file to file. */
  index: number
  size: number
}

export interface StreamOptions {
  origin: 'start' | 'end'
  /** Bytes from the origin. */
  offset: number
  follow: boolean
}

/** As large as a frame of Nomad's. */
const FRAME_BYTES = 64 * 1024

/** How soon new output is seen: half of what Nomad gathers frames for. */
const POLL_MS = 100

/** Nomad's heartbeat on such streams. */
const HEARTBEAT_MS = 1000

/** Ends at the end of the last file, or when the signal aborts if it follows. */
export async function* readFrames(
  clock: Clock,
  source: Source,
  options: StreamOptions,
  signal: AbortSignal,
): AsyncIterable<Frame> {
  let place = findStart(source.list(), options)
  let quietSince = clock.monotonic()
  while (!signal.aborted) {
    const files = source.list()
    // Files that rotation has dropped meanwhile are passed over.
    const file = files.find((each) => each.index >= place.index)
    if (file !== undefined && file.index > place.index) place = { index: file.index, offset: 0 }
    if (file !== undefined && file.size < place.offset) {
      place = { index: file.index, offset: 0 }
      yield { file: source.label(file), offset: 0, event: 'file truncated' }
    }
    const data = file === undefined ? null : readPiece(file.path, place.offset)
    if (file !== undefined && data !== null && data.length > 0) {
      place = { index: file.index, offset: place.offset + data.length }
      quietSince = clock.monotonic()
      yield { file: source.label(file), offset: place.offset, data }
    } else if (files.some((each) => each.index > place.index)) {
      place = { index: place.index + 1, offset: 0 }
    } else if (!options.follow) return
    else {
      await sleep(clock, POLL_MS, signal)
      if (clock.monotonic() - quietSince < HEARTBEAT_MS) continue
      quietSince = clock.monotonic()
      yield null
    }
  }
}

/** Counted over all files, as if they were one. */
function findStart(
  files: readonly SourceFile[],
  { origin, offset }: StreamOptions,
): { index: number; offset: number } {
  // So does Nomad, and its CLI counts on it: `logs -f` begins with what the last file holds.
  if (origin === 'end' && offset === 0) return { index: files.at(-1)?.index ?? 0, offset: 0 }
  const total = files.reduce((sum, file) => sum + file.size, 0)
  let left = origin === 'start' ? offset : Math.max(total - offset, 0)
  for (const file of files) {
    if (left <= file.size) return { index: file.index, offset: left }
    left -= file.size
  }
  const last = files.at(-1)
  return { index: last?.index ?? 0, offset: last?.size ?? 0 }
}

function readPiece(path: string, offset: number): Buffer | null {
  let descriptor: number
  try {
    descriptor = openSync(path, 'r')
  } catch {
    // Rotated away between two looks; the next look finds what is there.
    return null
  }
  try {
    const buffer = Buffer.allocUnsafe(FRAME_BYTES)
    return buffer.subarray(0, readSync(descriptor, buffer, 0, FRAME_BYTES, offset))
  } finally {
    closeSync(descriptor)
  }
}

/** Concatenated JSON objects; `{}` between them is a sign of life. */
export function toJsonStream(frames: AsyncIterable<Frame>): Readable {
  return Readable.from(encode(frames, toJson), { objectMode: false })
}

/** The bytes alone. */
export function toByteStream(frames: AsyncIterable<Frame>): Readable {
  return Readable.from(
    encode(frames, (frame) => (frame !== null && 'data' in frame ? frame.data : null)),
    { objectMode: false },
  )
}

async function* encode(
  frames: AsyncIterable<Frame>,
  toBytes: (frame: Frame) => string | Buffer | null,
): AsyncIterable<string | Buffer> {
  for await (const frame of frames) {
    const bytes = toBytes(frame)
    if (bytes !== null) yield bytes
  }
}

function toJson(frame: Frame): string {
  if (frame === null) return '{}'
  const { file, offset } = frame
  return 'data' in frame
    ? JSON.stringify({ Data: frame.data.toString('base64'), File: file, Offset: offset })
    : JSON.stringify({ File: file, FileEvent: frame.event, Offset: offset })
}

/** A source of one file that is not rotated. */
export function singleFile(path: string, label: string): Source {
  return {
    list: () => [{ path, index: 0, size: statSync(path, { throwIfNoEntry: false })?.size ?? 0 }],
    label: () => label,
  }
}
