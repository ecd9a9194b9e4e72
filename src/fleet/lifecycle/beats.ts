/**
 * Heartbeats for one instance, on a timer of their own: whatever else hangs, these go on.
 *
 * The hook is read again before each beat, since somebody may make its time shorter meanwhile; one that
 * can not be read is taken for the shortest there is.
 */
import {
  backoffMs,
  sleep,
  type AwsHook,
  type AwsMember,
  type AwsRegion,
  type Clock,
} from '../../platform/index.ts'
import { CaravanError } from '../../model/index.ts'
import {
  beatEveryMs,
  chooseHook,
  chooseLaunchHook,
  mayHaveAction,
  SHORTEST_TIMEOUT_MS,
  type Transition,
} from './hooks.ts'

export type BeatCalls = Pick<AwsRegion, 'readMembers' | 'readHooks' | 'heartbeat'>

export interface BeatDeps {
  aws: BeatCalls
  clock: Clock
  /** From 0 up to 1. */
  random: () => number
}

export interface Leaving {
  instanceId: string
  /** Which hook, where a group has several. */
  hook: string | undefined
  /** Which way it goes; out when absent. */
  transition?: Transition
  /** When the wait began, as far as we know; milliseconds since 1970. */
  sinceMs: number
}

export interface BeatNews {
  beat(hook: string, capMs: number): void
  /** So much of the hook's whole time is over; once for each share. */
  cap(hook: string, share: number, capMs: number): void
  /** The group waits for nothing any more. @param lifecycle its state; null when it is in no group. */
  over(lifecycle: string | null): void
  trouble(cause: unknown): void
}

/** At the first it is time to look, at the second to do something. */
const CAP_SHARES = [0.8, 0.95]

/** While the action has not begun, or beats fail: ten tries fit into the shortest time that a hook can have. */
const RETRY = { baseMs: 500, maxMs: 3000 }

/** An answer without the instance may be one that came too early or from too far. */
const ABSENT_MAX = 3

/**
 * Beats until the signal aborts, or until the group says that nothing waits for the instance any more.
 */
export async function keepBeating(
  deps: BeatDeps,
  leaving: Leaving,
  { signal, news }: { signal: AbortSignal; news: BeatNews },
): Promise<void> {
  const beat = createBeat(deps, leaving, news)
  for (let failures = 0; !signal.aborted;) {
    let waitMs: number | null
    try {
      waitMs = await beat(signal)
      failures = waitMs === null ? failures + 1 : 0
    } catch (cause) {
      if (signal.aborted) return
      news.trouble(cause)
      waitMs = null
      failures += 1
    }
    if (waitMs === Infinity) return
    const pauseMs = waitMs ?? backoffMs(failures, { ...RETRY, random: deps.random })
    await sleep(deps.clock, pauseMs, signal)
  }
}

/** @returns how long to wait for the next one: null for soon, Infinity when it is all over. */
function createBeat({ aws, clock, random }: BeatDeps, leaving: Leaving, news: BeatNews) {
  const { instanceId, sinceMs, transition } = leaving
  let group: string | null = null
  let hook: AwsHook | null = null
  let absent = 0
  const warned = new Set<number>()

  const findMember = async (signal: AbortSignal): Promise<AwsMember | null> => {
    const [member] = await aws.readMembers([instanceId], { signal })
    absent = member === undefined ? absent + 1 : 0
    group = member?.group ?? group
    return member ?? null
  }

  const readHook = async (name: string, signal: AbortSignal): Promise<AwsHook> => {
    try {
      hook = pickHook(name, await aws.readHooks(name, { signal }), leaving)
      return hook
    } catch (cause) {
      if (hook === null || signal.aborted) throw cause
      news.trouble(cause)
      return { ...hook, timeoutMs: Math.min(hook.timeoutMs, SHORTEST_TIMEOUT_MS) }
    }
  }

  const end = (lifecycle: string | null): number => {
    news.over(lifecycle)
    return Infinity
  }

  return async (signal: AbortSignal): Promise<number | null> => {
    if (group === null) await findMember(signal)
    if (group === null) return absent >= ABSENT_MAX ? end(null) : null
    const { name, timeoutMs, capMs } = await readHook(group, signal)
    const outcome = await aws.heartbeat({ group, hook: name, instanceId }, { signal })
    if (outcome === 'no_action') {
      const member = await findMember(signal)
      if (member === null) return absent >= ABSENT_MAX ? end(null) : null
      return mayHaveAction(member.lifecycle, transition) ? null : end(member.lifecycle)
    }
    const elapsedMs = Math.max(0, clock.now() - sinceMs)
    const leftMs = Math.max(0, capMs - elapsedMs)
    news.beat(name, leftMs)
    for (const share of CAP_SHARES) {
      if (elapsedMs < share * capMs || warned.has(share)) continue
      warned.add(share)
      news.cap(name, share, leftMs)
    }
    // Never in step with a hundred others that were told in the same second.
    return beatEveryMs({ timeoutMs }) * (0.8 + 0.2 * random())
  }
}

/** @throws CaravanError INPUT_INVALID when nobody can tell which hook is ours. */
export function pickHook(
  group: string,
  hooks: readonly AwsHook[],
  { hook: wanted, transition = 'terminating' }: Pick<Leaving, 'hook' | 'transition'>,
): AwsHook {
  const choice = transition === 'terminating' ? chooseHook(hooks, wanted) : chooseLaunchHook(hooks)
  if (choice.kind === 'one') return choice.hook
  const what =
    choice.kind === 'none'
      ? `the group ${group} has no ${transition} lifecycle hook${wanted === undefined ? '' : ` ${wanted}`} of ours`
      : `the group ${group} has several ${transition} hooks (${choice.names.join(', ')}): name ours with --hook`
  throw new CaravanError('INPUT_INVALID', what)
}
