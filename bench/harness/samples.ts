/** Measurements of one thing, and how peers are measured on a machine that is never quiet. */

/** @returns what was measured, such as milliseconds. */
export type Contenders<Name extends string> = Readonly<Record<Name, () => number | Promise<number>>>

export interface InterleaveOptions {
  rounds: number
  /** Rounds before those that count, for compilers and caches. */
  warmups?: number
  /** What the numbers are, such as `ms`. */
  unit: string
}

/** At least one measurement, in the order in which they were made. */
export class Samples {
  readonly values: readonly number[]
  readonly #sorted: readonly number[]

  /** @throws RangeError when there is none. */
  constructor(values: readonly number[]) {
    if (values.length === 0) throw new RangeError('nothing was measured')
    this.values = values
    this.#sorted = values.toSorted((a, b) => a - b)
  }

  get count(): number {
    return this.values.length
  }

  get min(): number {
    return this.#sorted[0] ?? Number.NaN
  }

  get max(): number {
    return this.#sorted.at(-1) ?? Number.NaN
  }

  /** The mean of the middle two when their number is even. */
  get median(): number {
    const half = (this.count - 1) / 2
    return ((this.#sorted[Math.floor(half)] ?? 0) + (this.#sorted[Math.ceil(half)] ?? 0)) / 2
  }

  /** The smallest value that 99 of 100 do not exceed. Of fewer than 100 it is the largest. */
  get p99(): number {
    return this.#sorted[Math.ceil(this.count * 0.99) - 1] ?? Number.NaN
  }

  /**
   * The samples of two peers, round by round: what disturbed a round has disturbed both of them, so
   * the median of this is steadier than what comes of two medians.
   */
  with(peer: Samples, combine: (own: number, other: number) => number): Samples {
    return new Samples(
      this.values
        .slice(0, peer.count)
        .map((value, round) => combine(value, peer.values[round] ?? Number.NaN)),
    )
  }

  /** How many times the peer it is. */
  ratioTo(peer: Samples): number {
    return this.with(peer, (own, other) => own / other).median
  }
}

/** One after the other in each round, A B A B ..., so that a slow minute of the machine hits them all. */
export async function interleave<Name extends string>(
  contenders: Contenders<Name>,
  { rounds, warmups = 0 }: Pick<InterleaveOptions, 'rounds' | 'warmups'>,
): Promise<Record<Name, Samples>> {
  const names = Object.keys(contenders) as Name[]
  const measured = new Map<Name, number[]>(names.map((name) => [name, []]))
  for (let round = -warmups; round < rounds; round++) {
    for (const name of names) {
      const value = await contenders[name]()
      if (round >= 0) measured.get(name)?.push(value)
    }
  }
  const samples = names.map((name) => [name, new Samples(measured.get(name) ?? [])] as const)
  return Object.fromEntries(samples) as Record<Name, Samples>
}
