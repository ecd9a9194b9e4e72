/** Which tests a slice runs: open, deterministic, and the same seen from every slice. */

export interface SplitItem {
  name: string
  /** How long, or how large; any unit. */
  weight: number
}

/**
 * Heaviest first, then by name, each into the bucket with the least in it, the lowest index winning a tie.
 * Equal weights make this a round robin over the sorted names.
 *
 * @param items without duplicates.
 * @returns `total` buckets; inside each the order is that of `items`.
 */
export function split(items: readonly SplitItem[], total: number): SplitItem[][] {
  const order = items
    .map((item, position) => ({ item, position }))
    .sort((a, b) => b.item.weight - a.item.weight || compareText(a.item.name, b.item.name))
  const buckets = Array.from({ length: total }, () => ({ sum: 0, members: [] as typeof order }))
  for (const each of order) {
    const lightest = buckets.reduce((least, bucket) => (bucket.sum < least.sum ? bucket : least))
    lightest.sum += each.item.weight
    lightest.members.push(each)
  }
  return buckets.map(({ members }) =>
    members.sort((a, b) => a.position - b.position).map(({ item }) => item),
  )
}

/** One name per line; blanks around it, empty lines and repetitions do not count. */
export function readNames(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim())
  return [...new Set(lines.filter((line) => line !== ''))]
}

/** What is not known weighs as much as the middle one of what is: neither nothing nor everything. */
export function weigh(
  names: readonly string[],
  weightOf: (name: string) => number | null,
): { items: SplitItem[]; unknown: string[] } {
  const weights = names.map((name) => ({ name, weight: weightOf(name) }))
  const known = weights.map(({ weight }) => weight).filter((weight) => weight !== null)
  const median = known.sort((a, b) => a - b)[Math.floor(known.length / 2)] ?? 1
  return {
    items: weights.map(({ name, weight }) => ({ name, weight: weight ?? median })),
    unknown: weights.filter(({ weight }) => weight === null).map(({ name }) => name),
  }
}

/** By code unit, so that no machine's language changes who runs what. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
