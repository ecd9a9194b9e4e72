/**
 * Looks become rarer while AWS throttles. A bucket that is empty is not filled by asking, and whoever takes
 * every token for looking has none left for doing something.
 */
import { awsProblemOf, type Clock } from '../platform/index.ts'
import type { FleetGroups } from './ports.ts'

export interface Pace {
  /** The same calls; those that AWS throttles are noted. */
  watch(aws: FleetGroups): FleetGroups
  /** How long to rest at least, after a tick: it counts from when the groups were read, or should have been. */
  restMs(): number
}

const LEAST_MS = 1000
/** Hooks are beaten for meanwhile, on timers of their own; all else may wait so long. */
const MOST_MS = 15_000
/** Slower down than up: the first look that succeeds must not empty the bucket again. */
const UP = 2
const DOWN = 0.8

export function createPace(clock: Pick<Clock, 'monotonic'>): Pace {
  let restMs = 0
  let readMs = -Infinity
  let isThrottled = false
  const note =
    <Args extends unknown[], Answer>(call: (...args: Args) => Promise<Answer>) =>
    (...args: Args): Promise<Answer> => {
      const answer = call(...args)
      answer.catch((error: unknown) => {
        isThrottled ||= awsProblemOf(error) === 'throttled'
      })
      return answer
    }
  const noteRead = () => {
    readMs = clock.monotonic()
  }
  return {
    watch: (aws) => ({
      region: aws.region,
      readGroups: note((...args) => aws.readGroups(...args).finally(noteRead)),
      readMembers: note(aws.readMembers),
      readHooks: note(aws.readHooks),
      readActivities: note(aws.readActivities),
      isRefreshing: note(aws.isRefreshing),
      setDesired: note(aws.setDesired),
      terminateInGroup: note(aws.terminateInGroup),
      setProtection: note(aws.setProtection),
      heartbeat: note(aws.heartbeat),
      completeAction: note(aws.completeAction),
      readInstances: note(aws.readInstances),
      findInstances: note(aws.findInstances),
      terminateInstance: note(aws.terminateInstance),
      readTemplateVersion: note(aws.readTemplateVersion),
    }),
    restMs() {
      if (isThrottled) restMs = Math.min(MOST_MS, Math.max(LEAST_MS, restMs * UP))
      else restMs = restMs * DOWN < LEAST_MS ? 0 : restMs * DOWN
      isThrottled = false
      // A look that has waited for Nomad since has asked AWS for nothing meanwhile.
      return Math.max(0, restMs - (clock.monotonic() - readMs))
    },
  }
}
