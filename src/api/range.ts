/** The `Range` header, as far as one range of bytes goes. */

export type RangeHeader =
  | { kind: 'from'; offset: number; length?: number }
  /** The last bytes. */
  | { kind: 'suffix'; length: number }

/**
 * Null when there is none that we serve: several ranges, another unit or nonsense. The whole is then
 * the right answer.
 */
export function parseRange(header: string | undefined): RangeHeader | null {
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? []
  if (first === undefined || last === undefined) return null
  if (first === '') return last === '' ? null : { kind: 'suffix', length: Number(last) }
  const offset = Number(first)
  if (last === '') return { kind: 'from', offset }
  const length = Number(last) - offset + 1
  return length > 0 ? { kind: 'from', offset, length } : null
}
