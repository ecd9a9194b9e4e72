/** What the world tells: for the log of a rehearsal, for the machines behind the instances, for tests. */
import type { ActionResult, LifecycleState, MachineState, Transition } from './states.ts'
import type { Activity, World } from './world.ts'

export type WorldEvent = { readonly at: number } & WorldNews

export type WorldNews =
  | { type: 'group'; group: string; change: 'created' | 'updated' | 'deleting' | 'deleted' }
  | { type: 'desired'; group: string; from: number; to: number }
  | { type: 'machine'; instance: string; group: string | null; state: MachineState }
  | { type: 'booted'; instance: string; group: string | null }
  | {
      type: 'state'
      instance: string
      group: string
      from: LifecycleState | null
      to: LifecycleState
    }
  | {
      type: 'action-opened'
      instance: string
      group: string
      hook: string
      token: string
      transition: Transition
      deadlineAt: number
      capAt: number
    }
  | { type: 'heartbeat'; instance: string; group: string; hook: string; deadlineAt: number }
  | {
      type: 'action-closed'
      instance: string
      group: string
      hook: string
      result: ActionResult
      by: ClosedBy
    }
  | { type: 'activity'; activity: Readonly<Activity> }
  | { type: 'protection'; instance: string; group: string; isProtected: boolean }
  | { type: 'spot-notice'; instance: string; time: number }
  | { type: 'rebalance-recommendation'; instance: string }
  | { type: 'unhealthy'; instance: string; group: string }

/** `timeout`: no heartbeat came in time. `cap`: the hook's global timeout has passed. */
export type ClosedBy =
  | 'complete'
  | 'timeout'
  | 'cap'
  | 'hook deleted'
  | 'other hook'
  | 'termination'

export function tell(world: World, news: WorldNews): void {
  world.outbox.push({ at: world.now, ...news })
}
