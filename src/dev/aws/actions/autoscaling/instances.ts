/** What is done to instances by name: protection, health, standby, leaving and joining a group. */
import { z } from 'zod'
import { tell } from '../../core/events.ts'
import { markUnhealthy } from '../../core/health.ts'
import { settleSoon } from '../../core/settle-soon.ts'
import { attach, detach, leaveStandby, moveToStandby } from '../../core/standby.ts'
import type { Member, World } from '../../core/world.ts'
import { define } from '../action.ts'
import type { Actions } from '../action.ts'
import { findGroupToChange, findMember, findMembersOf } from '../find.ts'
import { flag, groupName, instanceId, list } from '../parameters.ts'
import { invalid } from '../refusal.ts'
import { toActivityView } from './views.ts'

const PROTECT_MAX = 50
const BATCH_MAX = 20

const batch = {
  AutoScalingGroupName: groupName,
  InstanceIds: list(instanceId, BATCH_MAX).default([]),
}

export const INSTANCE_ACTIONS: Actions = {
  /** All or none. */
  SetInstanceProtection: define(
    z.strictObject({
      AutoScalingGroupName: groupName,
      InstanceIds: list(instanceId, PROTECT_MAX),
      ProtectedFromScaleIn: flag,
    }),
    (world, { AutoScalingGroupName, InstanceIds, ProtectedFromScaleIn: isProtected }) => {
      const group = findGroupToChange(world, AutoScalingGroupName)
      const members = findMembersOf(group, InstanceIds)
      requireState(members, ['InService', 'EnteringStandby', 'Standby'])
      for (const member of members) {
        member.isProtected = isProtected
        const instance = member.machine.id
        tell(world, { type: 'protection', instance, group: group.name, isProtected })
      }
      settleSoon(world, group)
      return {}
    },
  ),

  SetInstanceHealth: define(
    z.strictObject({
      InstanceId: instanceId,
      HealthStatus: z.enum(['Healthy', 'Unhealthy']),
      ShouldRespectGracePeriod: flag.default(true),
    }),
    (world, { InstanceId, HealthStatus, ShouldRespectGracePeriod }) => {
      const member = findMember(world, InstanceId)
      if (HealthStatus === 'Healthy') member.health = 'Healthy'
      else if (!ShouldRespectGracePeriod || !isInGrace(world, member)) {
        markUnhealthy(world, member, 'a user health-check.')
      }
      return {}
    },
  ),

  EnterStandby: define(
    z.strictObject({ ...batch, ShouldDecrementDesiredCapacity: flag }),
    (world, input) => {
      const group = findGroupToChange(world, input.AutoScalingGroupName)
      const members = findMembersOf(group, input.InstanceIds)
      requireState(members, ['InService'])
      const decrements = input.ShouldDecrementDesiredCapacity
      if (decrements) requireRoom(group, members.length)
      const activities = members.map((member) => moveToStandby(world, member, decrements))
      return { Activities: activities.map(toActivityView) }
    },
  ),

  ExitStandby: define(z.strictObject(batch), (world, input) => {
    const group = findGroupToChange(world, input.AutoScalingGroupName)
    const members = findMembersOf(group, input.InstanceIds)
    requireState(members, ['Standby'])
    if (group.desired + members.length > group.max) {
      throw invalid(
        `AutoScalingGroup ${group.name} has min-size=${group.min}, max-size=${group.max}, and desired-size=${group.desired}. To bring ${members.length} more instances into service, please update the AutoScalingGroup sizes appropriately.`,
      )
    }
    return { Activities: members.map((member) => toActivityView(leaveStandby(world, member))) }
  }),

  DetachInstances: define(
    z.strictObject({ ...batch, ShouldDecrementDesiredCapacity: flag }),
    (world, input) => {
      const group = findGroupToChange(world, input.AutoScalingGroupName)
      const members = findMembersOf(group, input.InstanceIds)
      requireState(members, ['InService', 'Standby'])
      const decrements = input.ShouldDecrementDesiredCapacity
      if (decrements) requireRoom(group, members.length)
      const activities = members.map((member) => detach(world, member, decrements))
      return { Activities: activities.map(toActivityView) }
    },
  ),

  AttachInstances: define(z.strictObject(batch), (world, input) => {
    const group = findGroupToChange(world, input.AutoScalingGroupName)
    const machines = input.InstanceIds.map((id) => {
      const machine = world.machines.get(id)
      if (machine === undefined || machine.state.value !== 'running') {
        throw invalid(`Invalid Instance ID(s): [${id}] specified`)
      }
      if (machine.group === null) return machine
      throw invalid(`Instance ${id} is already part of AutoScalingGroup:${machine.group}`)
    })
    if (group.desired + machines.length > group.max) {
      throw invalid(
        `AutoScalingGroup ${group.name} has min-size=${group.min}, max-size=${group.max}, and desired-size=${group.desired}. To attach ${machines.length} more instances, please update the AutoScalingGroup sizes appropriately.`,
      )
    }
    for (const machine of machines) attach(world, group, machine)
    return {}
  }),
}

function isInGrace(world: World, member: Member): boolean {
  if (member.inServiceAt === null) return true
  return world.now < member.inServiceAt + member.group.healthGraceSeconds * 1000
}

/** @throws Refusal that names the first one in another state. */
function requireState(members: readonly Member[], states: readonly string[]): void {
  const wrong = members.find(({ state }) => !states.includes(state.value))
  if (wrong === undefined) return
  throw invalid(`The instance ${wrong.machine.id} is not in ${states.join(' or ')}.`)
}

/** @throws Refusal when the group would fall under its minimum. */
function requireRoom(group: Member['group'], count: number): void {
  if (group.desired - count >= group.min) return
  throw invalid(
    `AutoScalingGroup ${group.name} has min-size=${group.min}, max-size=${group.max}, and desired-size=${group.desired}. To take ${count} instances out of it, please update the AutoScalingGroup sizes appropriately.`,
  )
}
