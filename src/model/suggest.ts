/** "Did you mean": the known name that a misspelt one most likely stands for. */

/** Longer names are no slips of a known one, and the search is quadratic in the length. */
const NAME_CHARS_MAX = 40

/** @returns null when none of the known names is near. */
export function suggest(name: string, known: Iterable<string>): string | null {
  if (name.length > NAME_CHARS_MAX) return null
  const wanted = plainForm(name)
  let best: { candidate: string; distance: number } | null = null
  for (const candidate of known) {
    const form = plainForm(candidate)
    // An abbreviation, such as `env` for `environment`, is far in letters and near in meaning.
    const short = wanted.length >= 3 && form.startsWith(wanted)
    const distanceMax = Math.max(1, Math.floor(form.length / 3))
    if (!short && Math.abs(wanted.length - form.length) > distanceMax) continue
    const distance = short ? 1 : editDistance(wanted, form)
    if (distance <= distanceMax && (best === null || distance < best.distance))
      best = { candidate, distance }
  }
  return best?.candidate ?? null
}

/** `workingDirectory`, `working-directory` and `working_directory` are spellings of one name. */
function plainForm(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
}

/** Insertions, deletions, replacements and swaps of neighbours that make one text of the other. */
function editDistance(from: string, to: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= from.length; i++) {
    const row = [i]
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1]
      let cost = Math.min(
        (last[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (last[j - 1] ?? 0) + (same ? 0 : 1),
      )
      const swapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]
      if (swapped) cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1)
      row.push(cost)
    }
    beforeLast = last
    last = row
  }
  return last[to.length] ?? 0
}
