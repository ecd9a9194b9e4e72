/** The source of all randomness of a run that can be repeated. */
import type { RandomSource } from '../../../src/platform/index.ts'
import { createDice } from '../../faults/search/random.ts'

/** The same numbers for the same seed. */
export function seeded(seed: number): RandomSource {
  const dice = createDice(seed)
  const number = () => dice.number()
  return {
    number,
    bytes: (size) => Uint8Array.from({ length: size }, () => Math.floor(number() * 256)),
  }
}
