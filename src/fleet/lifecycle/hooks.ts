/** Which lifecycle hook is ours, and how often to beat for it: one rule, for all that ask. Pure. */
import type { AwsHook } from '../../platform/index.ts'

export type Transition = AwsHook['transition']

export type HookChoice =
  | { kind: 'one'; hook: AwsHook }
  | { kind: 'none' }
  /** To complete somebody else's would end what they wait for. */
  | { kind: 'several'; names: string[] }

/** Where several hooks wait for the same, ours says so in its name. */
const OUR_PREFIX = 'caravan'

/**
 * The terminating hook that is ours: the one whose name begins with `caravan`, or the only one there is.
 *
 * @param wanted its name, where somebody says it.
 */
export function chooseHook(hooks: readonly AwsHook[], wanted: string | undefined): HookChoice {
  const terminating = hooks.filter(({ transition }) => transition === 'terminating')
  const named = terminating.filter(({ name }) =>
    wanted === undefined ? isOurs(name) : name === wanted,
  )
  return oneOf(wanted === undefined && named.length === 0 ? terminating : named)
}

/**
 * The launching hook that is ours: its name begins with `caravan`, also when it is the only one. A machine
 * that somebody else still sets up would be let in too early.
 */
export function chooseLaunchHook(hooks: readonly AwsHook[]): HookChoice {
  return oneOf(hooks.filter(({ transition, name }) => transition === 'launching' && isOurs(name)))
}

function isOurs(name: string): boolean {
  return name.startsWith(OUR_PREFIX)
}

function oneOf(fitting: readonly AwsHook[]): HookChoice {
  const [hook] = fitting
  if (hook === undefined) return { kind: 'none' }
  if (fitting.length === 1) return { kind: 'one', hook }
  return { kind: 'several', names: fitting.map(({ name }) => name) }
}

/** A third of the time, so that two may be lost; somebody may have made it shorter meanwhile. */
const BEATS_PER_TIMEOUT = 3
const BEAT_MIN_MS = 1000

/** Of all timeouts that Auto Scaling takes: what one that could not be read may have become. */
export const SHORTEST_TIMEOUT_MS = 30_000

export function beatEveryMs({ timeoutMs }: Pick<AwsHook, 'timeoutMs'>): number {
  return Math.max(BEAT_MIN_MS, timeoutMs / BEATS_PER_TIMEOUT)
}

/** A group tells these before it lets the hook's time begin, or while it does. */
const HOLDS: Readonly<Record<Transition, RegExp>> = {
  terminating: /:Wait$|^(?:InService|Standby|EnteringStandby|Pending.*|Warmed:.*|Terminating)$/,
  launching: /^Pending(?::Wait)?$/,
}

/** Whether an instance in this state may still have an action to beat for or to complete. */
export function mayHaveAction(lifecycle: string, transition: Transition = 'terminating'): boolean {
  return HOLDS[transition].test(lifecycle)
}
