/** A value and what it was before: answers that lag behind the truth read the past. */

export class Timeline<Value> {
  readonly #entries: { at: number; value: Value }[]

  constructor(at: number, value: Value) {
    this.#entries = [{ at, value }]
  }

  get value(): Value {
    // The constructor puts the first one in, and none is ever taken out.
    return (this.#entries.at(-1) as { value: Value }).value
  }

  /** When the present value came. */
  get since(): number {
    return this.#entries.at(-1)?.at ?? 0
  }

  set(at: number, value: Value): void {
    this.#entries.push({ at, value })
  }

  /** @returns undefined before the first value. */
  asOf(at: number): Value | undefined {
    for (let index = this.#entries.length - 1; index >= 0; index--) {
      const entry = this.#entries[index]
      if (entry !== undefined && entry.at <= at) return entry.value
    }
    return undefined
  }
}
