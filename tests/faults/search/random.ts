/** Numbers that are the same again for the same seed. */

export interface Dice {
  /** From 0 up to, not including, 1. */
  number(): number
  /** A whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number
  pick<T>(choices: readonly T[]): T
  chance(share: number): boolean
}

/** Mulberry32: small, well spread, and enough where nothing is secret. */
export function createDice(seed: number): Dice {
  let state = seed >>> 0
  const number = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const whole = (low: number, high: number) => low + Math.floor(number() * (high - low + 1))
  return {
    number,
    whole,
    pick(choices) {
      const choice = choices[whole(0, choices.length - 1)]
      if (choice === undefined) throw new Error('nothing to pick from')
      return choice
    },
    chance: (share) => number() < share,
  }
}
