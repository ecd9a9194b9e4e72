/** Which lifecycle hook is ours, and how often to beat for it. Pure. */
import type { AwsHook } from '../../platform/index.ts'

export type HookChoice =
  | { kind: 'one'; hook: AwsHook }
  | { kind: 'none' }
  /** To complete somebody else's would end what they wait for. */
  | { kind: 'several'; names: string[] }

/** Where several hooks wait for the same, ours says so in its name. */
const OUR_PREFIX = 'caravan'

/** @param wanted its name, where there is more than one. */
export function chooseHook(hooks: readonly AwsHook[], wanted: string | undefined): HookChoice {
  const terminating = hooks.filter(({ transition }) => transition === 'terminating')
  const named = terminating.filter(({ name }) =>
    wanted === undefined ? name.startsWith(OUR_PREFIX) : name === wanted,
  )
  const fitting = wanted === undefined && named.length === 0 ? terminating : named
  const [hook] = fitting
  if (hook === undefined) return { kind: 'none' }
  if (fitting.length === 1) return { kind: 'one', hook }
  return { kind: 'several', names: fitting.map(({ name }) => name) }
}

/** A third of the time, so that two may be lost; somebody may have made it shorter meanwhile. */
const BEATS_PER_TIMEOUT = 3
const BEAT_MIN_MS = 1000

export function beatEveryMs({ timeoutMs }: Pick<AwsHook, 'timeoutMs'>): number {
  return Math.max(BEAT_MIN_MS, timeoutMs / BEATS_PER_TIMEOUT)
}

/** A group tells these before it lets the hook's time begin. */
const BEFORE = /^(?:InService|Standby|EnteringStandby|Pending.*|Warmed:.*|Terminating)$/

/** Whether an instance in this state may still have an action to beat for or to complete. */
export function mayHaveAction(lifecycle: string): boolean {
  return lifecycle.endsWith(':Wait') || BEFORE.test(lifecycle)
}
