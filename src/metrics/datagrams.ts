/** Lines into as few datagrams as they fit in. A line is never split. */

/**
 * What passes everywhere on an Ethernet: 1500 bytes without the largest header of IP and that of UDP.
 * The official clients use it too.
 */
export const UDP_BYTES_MAX = 1432
/** What every host of the internet takes; for paths on which the larger size is refused. */
export const UDP_BYTES_SAFE = 508
/** What the Datadog Agent reads at once from a Unix socket; it would cut what is longer. */
export const UNIX_BYTES_MAX = 8192

export interface Packed {
  datagrams: string[]
  /** Lines that are too long for any datagram. */
  tooLong: string[]
}

/** @param bytesMax of a datagram. Lines are joined by one line feed, and none stands at the end. */
export function packLines(lines: readonly string[], bytesMax: number): Packed {
  const packed: Packed = { datagrams: [], tooLong: [] }
  let current: string[] = []
  let bytes = 0
  const flush = () => {
    if (current.length > 0) packed.datagrams.push(current.join('\n'))
    current = []
    bytes = 0
  }
  for (const line of lines) {
    const length = Buffer.byteLength(line)
    if (length > bytesMax) {
      packed.tooLong.push(line)
      continue
    }
    const separator = current.length === 0 ? 0 : 1
    if (bytes + separator + length > bytesMax) flush()
    bytes += (current.length === 0 ? 0 : 1) + length
    current.push(line)
  }
  flush()
  return packed
}
