/**
 * One instance on its way out: drained, beaten for, and let go when nothing runs on it.
 *
 * Nothing of it is kept in this process alone. Whoever is started anew asks the metadata service whether
 * to leave and Nomad what was drained, and does the rest.
 */
import type { NomadAllocation, NomadClient, NomadNode } from '../../nomad/index.ts'
import { backoffMs, sleep, type AwsRegion, type Clock } from '../../platform/index.ts'
import { readDrainMark, TOLD, type DrainMark } from '../drain-mark.ts'
import { keepBeating, type Leaving } from './beats.ts'
import { completeAtLast } from './complete.ts'
import { AT_ONCE_MS, drain, isDrained } from './drain.ts'
import { waitUntilEmpty } from './emptiness.ts'
import { ownNodeId } from './nodes.ts'

export type LifecycleNomad = Pick<
  NomadClient,
  'agentSelf' | 'readNode' | 'nodeAllocations' | 'drainNode' | 'watch'
>

export type LifecycleAws = Pick<
  AwsRegion,
  'readMembers' | 'readHooks' | 'heartbeat' | 'completeAction'
>

export interface LeaveDeps {
  nomad: LifecycleNomad
  aws: LifecycleAws
  clock: Clock
  random: () => number
  tell: Tell
}

/** What happens, for people and for scripts. */
export interface Tell {
  drain(nodeId: string): void
  left(allocations: readonly NomadAllocation[]): void
  beat(hook: string, capMs: number): void
  cap(hook: string, share: number, capMs: number): void
  /** The group waits no longer, whatever still runs. */
  lapsed(lifecycle: string | null): void
  empty(): void
  completed(hook: string, accepted: boolean): void
  /** @param what did not work: `nomad`, `aws` or `command`. */
  trouble(what: string, cause: unknown): void
}

export interface LeavePlan {
  instanceId: string
  hook: string | undefined
  /** Whether a hook may wait: without, the node is only drained. */
  isEnding: boolean
  /** When what still runs is stopped, so that it begins elsewhere; null lets it run to its end. */
  stopAfterMs: number | null
  /** What is stopped when so much of the hook's time is over; never when null. */
  stopAtShare: number | null
  result: 'CONTINUE' | 'ABANDON'
  /** Done when nothing runs any more, before the group is told; its failure holds up nothing. */
  beforeComplete: (signal: AbortSignal) => Promise<void>
  /** How long Nomad may be out of reach before the instance is let go all the same; null for ever. */
  giveUpMs: number | null
  /** How long after the drain a placement that was decided before it may still show; see proof.ts. */
  settleMs?: number | undefined
}

const RETRY = { baseMs: 1000, maxMs: 15_000 }

/** @returns whether it came to its end; false when the signal aborted before. */
export async function leave(
  deps: LeaveDeps,
  plan: LeavePlan,
  signal: AbortSignal,
): Promise<boolean> {
  const { clock, tell, random, aws } = deps
  const over = new AbortController()
  const until = AbortSignal.any([signal, over.signal])
  const hurry = new AbortController()
  const stop = plan.stopAfterMs === null ? null : clock.after(plan.stopAfterMs, () => hurry.abort())
  const leaving: Leaving = { instanceId: plan.instanceId, hook: plan.hook, sinceMs: clock.now() }
  // By us: that nothing waits any more is no news then.
  let isLetGo = false
  const news = {
    ...tell,
    cap(hook: string, share: number, capMs: number) {
      tell.cap(hook, share, capMs)
      if (plan.stopAtShare !== null && share >= plan.stopAtShare) hurry.abort()
    },
    over(lifecycle: string | null) {
      if (isLetGo) return
      tell.lapsed(lifecycle)
      // The machine ends within a moment: what is stopped in order tells the server, and begins elsewhere.
      if (lifecycle !== null && /^Terminat(?:ing:Proceed|ed)$/.test(lifecycle)) hurry.abort()
    },
    trouble: (cause: unknown) => tell.trouble('aws', cause),
  }
  const beating = plan.isEnding
    ? keepBeating({ aws, clock, random }, leaving, { signal: until, news })
    : Promise.resolve()
  try {
    const onDrained = (node: NomadNode) => {
      // A process before this one may have begun it.
      const mark = readDrainMark(node)
      if (mark?.by === 'lifecycle' && mark.reason !== TOLD.atRisk)
        leaving.sinceMs = Math.min(leaving.sinceMs, mark.sinceMs)
    }
    const sinceMsOf = () => leaving.sinceMs
    const emptying = { signal, hurry: hurry.signal, onDrained, sinceMsOf }
    if (!(await becomeEmpty(deps, plan, emptying))) return false
    tell.empty()
    if (!plan.isEnding) return true
    try {
      await plan.beforeComplete(signal)
    } catch (cause) {
      tell.trouble('command', cause)
    }
    isLetGo = true
    const completing = { signal, result: plan.result, trouble: news.trouble }
    const done = await completeAtLast({ aws, clock, random }, leaving, completing)
    if (done !== null) tell.completed(done.hook, done.completion === 'completed')
    return done !== null
  } finally {
    stop?.cancel()
    over.abort()
    await beating
  }
}

