/** How an instance leaves a group: by way of the terminate hooks, whoever wanted it to go. */
import { openActivity, setActivity } from './activities.ts'
import { dropActions, openActions } from './hooks.ts'
import { REASONS, haltMachine } from './machines.ts'
import { leave, proceedSoon, setState } from './members.ts'
import { settleSoon } from './settle-soon.ts'
import { isWarm } from './states.ts'
import type { Activity, Member, World } from './world.ts'

export interface Termination {
  why: string
  /** A group that is deleted by force asks nobody. */
  skipsHooks?: boolean
}

/** Can not be undone. @returns the activity that follows it. */
export function beginTermination(world: World, member: Member, how: Termination): Activity {
  const { group, machine } = member
  dropActions(world, member)
  setActivity(world, member.activity, 'Cancelled')
  const warm = isWarm(member.state.value)
  machine.target.set(world.now, warm ? 'Warmed:Terminated' : 'Terminated')
  setState(world, member, warm ? 'Warmed:Terminating' : 'Terminating')
  member.activity = openActivity(world, group, {
    description: `Terminating EC2 instance: ${machine.id}`,
    cause: how.why,
    machine,
    zone: machine.zone,
    subnet: machine.subnet,
    status: 'InProgress',
    progress: 0,
  })
  group.lastScalingAt = world.now
  settleSoon(world, group)
  if (how.skipsHooks === true) endMachine(world, member)
  else proceedSoon(world, member, world.settings.passMs)
  return member.activity
}

/** The state `Terminating` is over: wait for the hooks, or end the machine. */
export function passTermination(world: World, member: Member): void {
  const wait = isWarm(member.state.value) ? 'Warmed:Terminating:Wait' : 'Terminating:Wait'
  const waits = openActions(world, member, 'autoscaling:EC2_INSTANCE_TERMINATING', wait)
  if (!waits) endMachine(world, member)
}

/** Nobody holds the instance any more. */
export function proceedTermination(world: World, member: Member): void {
  const warm = isWarm(member.state.value)
  setState(world, member, warm ? 'Warmed:Terminating:Proceed' : 'Terminating:Proceed')
  setActivity(world, member.activity, 'InProgress', { progress: 60 })
  endMachine(world, member)
}

/** Stays, and costs money, until somebody terminates it by name. */
export function retain(world: World, member: Member): void {
  setState(world, member, 'Terminating:Retained')
  setActivity(world, member.activity, 'Successful', {
    message: 'The instance was retained: its lifecycle action was abandoned.',
  })
}

function endMachine(world: World, member: Member): void {
  member.isEnding = true
  // A machine that died by other means is no more; its member goes at once.
  if (member.machine.state.value === 'terminated') depart(world, member)
  else haltMachine(world, member.machine, 'terminated', REASONS.user)
}

/** The machine has ended: the member follows, unless hooks still hold it. */
export function noteMachineEnded(world: World, member: Member): void {
  if (member.machine.state.value !== 'terminated') return
  if (member.isEnding || member.state.value === 'Terminating:Retained') depart(world, member)
}

function depart(world: World, member: Member): void {
  const { group } = member
  const warm = isWarm(member.state.value)
  if (member.state.value === 'Terminating:Retained') setState(world, member, 'Terminating:Proceed')
  setState(world, member, warm ? 'Warmed:Terminated' : 'Terminated')
  setActivity(world, member.activity, 'Successful')
  leave(world, member)
  settleSoon(world, group)
}
