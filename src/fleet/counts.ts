/** What a tick may still take away from a pool, each step counted. */
import type { Draft } from './draft.ts'
import { budgetOf } from './policy.ts'
import type { Placement } from './scale-out.ts'

export class Counts {
  /** What the group will have when all that is decided has come to pass. */
  size: number
  /** By our own will under way. */
  going: number
  readonly budget: number
  /** At least the minimum: what may go beside it takes nothing below. */
  readonly keep: number
  /** What asks for that many. */
  readonly keptBy: string

  constructor(draft: Draft, { floor }: Placement) {
    const { sizes } = draft
    this.size = sizes.sure
    this.budget = budgetOf(draft.policy, Math.max(sizes.sure, 1))
    const ours = draft.units.filter(
      ({ state, memory }) =>
        memory.cordon !== null ||
        state === 'committing' ||
        (memory.committedMs !== null && (state === 'waiting' || state === 'terminating')),
    )
    this.going = ours.length
    this.keep = Math.max(floor.size, sizes.min)
    this.keptBy = sizes.min > floor.size ? 'min of the group' : floor.by
  }
}
