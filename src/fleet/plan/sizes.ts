/** What the group has and will have, when its answers lag behind our calls. Pure. */
import type { AwsGroup } from '../../platform/index.ts'
import type { Sizes } from './draft.ts'
import type { Unit } from './unit.ts'
import type { PoolMemory } from '../memory.ts'
import type { PoolPolicy } from '../policy.ts'

/** A change that was accepted shows within seconds; lists have been seen to lag by up to this. */
const LAG_MS = 60_000

/** Later it is not what we asked for that shows. */
const ASKED_MS = 10 * 60_000

/** Whoever else changed the size may do so again: nothing is taken away meanwhile. */
export const FOREIGN_HOLD_MS = 60_000

export function findSizes(
  group: AwsGroup,
  units: readonly Unit[],
  policy: PoolPolicy,
  memory: PoolMemory,
  nowMs: number,
): Sizes {
  const unseen = units.filter(
    ({ state, memory: { committedMs, isDecremented } }) =>
      state === 'committing' && isDecremented && nowMs - (committedMs ?? 0) < LAG_MS,
  ).length
  const sure = group.desired - unseen
  const { asked } = memory
  const isFresh = asked !== null && nowMs - asked.atMs < LAG_MS
  return {
    min: Math.max(policy.min, group.min),
    max: Math.min(policy.max, group.max),
    sure,
    asked: isFresh ? Math.max(group.desired, asked.desired) : group.desired,
  }
}

/**
 * Changes the memory by the desired size that is seen now.
 *
 * @returns a sentence when somebody else changed it.
 */
export function noteDesired(
  { desired }: AwsGroup,
  memory: PoolMemory,
  nowMs: number,
): string | null {
  const before = memory.seenDesired
  memory.seenDesired = desired
  if (before === null || before === desired) return null
  // Each of ours that goes may have taken one off, at any time since the last look.
  const going = [...memory.units.values()].filter(({ isDecremented }) => isDecremented).length
  const { asked } = memory
  const bases = asked !== null && nowMs - asked.atMs < ASKED_MS ? [before, asked.desired] : [before]
  if (bases.some((base) => desired <= base && base - desired <= going)) return null
  memory.foreignMs = nowMs
  return `somebody else changed the desired size from ${before} to ${desired}`
}
