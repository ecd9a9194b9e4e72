/** A plan while it is being made: its parts add to it. */
import type { AwsHook } from '../../platform/index.ts'
import type { Intent } from '../intents.ts'
import { subjectOf } from '../intents.ts'
import type { Unit, UnitsByState } from './unit.ts'
import type { PoolMemory } from '../memory.ts'
import type { PoolPolicy } from '../policy.ts'
import type { PoolWhy } from '../ports.ts'
import type { PoolView } from '../view.ts'

/** What a person should know, once. */
export interface Alarm {
  /** The same trouble has the same key. */
  key: string
  text: string
  about: string
}

/** A termination, or a launch, that waits for us: it needs a heartbeat until it is completed. */
export interface OpenHook {
  group: string
  hook: string
  transition: AwsHook['transition']
  instanceId: string
  timeoutMs: number
  /** When Auto Scaling goes on whatever we do. */
  capAtMs: number
}

/** @param sinceMs when the wait began. */
export function toOpenHook(
  group: string,
  { name: hook, transition, timeoutMs, capMs }: AwsHook,
  instanceId: string,
  sinceMs: number,
): OpenHook {
  return { group, hook, transition, instanceId, timeoutMs, capAtMs: sinceMs + capMs }
}

export interface Draft {
  view: PoolView
  policy: PoolPolicy
  /** Of the plan's own: may be changed. */
  memory: PoolMemory
  units: Unit[]
  /** The same ones: most questions are about a few of them. */
  byState: UnitsByState
  nowMs: number
  sizes: Sizes
  intents: Intent[]
  hooks: OpenHook[]
  alarms: Alarm[]
  notes: string[]
  actions: PoolWhy['actions']
}

export interface Sizes {
  /** Never below or above these by our hand. */
  min: number
  max: number
  /** What the group will have when all that was accepted has shown: for deciding what may go. */
  sure: number
  /** The most that it may have been told to have: for deciding what to ask for. */
  asked: number
}

export function act(draft: Draft, intent: Intent, reason: string): void {
  draft.intents.push(intent)
  draft.actions.push({ kind: intent.kind, about: subjectOf(intent), reason })
}
