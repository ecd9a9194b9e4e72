/** May a failed allocation be placed again, and when? */
import type { Allocation, RescheduleTracker } from '../objects/allocation.ts'
import { groupOf } from '../objects/allocation.ts'
import type { ReschedulePolicy } from '../objects/job.ts'
import { fromNanoseconds, toNanoseconds } from '../objects/values.ts'

export type Reschedule = { when: 'never' } | { when: 'at'; atMs: number; delayNs: number }

/** Attempts that are remembered with an allocation; an unlimited policy must not grow it for ever. */
const EVENTS_MAX = 5

/** Judged from the policy of the job version that the allocation was made from. */
export function nextReschedule(allocation: Allocation, nowMs: number): Reschedule {
  const policy = groupOf(allocation)?.ReschedulePolicy
  if (!policy) return { when: 'never' }
  const events = allocation.RescheduleTracker?.Events ?? []
  const since = toNanoseconds(nowMs) - policy.Interval
  const attempts = events.filter((event) => event.RescheduleTime >= since).length
  if (!policy.Unlimited && attempts >= policy.Attempts) return { when: 'never' }
  const delayNs = delayOf(policy, events.length)
  return { when: 'at', delayNs, atMs: fromNanoseconds(allocation.ModifyTime + delayNs) }
}

/** What the replacement remembers. */
export function trackReschedule(
  previous: Allocation,
  nowMs: number,
  delayNs: number,
): RescheduleTracker {
  const event = {
    RescheduleTime: toNanoseconds(nowMs),
    PrevAllocID: previous.ID,
    PrevNodeID: previous.NodeID,
    Delay: delayNs,
  }
  const before = previous.RescheduleTracker?.Events ?? []
  return { Events: [...before, event].slice(-EVENTS_MAX), LastReschedule: 'ok' }
}

/** @param count how often it was placed again already. */
function delayOf(policy: ReschedulePolicy, count: number): number {
  const raw = rawDelay(policy, count)
  return policy.MaxDelay > 0 && policy.DelayFunction !== 'constant'
    ? Math.min(raw, policy.MaxDelay)
    : raw
}

function rawDelay(policy: ReschedulePolicy, count: number): number {
  // Past this point every delay is at its maximum anyway, and doubles would overflow.
  const steps = Math.min(count, 50)
  if (policy.DelayFunction === 'exponential') return policy.Delay * 2 ** steps
  if (policy.DelayFunction !== 'fibonacci') return policy.Delay
  let [previous, current] = [0, policy.Delay]
  for (let step = 0; step < steps; step++) [previous, current] = [current, previous + current]
  return current
}
