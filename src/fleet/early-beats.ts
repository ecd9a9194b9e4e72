/**
 * What to beat for before all is read that a decision needs. Of the group and its hooks alone it can be told
 * that a machine waits; Nomad may take seconds to answer, and the shortest hook is 30 s.
 */
import type { AwsGroup, AwsHook } from '../platform/index.ts'
import { toOpenHook, type OpenHook } from './plan/draft.ts'
import type { Heartbeats } from './heartbeats.ts'
import { chooseHook } from './lifecycle/hooks.ts'
import type { PoolMemory } from './memory.ts'
import type { PoolPolicy } from './policy.ts'

/** Adds it to what is beaten for, in the pool whose group it is. */
export function beatEarly(
  beats: Pick<Heartbeats, 'add'>,
  { policies, now }: { policies: readonly PoolPolicy[]; now: () => number },
  memory: ReadonlyMap<string, PoolMemory>,
  group: AwsGroup,
  hooks: readonly AwsHook[],
): void {
  const pool = policies.find((policy) => policy.group === group.name)?.name
  if (pool !== undefined) beats.add(pool, hooksToBeatFor(group, hooks, memory.get(pool), now()))
}

export function hooksToBeatFor(
  group: AwsGroup,
  hooks: readonly AwsHook[],
  memory: PoolMemory | undefined,
  nowMs: number,
): OpenHook[] {
  // A controller that has just taken over may be refused for longer than the shortest hook waits.
  const choice = chooseHook(hooks.length > 0 ? hooks : (memory?.hooks ?? []), undefined)
  if (choice.kind !== 'one') return []
  const { hook } = choice
  const waiting = group.instances.filter(({ lifecycle }) => lifecycle === 'Terminating:Wait')
  return waiting.flatMap(({ instanceId }) => {
    const known = memory?.units.get(instanceId)
    // A list that lags shows it once more.
    const isDone =
      known !== undefined && known.completedMs !== null && known.completedHook === hook.name
    if (isDone) return []
    return [toOpenHook(group.name, hook, instanceId, known?.waitingSinceMs ?? nowMs)]
  })
}
