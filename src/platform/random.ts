/** Randomness as a port, so that a test or a simulation can replay it. */
import { randomBytes } from 'node:crypto'

export interface RandomSource {
  /** From 0 up to but not including 1; for jitter. */
  number(): number
  /** Unpredictable; for identifiers and tokens. */
  bytes(size: number): Uint8Array
}

export const systemRandom: RandomSource = {
  number: () => Math.random(),
  bytes: (size) => randomBytes(size),
}
