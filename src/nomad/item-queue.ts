/** Hands items from one who never waits to one who takes them in order, up to a weight. */
export class ItemQueue<Item> implements AsyncIterable<Item> {
  readonly #weightMax: number
  #items: { item: Item; weight: number }[] = []
  #weight = 0
  #end: { error?: unknown } | null = null
  #wake = () => {}

  constructor(weightMax: number) {
    this.#weightMax = weightMax
  }

  /** @returns false, and keeps nothing, when the queue would grow too heavy. */
  push(item: Item, weight: number): boolean {
    if (this.#items.length > 0 && this.#weight + weight > this.#weightMax) return false
    this.#items.push({ item, weight })
    this.#weight += weight
    this.#wake()
    return true
  }

  clear(): void {
    this.#items = []
    this.#weight = 0
  }

  /** The reader gets what is queued, then the error, or the end. */
  end(error?: unknown): void {
    this.#end ??= { error }
    this.#wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item> {
    for (;;) {
      const next = this.#items.shift()
      if (next) {
        this.#weight -= next.weight
        yield next.item
      } else if (this.#end) {
        if (this.#end.error !== undefined) throw this.#end.error
        return
      } else {
        await new Promise<void>((resolve) => (this.#wake = resolve))
      }
    }
  }
}
