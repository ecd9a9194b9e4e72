/**
 * Splits a stream of bytes into its lines, without their ends. A line longer than the limit is skipped
 * and told as null; what follows the last end of a line is cut off with the stream and left out.
 */
export async function* readLines(
  body: AsyncIterable<Buffer>,
  lineBytesMax: number,
): AsyncGenerator<string | null> {
  let parts: Buffer[] = []
  let length = 0
  for await (const chunk of body) {
    for (let start = 0; start <= chunk.length;) {
      const end = chunk.indexOf('\n', start)
      const part = chunk.subarray(start, end === -1 ? chunk.length : end)
      length += part.length
      if (length > lineBytesMax) parts = []
      else parts.push(part)
      if (end === -1) break
      yield length > lineBytesMax ? null : Buffer.concat(parts).toString('utf8')
      parts = []
      length = 0
      start = end + 1
    }
  }
}
