/** Tells the group that an instance may go. */
import { backoffMs, sleep, type AwsRegion } from '../../platform/index.ts'
import { pickHook, type BeatDeps, type Leaving } from './beats.ts'
import { mayHaveAction } from './hooks.ts'

export type CompleteCalls = Pick<AwsRegion, 'readMembers' | 'readHooks' | 'completeAction'>

export interface Action {
  group: string
  hook: string
  instanceId: string
}

/** `over`: nothing waited for it any more, because of us or of somebody else. */
export type Completion = 'completed' | 'over'

/** Null for an instance that is in no group. @throws CaravanError INPUT_INVALID without a hook of ours. */
export async function findAction(
  aws: Pick<CompleteCalls, 'readMembers' | 'readHooks'>,
  leaving: Pick<Leaving, 'instanceId' | 'hook' | 'transition'>,
): Promise<Action | null> {
  const { instanceId } = leaving
  const [member] = await aws.readMembers([instanceId])
  if (member === undefined) return null
  const found = pickHook(member.group, await aws.readHooks(member.group), leaving)
  return { group: member.group, hook: found.name, instanceId }
}

/** Of tries: AWS may be away for minutes, and heartbeats go on meanwhile. */
const RETRY = { baseMs: 500, maxMs: 10_000 }

/** The instance's own view may come before the action: it is tried again as long as it still can begin. */
const EARLY_MAX = 20

/** Tries until it is done, or the signal aborts. */
export async function completeAtLast(
  { aws, clock, random }: BeatDeps & { aws: CompleteCalls },
  leaving: Leaving,
  {
    signal,
    result,
    trouble,
  }: { signal: AbortSignal; result: 'CONTINUE' | 'ABANDON'; trouble: (cause: unknown) => void },
): Promise<{ hook: string; completion: Completion } | null> {
  let early = 0
  for (let tries = 0; !signal.aborted; tries += 1) {
    try {
      const action = await findAction(aws, leaving)
      if (action === null) return { hook: leaving.hook ?? '', completion: 'over' }
      const outcome = await aws.completeAction(action, result, { signal })
      if (outcome === 'done') return { hook: action.hook, completion: 'completed' }
      const [member] = await aws.readMembers([leaving.instanceId], { signal })
      early += 1
      const isHeld = member !== undefined && mayHaveAction(member.lifecycle, leaving.transition)
      if (!isHeld || early > EARLY_MAX) {
        return { hook: action.hook, completion: 'over' }
      }
    } catch (cause) {
      if (signal.aborted) return null
      trouble(cause)
    }
    await sleep(clock, backoffMs(tries, { ...RETRY, random }), signal)
  }
  return null
}
