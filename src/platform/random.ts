/** Randomness as a port, so that a test or a simulation can replay it. */

export interface RandomSource {
  /** From 0 up to but not including 1; for jitter. */
  number(): number
  /** Unpredictable; for identifiers and tokens. */
  bytes(size: number): Uint8Array
}

export const systemRandom: RandomSource = {
  number: () => Math.random(),
  // Loaded when first used: it takes 4 MB, and the reporter on each client needs none of it.
  bytes: (size) => process.getBuiltinModule('node:crypto').randomBytes(size),
}
