/**
 * A file that a person has named: settings, a configuration, a script, a key. Whatever they have named, reading
 * it comes to an end.
 *
 * To open a named pipe waits until somebody opens its other end, in a thread that nothing can call back: the
 * program could not even exit. So every file is opened without waiting. What comes bit by bit (a pipe such as
 * that of `<(...)`, /dev/stdin, a terminal) has so much time in all.
 */
import { closeSync, constants, createReadStream, fstatSync, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { type Readable, addAbortSignal } from 'node:stream'
import { isatty, ReadStream } from 'node:tty'
import { type Clock, deadline, systemClock } from './clock.ts'

export interface NamedFileOptions {
  clock?: Clock
  /** For what is no regular file, in milliseconds. */
  withinMs?: number
  bytesMax?: number
}

/** What writes into the pipe may have to ask a person for a passphrase. */
const WITHIN_MS = 30_000

/** Several times what any of these files needs. Some, as those of devices, have no end. */
const BYTES_MAX = 4 * 1024 ** 2

/**
 * Its text.
 *
 * @throws Error with Node's own code, such as ENOENT, or with a sentence that begins with `it`: no text, a
 * folder, too large, nothing came.
 */
export async function readNamedFile(file: string, options: NamedFileOptions = {}): Promise<string> {
  const { clock = systemClock, withinMs = WITHIN_MS, bytesMax = BYTES_MAX } = options
  const limit = deadline(clock, withinMs)
  try {
    const { stream, isLive } = openStream(file, bytesMax)
    if (isLive) addAbortSignal(limit.signal, stream)
    const bytes = await gather(stream, bytesMax)
    if (!bytes.includes(0)) return bytes.toString('utf8')
  } catch (cause) {
    throw limit.signal.aborted ? unfinished(withinMs) : cause
  } finally {
    limit.cancel()
  }
  throw new Error('it is no text in UTF-8')
}

function unfinished(withinMs: number): Error {
  return new Error(`it is a pipe that nobody wrote to its end within ${withinMs / 1000} s`)
}

/** `isLive`: may never say anything. The stream closes the file. */
function openStream(file: string, bytesMax: number): { stream: Readable; isLive: boolean } {
  const fd = openAtOnce(file)
  if (isatty(fd)) return { stream: new ReadStream(fd), isLive: true }
  const found = fstatSync(fd)
  if (found.isFIFO()) {
    return { stream: new Socket({ fd, readable: true, writable: false }), isLive: true }
  }
  if (!found.isDirectory()) {
    // One more than there may be, to tell.
    return { stream: createReadStream('', { fd, end: bytesMax }), isLive: false }
  }
  closeSync(fd)
  throw new Error('it is a folder')
}

function openAtOnce(file: string): number {
  try {
    return openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENXIO') throw cause
    throw new Error('it is a socket: only a file or a pipe can be opened by its name', { cause })
  }
}

async function gather(stream: Readable, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    length += chunk.length
    if (length > bytesMax) throw new Error(`it is larger than ${bytesMax / 1024 ** 2} MiB`)
  }
  return Buffer.concat(chunks)
}
