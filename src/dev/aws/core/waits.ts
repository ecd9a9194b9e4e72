/** What becomes of an instance when its wait for hooks is over. */
import { setActivity } from './activities.ts'
import { closeAction, findExpired } from './hooks.ts'
import type { WaitOutcome } from './hooks.ts'
import { proceedSoon, setState } from './members.ts'
import { prepareWarm } from './warm-pool.ts'
import type { ActionResult } from './states.ts'
import { beginTermination, proceedTermination, retain } from './terminate.ts'
import { atTime } from './activities.ts'
import type { Group, Hook, LifecycleAction, Member, World } from './world.ts'

/** Somebody completed one action. */
export function completeAction(
  world: World,
  member: Member,
  action: LifecycleAction,
  result: ActionResult,
): void {
  endWait(world, member, closeAction(world, member, action, { result, by: 'complete' }))
}

/** A deadline fell due: the default result is taken, unless a heartbeat has moved it. */
export function expireAction(world: World, group: Group, token: string): void {
  const expired = findExpired(world, group, token)
  if (expired === null) return
  const { member, action, result, by } = expired
  endWait(world, member, closeAction(world, member, action, { result, by }))
}

/** Auto Scaling completes what a deleted hook leaves open, in the way that loses least. */
export function removeHook(world: World, group: Group, hook: Hook): void {
  const isLaunch = hook.transition === 'autoscaling:EC2_INSTANCE_LAUNCHING'
  const result = isLaunch ? 'ABANDON' : 'CONTINUE'
  for (const { member, action } of group.openActions.values()) {
    if (action.hook !== hook.name || action.result !== null) continue
    endWait(world, member, closeAction(world, member, action, { result, by: 'hook deleted' }))
  }
  group.hooks.delete(hook.name)
}

function endWait(world: World, member: Member, outcome: WaitOutcome): void {
  if (outcome === null) return
  const state = member.state.value
  if (state === 'Terminating:Wait' || state === 'Warmed:Terminating:Wait') {
    endTerminationWait(world, member, outcome)
  } else if (outcome.result === 'ABANDON') {
    abandonLaunch(world, member, outcome)
  } else {
    setState(world, member, state === 'Pending:Wait' ? 'Pending:Proceed' : 'Warmed:Pending:Proceed')
    setActivity(world, member.activity, 'InProgress', { progress: 80 })
    proceedSoon(world, member, world.settings.passMs)
  }
}

/** Either result ends the instance, except where the group keeps the abandoned ones. */
function endTerminationWait(world: World, member: Member, outcome: NonNullable<WaitOutcome>): void {
  const { group } = member
  const isWarm = member.state.value !== 'Terminating:Wait'
  if (outcome.result === 'ABANDON' && group.retainsAbandoned && !isWarm) retain(world, member)
  else if (!isWarm && goesBackToPool(member)) prepareWarm(world, member)
  else proceedTermination(world, member)
}

/** A group with such a warm pool keeps what it scales in. */
function goesBackToPool(member: Member): boolean {
  return member.returnsToPool && member.machine.state.value === 'running'
}

function abandonLaunch(world: World, member: Member, outcome: NonNullable<WaitOutcome>): void {
  const how =
    outcome.by === 'complete'
      ? 'Lifecycle Action Completed with ABANDON Result'
      : 'Heartbeat Timeout'
  const message = `Instance failed to complete user's Lifecycle Action: Lifecycle Action with token ${outcome.token} was abandoned: ${how}`
  setActivity(world, member.activity, 'Cancelled', { message })
  const why = `${atTime(world)} an instance was taken out of service because its launch was abandoned.`
  beginTermination(world, member, { why })
}
