/** Standby and detaching: instances that are taken out of the group's count without being ended. */
import { atTime, openActivity, setActivity } from './activities.ts'
import { bringBack } from './launch.ts'
import { join, leave, proceedSoon, setState } from './members.ts'
import { setDesired } from './settle.ts'
import type { Activity, Group, Machine, Member, World } from './world.ts'

/** @returns the activity. A group that keeps its desired capacity launches another in its place. */
export function moveToStandby(world: World, member: Member, decrements: boolean): Activity {
  const { group, machine } = member
  setState(world, member, 'EnteringStandby')
  machine.target.set(world.now, 'Standby')
  member.activity = describe(world, member, 'Moving EC2 instance to Standby')
  setDesired(world, group, group.desired - Number(decrements))
  proceedSoon(world, member, world.settings.passMs)
  return member.activity
}

export function enterStandby(world: World, member: Member): void {
  setState(world, member, 'Standby')
  setActivity(world, member.activity, 'Successful')
}

/** Comes back as a launch does, hooks included; desired rises with it. */
export function leaveStandby(world: World, member: Member): Activity {
  const { group } = member
  setDesired(world, group, group.desired + 1)
  bringBack(world, member, {
    what: 'Moving EC2 instance out of Standby',
    why: `${atTime(world)} instance was moved out of standby by a user request.`,
  })
  return member.activity ?? describe(world, member, 'Moving EC2 instance out of Standby')
}

export function detach(world: World, member: Member, decrements: boolean): Activity {
  const { group, machine } = member
  setState(world, member, 'Detaching')
  machine.target.set(world.now, 'Detached')
  const activity = describe(world, member, 'Detaching EC2 instance')
  setState(world, member, 'Detached')
  member.isProtected = false
  machine.tags.delete('aws:autoscaling:groupName')
  machine.group = null
  setActivity(world, activity, 'Successful')
  leave(world, member)
  setDesired(world, group, group.desired - Number(decrements))
  return activity
}

function describe(world: World, member: Member, what: string): Activity {
  const { group, machine } = member
  return openActivity(world, group, {
    description: `${what}: ${machine.id}`,
    cause: `${atTime(world)} instance ${machine.id} was moved in response to a user request.`,
    machine,
    zone: machine.zone,
    subnet: machine.subnet,
    status: 'InProgress',
    progress: 50,
  })
}

/** A machine that belongs to nobody joins a group, which wants one more from then on. */
export function attach(world: World, group: Group, machine: Machine): void {
  machine.group = group.name
  machine.tags.set('aws:autoscaling:groupName', group.name)
  machine.target.set(world.now, 'InService')
  const member = join(world, group, machine, { state: 'Pending', activity: null })
  member.activity = describe(world, member, 'Attaching an existing EC2 instance')
  setDesired(world, group, group.desired + 1)
  proceedSoon(world, member, world.settings.passMs)
}
