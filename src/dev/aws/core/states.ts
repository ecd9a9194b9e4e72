/**
 * The states of an instance in its group.
 *
 * - `Pending`, `:Wait`, `:Proceed`: launched; waits for the launch hooks; is about to serve.
 * - `InService`: serves and is counted. Protection and the health grace period begin here.
 * - `Terminating`, `:Wait`, `:Proceed`: never comes back; waits for the terminate hooks; its machine is
 *   being ended. `:Retained` keeps the machine of an abandoned hook until somebody ends it by hand.
 * - `EnteringStandby`, `Standby`: keeps its machine, is neither counted nor chosen.
 * - `Detaching`, `Detached`: leaves the group with its machine running.
 * - `Warmed:*`: prepared ahead in the warm pool, apart from the group's own capacity.
 */
export type LifecycleState =
  | 'Pending'
  | 'Pending:Wait'
  | 'Pending:Proceed'
  | 'InService'
  | 'Terminating'
  | 'Terminating:Wait'
  | 'Terminating:Proceed'
  | 'Terminating:Retained'
  | 'Terminated'
  | 'EnteringStandby'
  | 'Standby'
  | 'Detaching'
  | 'Detached'
  | 'Warmed:Pending'
  | 'Warmed:Pending:Wait'
  | 'Warmed:Pending:Proceed'
  | 'Warmed:Stopped'
  | 'Warmed:Running'
  | 'Warmed:Hibernated'
  | 'Warmed:Terminating'
  | 'Warmed:Terminating:Wait'
  | 'Warmed:Terminating:Proceed'
  | 'Warmed:Terminated'

const WARMED = ['Warmed:Stopped', 'Warmed:Running', 'Warmed:Hibernated'] as const

/** What may follow. A state that is not named on the right can not be reached from the left. */
export const TRANSITIONS: Readonly<Record<LifecycleState, readonly LifecycleState[]>> = {
  Pending: ['Pending:Wait', 'InService', 'Terminating'],
  'Pending:Wait': ['Pending:Proceed', 'Terminating'],
  'Pending:Proceed': ['InService', 'Terminating'],
  InService: ['Terminating', 'EnteringStandby', 'Detaching', 'Warmed:Pending'],
  Terminating: ['Terminating:Wait', 'Terminated'],
  'Terminating:Wait': ['Terminating:Proceed', 'Terminating:Retained', 'Warmed:Pending'],
  'Terminating:Proceed': ['Terminated'],
  'Terminating:Retained': ['Terminating:Proceed'],
  Terminated: [],
  EnteringStandby: ['Standby', 'Terminating'],
  Standby: ['Pending', 'Terminating', 'Detaching'],
  Detaching: ['Detached'],
  Detached: [],
  'Warmed:Pending': ['Warmed:Pending:Wait', ...WARMED, 'Warmed:Terminating'],
  'Warmed:Pending:Wait': ['Warmed:Pending:Proceed', 'Warmed:Terminating'],
  'Warmed:Pending:Proceed': [...WARMED, 'Warmed:Terminating'],
  'Warmed:Stopped': ['Pending', 'Warmed:Terminating'],
  'Warmed:Running': ['Pending', 'Warmed:Terminating'],
  'Warmed:Hibernated': ['Pending', 'Warmed:Terminating'],
  'Warmed:Terminating': ['Warmed:Terminating:Wait', 'Warmed:Terminated'],
  'Warmed:Terminating:Wait': ['Warmed:Terminating:Proceed'],
  'Warmed:Terminating:Proceed': ['Warmed:Terminated'],
  'Warmed:Terminated': [],
}

/** Counted against the desired capacity. */
export function isCounted(state: LifecycleState): boolean {
  return state === 'InService' || state.startsWith('Pending')
}

/** On its way out, for good. */
export function isLeaving(state: LifecycleState): boolean {
  return state.includes('Terminat') || state.startsWith('Detach')
}

export function isWarm(state: LifecycleState): boolean {
  return state.startsWith('Warmed:')
}

export function isWaiting(state: LifecycleState): boolean {
  return state.endsWith(':Wait')
}

/** EC2's own states of a machine, with their codes. */
export const MACHINE_STATES = {
  pending: 0,
  running: 16,
  'shutting-down': 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
} as const
export type MachineState = keyof typeof MACHINE_STATES

export type Transition =
  | 'autoscaling:EC2_INSTANCE_LAUNCHING'
  | 'autoscaling:EC2_INSTANCE_TERMINATING'

export type ActionResult = 'CONTINUE' | 'ABANDON'
