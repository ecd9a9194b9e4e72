/**
 * Machines whose launch waits for us, in a launching hook whose name begins with `caravan`: beaten for while
 * they boot, let in when their node takes work, and given up when it never comes. Pure.
 *
 * The hooks of others are theirs. Protection from scale-in begins when a machine is in service, and can not
 * be had before.
 */
import type { AwsHook } from '../../platform/index.ts'
import { act, toOpenHook, type Draft } from './draft.ts'
import { note, type Unit } from './unit.ts'
import { chooseLaunchHook } from '../lifecycle/hooks.ts'
import type { PoolMemory } from '../memory.ts'
import { COMPLETION_SHOWS_MS } from './waiting.ts'

const LAUNCHING = 'Pending:Wait'

export function handleLaunching(draft: Draft): void {
  const { memory, units, notes } = draft
  const launching = units.filter(isLaunching)
  if (launching.length === 0) return
  const choice = chooseLaunchHook(memory.hooks ?? [])
  if (choice.kind === 'several') {
    notes.push(`several launching hooks begin with "caravan": ${choice.names.join(', ')}`)
  }
  if (choice.kind !== 'one') return
  for (const unit of launching) handle(draft, unit, choice.hook)
}

function handle(draft: Draft, unit: Unit, hook: AwsHook): void {
  const { policy, nowMs, view } = draft
  const { memory, id: instanceId } = unit
  const isCompleted = memory.completedMs !== null
  if (nowMs - (memory.completedMs ?? -Infinity) < COMPLETION_SHOWS_MS) return
  // One whose node should long be there is not held any longer: it is given up, or its time runs out.
  if (unit.state === 'missing' && view.isNomadKnown) return
  const { name: pool, group } = policy
  if (!isCompleted) draft.hooks.push(toOpenHook(group, hook, instanceId, memory.firstSeenMs))
  if (unit.view.node?.status !== 'ready') return
  const reason = 'its node is ready'
  const intent = { kind: 'complete', pool, group, hook: hook.name, instanceId } as const
  act(draft, { ...intent, nodeId: null, reason }, reason)
}

/**
 * Gives up a machine whose node never came, where its launch waits for us: its group ends it, and launches
 * another.
 *
 * @returns false when it does not wait for us.
 */
export function abandonLaunch(draft: Draft, unit: Unit, reason: string): boolean {
  const hook = launchHookOf(draft.memory, unit)
  if (hook === null) return false
  const { name: pool, group } = draft.policy
  const intent = { kind: 'abandon', pool, group, hook, instanceId: unit.id, to: 'replace' } as const
  act(draft, intent, reason)
  note(unit, { completedMs: draft.nowMs, completedHook: hook })
  return true
}

function launchHookOf({ hooks }: PoolMemory, unit: Unit): string | null {
  if (!isLaunching(unit)) return null
  const choice = chooseLaunchHook(hooks ?? [])
  return choice.kind === 'one' ? choice.hook.name : null
}

function isLaunching({ view }: Unit): boolean {
  return view.member.lifecycle === LAUNCHING
}
