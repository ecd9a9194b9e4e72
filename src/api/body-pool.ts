/**
 * Bodies of bytes, read into buffers that are used again.
 *
 * A new buffer of megabytes for each request is memory that only a full garbage collection gives back,
 * and under a steady stream of output those took two fifths of the server's time.
 */
import type { Readable } from 'node:stream'
import { errorCodes } from 'fastify'

export interface BodyPool {
  /**
   * Reads a body to its end.
   *
   * @param declared its content-length; NaN when it was not told.
   * @returns bytes that are the caller's until it gives them back.
   * @throws FastifyError with status 413 for more than the pool's bodies may have.
   */
  read(body: Readable, declared: number): Promise<Buffer>
  /** Nobody may use the bytes any more. Those that are never given back are garbage, no leak. */
  giveBack(bytes: Buffer): void
}

/** What is smaller is cheap to make anew: most calls carry a few kilobytes. */
const POOLED_MIN = 256 * 1024

/** Kept while idle: as many as agents send at the very same time on a busy server. */
const IDLE_MAX = 8

/** @param bytesMax of one body. */
export function createBodyPool(bytesMax: number): BodyPool {
  const idle: ArrayBufferLike[] = []

  const take = (length: number): Buffer => {
    if (length < POOLED_MIN) return Buffer.allocUnsafe(length)
    const memory = idle.pop() ?? new ArrayBuffer(bytesMax)
    return Buffer.from(memory, 0, length)
  }

  return {
    async read(body, declared) {
      const length = Number.isNaN(declared) ? bytesMax : declared
      if (length > bytesMax) throw new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE()
      const bytes = take(length)
      let filled = 0
      // Not destroyed at the end: the answer goes out over the same connection.
      const chunks: AsyncIterable<Buffer> = body.iterator({ destroyOnReturn: false })
      for await (const chunk of chunks) {
        if (filled + chunk.length > length) throw new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE()
        filled += chunk.copy(bytes, filled)
        letGo(chunk)
      }
      return bytes.subarray(0, filled)
    },
    giveBack({ buffer }) {
      if (buffer.byteLength === bytesMax && idle.length < IDLE_MAX) idle.push(buffer)
    },
  }
}

/** What is smaller shares its memory with others. */
const OWN_MEMORY_MIN = 16 * 1024

/** Frees the memory of a piece that nobody reads any more, now and not at the next full collection. */
function letGo({ buffer, length }: Buffer): void {
  const isOwn = length >= OWN_MEMORY_MIN && buffer.byteLength === length
  if (isOwn && buffer instanceof ArrayBuffer) buffer.transfer(0)
}
