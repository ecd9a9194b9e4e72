/** Quantiles of run times, also of those that have run for a while. Pure. */
import type { Prediction } from '../../model/index.ts'

/**
 * How long it takes from now, given that it took `ageMs` so far; null when nothing ever took longer.
 *
 * @param sorted run times in milliseconds, shortest first.
 */
export function predict(sorted: readonly number[], ageMs: number): Prediction | null {
  const first = countUpTo(sorted, ageMs)
  const samples = sorted.length - first
  if (samples === 0) return null
  // The nearest rank: always a time that was seen.
  const at = (share: number) => {
    const rank = Math.max(1, Math.ceil(share * samples))
    return ((sorted[first + rank - 1] ?? 0) - ageMs) / 1000
  }
  return { p50: at(0.5), p80: at(0.8), p95: at(0.95), samples }
}

/** How many are no longer than this; of a slice that has not begun, none is. */
function countUpTo(sorted: readonly number[], ageMs: number): number {
  if (ageMs <= 0) return 0
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle] ?? 0) <= ageMs) low = middle + 1
    else high = middle
  }
  return low
}
