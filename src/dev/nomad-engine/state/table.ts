/** One kind of row, by key, with the index of its last change. */
export class Table<Row extends object> {
  readonly rows = new Map<string, Row>()
  /** Of the last commit that changed this table; 0 when none has. */
  lastIndex = 0
  #sortedKeys: string[] | null = null

  get(key: string): Row | undefined {
    return this.rows.get(key)
  }

  /** Keys in order. Computed anew only after a row came or went. */
  sortedKeys(): readonly string[] {
    this.#sortedKeys ??= [...this.rows.keys()].sort()
    return this.#sortedKeys
  }

  /** Rows whose key starts with the text, in the order of their keys. */
  *startingWith(prefix: string): Iterable<Row> {
    const keys = this.sortedKeys()
    for (let index = lowerBound(keys, prefix); index < keys.length; index++) {
      const key = keys[index]
      if (key === undefined || !key.startsWith(prefix)) return
      const row = this.rows.get(key)
      if (row !== undefined) yield row
    }
  }

  /** @returns the row before and after. A patch of a row that is gone changes nothing. */
  write(
    index: number,
    write: { key: string; put?: Row; patch?: Partial<Row>; drop?: true },
  ): { before: Row | undefined; after: Row | undefined } {
    const before = this.rows.get(write.key)
    const after = write.put ?? (before && write.patch ? { ...before, ...write.patch } : undefined)
    this.lastIndex = index
    if (after !== undefined) {
      this.rows.set(write.key, after)
      if (before === undefined) this.#sortedKeys = null
    } else if (write.drop && this.rows.delete(write.key)) {
      this.#sortedKeys = null
    }
    return { before, after }
  }
}

/** First position whose key is not before the text. */
function lowerBound(keys: readonly string[], text: string): number {
  let [low, high] = [0, keys.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] ?? '') < text) low = middle + 1
    else high = middle
  }
  return low
}
