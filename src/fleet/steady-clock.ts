/**
 * The time that the fleet counts with: the wall clock of the start, and from there on the clock that never
 * jumps. A correction of the wall clock then neither ends a wait early nor makes a deadline pass.
 */
import type { Clock } from '../platform/index.ts'

export function createSteadyTime(clock: Clock): () => number {
  const offset = clock.now() - clock.monotonic()
  return () => Math.round(clock.monotonic() + offset)
}