interface Emptying {
  signal: AbortSignal
  /** Aborts when what still runs is to be stopped. */
  hurry: AbortSignal
  onDrained: (node: NomadNode) => void
  /** Since when the instance leaves. */
  sinceMsOf: () => number
}

/** @returns false when the signal aborted before. */
async function becomeEmpty(
  deps: LeaveDeps,
  plan: LeavePlan,
  { signal, hurry, onDrained, sinceMsOf }: Emptying,
): Promise<boolean> {
  const { nomad, clock, random, tell } = deps
  let goneMs: number | null = null
  let reachedMs = clock.monotonic()
  for (let tries = 0; !signal.aborted; tries += 1) {
    try {
      const nodeId = await ownNodeId(nomad)
      const node = await nomad.readNode(nodeId)
      reachedMs = clock.monotonic()
      goneMs = node === null ? (goneMs ?? reachedMs) : null
      if (goneMs !== null && reachedMs - goneMs >= GONE_MS) return true
      if (node !== null) {
        onDrained(node)
        const how = { isUrgent: hurry.aborted, isSpot: plan.stopAfterMs !== null }
        await drainOnce(deps, node, { ...how, sinceMs: sinceMsOf() })
        const rest = AbortSignal.any(hurry.aborted ? [signal] : [signal, hurry])
        const onLeft = (left: readonly NomadAllocation[]) => tell.left(left)
        const found = await waitUntilEmpty(nomad, nodeId, {
          clock,
          signal: rest,
          onLeft,
          settleMs: plan.settleMs,
        })
        if (found === 'empty') return true
        // Somebody gave it back, or it is time to hurry: once more from the start.
        if (found !== 'gone') continue
      }
    } catch (cause) {
      if (signal.aborted) return false
      tell.trouble('nomad', cause)
      const { giveUpMs } = plan
      if (giveUpMs !== null && clock.monotonic() - reachedMs >= giveUpMs) return true
    }
    await sleep(clock, backoffMs(tries, { ...RETRY, random }), signal)
  }
  return false
}

/**
 * A node that Nomad does not know may be about to register, or was purged and lives: by then it is there
 * again, or it does not come.
 */
const GONE_MS = 60_000

async function drainOnce(
  { nomad, tell }: Pick<LeaveDeps, 'nomad' | 'tell'>,
  node: NomadNode,
  { isUrgent, isSpot, sinceMs }: { isUrgent: boolean; isSpot: boolean; sinceMs: number },
): Promise<void> {
  const leaves = isUrgent ? 'the machine is taken away' : TOLD.leaves
  const reason = isSpot ? TOLD.interrupted : leaves
  const before = readDrainMark(node)
  const wish = {
    stopAfterMs: isUrgent ? AT_ONCE_MS : null,
    // What measures the node measures it to its end.
    ignoreSystemJobs: true,
    mark: { by: 'lifecycle' as const, reason, sinceMs, wasOut: wasTakenOut(node, before) },
  }
  const told = before?.reason
  // The controller goes by what is told there.
  const isNews = told === TOLD.atRisk || (isSpot && told !== TOLD.interrupted)
  // One that is over may be of long ago: whether it speaks of now can not be told.
  if (node.DrainStrategy && isDrained(node, wish) && !isNews) return
  await drain(nomad, node.ID, wish)
  tell.drain(node.ID)
}

/** By a person. What the controller had taken out for a while it takes up again by itself. */
function wasTakenOut(node: NomadNode, mark: DrainMark | null): boolean {
  if (node.SchedulingEligibility === 'eligible') return false
  return mark === null || mark.by === 'command' || mark.wasOut === true
}
