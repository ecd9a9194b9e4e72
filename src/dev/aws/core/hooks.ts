/**
 * Lifecycle hooks: an instance waits until every hook of its transition has been completed, one has been
 * abandoned, or the time is up.
 */
import { setActivity } from './activities.ts'
import { tell } from './events.ts'
import type { ClosedBy } from './events.ts'
import { createUuid } from './identifiers.ts'
import { setState } from './members.ts'
import type { ActionResult, LifecycleState, Transition } from './states.ts'
import type { Group, Hook, LifecycleAction, Member, World } from './world.ts'

/** However many heartbeats come: so many times the hook's timeout, */
const CAP_HEARTBEATS = 100
/** and two days at most. */
const CAP_SECONDS = 172_800

export function globalTimeoutSeconds(hook: Pick<Hook, 'heartbeatSeconds'>): number {
  return Math.min(CAP_SECONDS, CAP_HEARTBEATS * hook.heartbeatSeconds)
}

/** Puts the member into a wait if its group has hooks for it. @returns whether it waits. */
export function openActions(
  world: World,
  member: Member,
  transition: Transition,
  wait: LifecycleState,
): boolean {
  const hooks = [...member.group.hooks.values()].filter((hook) => hook.transition === transition)
  if (hooks.length === 0) return false
  setState(world, member, wait)
  setActivity(world, member.activity, 'MidLifecycleAction', { progress: 50 })
  member.actions = hooks.map((hook) => openAction(world, member, hook))
  return true
}

function openAction(world: World, member: Member, hook: Hook): LifecycleAction {
  const { group, machine } = member
  const action: LifecycleAction = {
    hook: hook.name,
    token: createUuid(world),
    startedAt: world.now,
    deadlineAt: world.now + hook.heartbeatSeconds * 1000,
    result: null,
  }
  group.openActions.set(action.token, { member, action })
  world.agenda.add(action.deadlineAt, {
    kind: 'action-expires',
    instance: machine.id,
    token: action.token,
  })
  tell(world, {
    type: 'action-opened',
    instance: machine.id,
    group: group.name,
    hook: hook.name,
    token: action.token,
    transition: hook.transition,
    deadlineAt: action.deadlineAt,
    capAt: capOf(action, hook),
  })
  return action
}

/** A hook whose timeout was changed counts with the new one from the next heartbeat on. */
export function recordHeartbeat(
  world: World,
  member: Member,
  action: LifecycleAction,
  hook: Hook,
): void {
  const wanted = world.now + hook.heartbeatSeconds * 1000
  action.deadlineAt = Math.min(wanted, capOf(action, hook))
  world.agenda.add(action.deadlineAt, {
    kind: 'action-expires',
    instance: member.machine.id,
    token: action.token,
  })
  tell(world, {
    type: 'heartbeat',
    instance: member.machine.id,
    group: member.group.name,
    hook: hook.name,
    deadlineAt: action.deadlineAt,
  })
}

function capOf(action: LifecycleAction, hook: Hook): number {
  return action.startedAt + globalTimeoutSeconds(hook) * 1000
}

/** What the wait came to, or null while another hook still holds the instance. */
export type WaitOutcome = { result: ActionResult; by: ClosedBy; token: string } | null

/** The wait ends with the last CONTINUE or the first ABANDON. */
export function closeAction(
  world: World,
  member: Member,
  action: LifecycleAction,
  closing: { result: ActionResult; by: ClosedBy },
): WaitOutcome {
  settle(world, member, action, closing)
  const { result, by } = closing
  const isOver = result === 'ABANDON' || member.actions.every((each) => each.result !== null)
  if (!isOver) return null
  for (const other of member.actions) {
    if (other.result === null) settle(world, member, other, { result, by: 'other hook' })
  }
  member.actions = []
  return { result, by, token: action.token }
}

/** The instance goes another way: nobody waits for these any more. */
export function dropActions(world: World, member: Member): void {
  for (const action of member.actions) {
    if (action.result === null) {
      settle(world, member, action, { result: 'ABANDON', by: 'termination' })
    }
  }
  member.actions = []
}

function settle(
  world: World,
  member: Member,
  action: LifecycleAction,
  { result, by }: { result: ActionResult; by: ClosedBy },
): void {
  action.result = result
  member.group.openActions.delete(action.token)
  tell(world, {
    type: 'action-closed',
    instance: member.machine.id,
    group: member.group.name,
    hook: action.hook,
    result,
    by,
  })
}

export interface ExpiredAction {
  member: Member
  action: LifecycleAction
  result: ActionResult
  by: ClosedBy
}

/** Looks at an action whose deadline may have come. @returns null when it has moved or is closed. */
export function findExpired(world: World, group: Group, token: string): ExpiredAction | null {
  const open = group.openActions.get(token)
  if (open === undefined || open.action.deadlineAt > world.now) return null
  const { member, action } = open
  const hook = group.hooks.get(action.hook)
  // Deleting a hook closes its actions, so that an open one always has its hook.
  if (hook === undefined) return null
  const by = world.now >= capOf(action, hook) ? 'cap' : 'timeout'
  return { member, action, result: hook.defaultResult, by }
}
