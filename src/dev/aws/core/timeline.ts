/** A value and what it was before: answers that lag behind the truth read the past. */

export class Timeline<Value> {
  /** The present one apart: nearly all questions are about it. */
  #value: Value
  #since: number
  readonly #past: { at: number; value: Value }[] = []

  constructor(at: number, value: Value) {
    this.#value = value
    this.#since = at
  }

  get value(): Value {
    return this.#value
  }

  /** When the present value came. */
  get since(): number {
    return this.#since
  }

  set(at: number, value: Value): void {
    this.#past.push({ at: this.#since, value: this.#value })
    this.#value = value
    this.#since = at
  }

  /** @returns undefined before the first value. */
  asOf(at: number): Value | undefined {
    if (this.#since <= at) return this.#value
    return this.#past.findLast((entry) => entry.at <= at)?.value
  }
}
