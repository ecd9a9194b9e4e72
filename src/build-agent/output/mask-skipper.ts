/**
 * Finds the next place where a secret could begin, looking at few of the bytes before it.
 *
 * As Wu and Manber do it: of a window as long as the shortest secret only the last two bytes are looked at.
 * Where they stand in the secrets tells how far the window can move on.
 */

/** @returns the first position from `from` on where a secret may begin; beyond the end when there is none. */
export type Skip = (input: Buffer, from: number) => number

/** What fits into a byte of the table. */
const WINDOW_MAX = 255

/** @param secrets not empty, each of two bytes at least. */
export function createSkipper(secrets: readonly Buffer[]): Skip {
  const window = secrets.reduce((least, { length }) => Math.min(least, length), WINDOW_MAX)
  const shifts = new Uint8Array(1 << 16).fill(window - 1)
  for (const secret of secrets) {
    for (let at = 1; at < window; at++) {
      const pair = ((secret[at - 1] ?? 0) << 8) | (secret[at] ?? 0)
      shifts[pair] = Math.min(shifts[pair] ?? 0, window - 1 - at)
    }
  }
  return (input, from) => {
    let last = from + window - 1
    while (last < input.length) {
      const shift = shifts[((input[last - 1] ?? 0) << 8) | (input[last] ?? 0)] ?? 0
      if (shift === 0) break
      last += shift
    }
    // What is left at the end is shorter than the window, and may be the beginning of a secret.
    return last - window + 1
  }
}
