/** What comes out of Docker's connections: framed output, and lines of JSON. */

type Chunks = AsyncIterable<unknown> | Iterable<unknown>

const HEADER_BYTES = 8

/**
 * Output of a program without a terminal: frames of both its streams, told apart by a header of 8 bytes whose
 * last four are the length. Order is kept, and whoever reads slowly holds back who writes.
 *
 * Ends where the connection ends; a frame that was cut off there is given as far as it came.
 */
export async function* demultiplex(stream: Chunks): AsyncGenerator<Buffer> {
  let header = Buffer.alloc(0)
  let left = 0
  for await (const chunk of stream) {
    let rest = chunk as Buffer
    while (rest.length > 0) {
      if (left === 0) {
        const missing = HEADER_BYTES - header.length
        header = Buffer.concat([header, rest.subarray(0, missing)])
        rest = rest.subarray(missing)
        if (header.length < HEADER_BYTES) break
        left = header.readUInt32BE(4)
        header = Buffer.alloc(0)
      } else {
        const part = rest.subarray(0, left)
        rest = rest.subarray(left)
        left -= part.length
        yield part
      }
    }
  }
}

/** Longer lines of progress do not exist; what never ends is no progress. */
const LINE_CHARS_MAX = 1024 * 1024

/** @throws Error when a line does not end. */
export async function* readLines(stream: Chunks): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of stream) {
    text += decoder.decode(chunk as Buffer, { stream: true })
    const lines = text.split('\n')
    text = lines.pop() ?? ''
    if (text.length > LINE_CHARS_MAX) throw new Error('Docker sends a line that does not end')
    for (const line of lines) if (line.trim() !== '') yield line
  }
  if (text.trim() !== '') yield text
}
