/** What a tick may still take away from a pool, each step counted. */
import type { Draft } from './draft.ts'
import type { VictimReason } from '../intents.ts'
import { whyNotReplaced } from './launch-failures.ts'
import { budgetOf } from '../policy.ts'
import type { Placement } from './scale-out.ts'
import { membersOf, requestedOf } from './supply.ts'

export class Counts {
  /** What the group has of what it will have: a machine that has yet to be launched is none. */
  size: number
  /** By our own will under way. */
  going: number
  /** Under way to the pool, or should be: what goes for a new machine waits for those before it. */
  readonly coming: number
  /** Why nothing would come in the place of one that goes; null when it would. */
  readonly failing: string | null
  readonly budget: number
  /** At least the minimum: what may go beside it takes nothing below. */
  readonly keep: number
  /** What asks for that many. */
  readonly keptBy: string

  constructor(draft: Draft, { floor }: Placement) {
    const { sizes } = draft
    this.size = Math.min(sizes.sure, membersOf(draft))
    this.budget = budgetOf(draft.policy, Math.max(sizes.sure, 1))
    const ours = draft.units.filter(
      ({ state, memory }) =>
        memory.cordon !== null ||
        state === 'committing' ||
        (memory.committedMs !== null && (state === 'waiting' || state === 'terminating')),
    )
    this.going = ours.length
    const requested = requestedOf(draft)
    this.coming = draft.byState.booting.length + draft.byState.missing.length + requested
    this.failing = whyNotReplaced(draft.memory, requested, draft.nowMs)
    this.keep = Math.max(floor.size, sizes.min)
    this.keptBy = sizes.min > floor.size ? 'min of the group' : floor.by
  }

  /** One that is replaced is missing until its successor takes slices, and not only while it goes. */
  goingFor(reason: VictimReason): number {
    return reason === 'outdated' || reason === 'max_age' ? this.going + this.coming : this.going
  }
}
