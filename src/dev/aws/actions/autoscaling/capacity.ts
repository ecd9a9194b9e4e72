/** Desired capacity, and ending one instance by name. */
import { z } from 'zod'
import { atTime, isInProgress } from '../../core/activities.ts'
import { setDesired } from '../../core/settle.ts'
import { isCounted, isLeaving, isWarm } from '../../core/states.ts'
import { beginTermination, proceedTermination } from '../../core/terminate.ts'
import type { Activity, Group, Member, World } from '../../core/world.ts'
import { define } from '../action.ts'
import type { Actions } from '../action.ts'
import { findGroupToChange, findMember } from '../find.ts'
import { flag, groupName, instanceId, integer } from '../parameters.ts'
import { Refusal, invalid } from '../refusal.ts'
import { toActivityView } from './views.ts'

export const CAPACITY_ACTIONS: Actions = {
  SetDesiredCapacity: define(
    z.strictObject({
      AutoScalingGroupName: groupName,
      DesiredCapacity: integer(0),
      HonorCooldown: flag.default(false),
    }),
    (world, { AutoScalingGroupName, DesiredCapacity: desired, HonorCooldown }) => {
      const group = findGroupToChange(world, AutoScalingGroupName)
      if (desired > group.max) {
        throw invalid(
          `New SetDesiredCapacity value ${desired} is above max value ${group.max} for the AutoScalingGroup.`,
        )
      }
      if (desired < group.min) {
        throw invalid(
          `New SetDesiredCapacity value ${desired} is below min value ${group.min} for the AutoScalingGroup.`,
        )
      }
      if (HonorCooldown) checkCooldown(world, group)
      setDesired(world, group, desired)
      return {}
    },
  ),

  TerminateInstanceInAutoScalingGroup: define(
    z.strictObject({ InstanceId: instanceId, ShouldDecrementDesiredCapacity: flag }),
    (world, { InstanceId, ShouldDecrementDesiredCapacity: decrements }) => {
      const member = findMember(world, InstanceId)
      findGroupToChange(world, member.group.name)
      return { Activity: toActivityView(terminate(world, member, decrements)) }
    },
  ),
}

/** @throws Refusal while the group still settles from its last change. */
function checkCooldown(world: World, group: Group): void {
  for (const { activity } of group.members.values()) {
    if (isInProgress(activity)) throw blockedBy(activity)
  }
  const readyAt = (group.lastScalingAt ?? -Infinity) + group.cooldownSeconds * 1000
  const last = world.activities.get(group.name)?.at(-1)
  if (world.now < readyAt && last !== undefined) throw blockedBy(last)
}

function blockedBy(activity: Activity): Refusal {
  const message = `Scaling activity ${activity.id} is in progress and blocks this action`
  return new Refusal('ScalingActivityInProgress', message)
}

/** @throws Refusal */
function terminate(world: World, member: Member, decrements: boolean): Activity {
  const { group, machine } = member
  const state = member.state.value
  if (state === 'Terminating:Retained') return endRetained(world, member)
  if (isWarm(state)) throw invalid(`The instance ${machine.id} is in the warm pool of its group.`)
  if (isLeaving(state)) {
    if (member.activity !== null) throw blockedBy(member.activity)
    throw invalid(`The instance ${machine.id} is in state ${state}.`)
  }
  if (group.suspended.has('Terminate')) {
    throw invalid(
      `The Terminate process of AutoScalingGroup ${group.name} is suspended: its instances are not terminated.`,
    )
  }
  // Who is not counted leaves the count as it is.
  const lowers = decrements && isCounted(state)
  if (lowers && group.desired <= group.min) {
    throw invalid(
      `Currently, desiredSize equals minSize (${group.min}). Terminating instance without replacement will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.`,
    )
  }
  const from = group.desired
  const why = lowers
    ? `${atTime(world)} instance ${machine.id} was taken out of service in response to a user request, shrinking the capacity from ${from} to ${from - 1}.`
    : `${atTime(world)} instance ${machine.id} was taken out of service in response to a user request.`
  const activity = beginTermination(world, member, { why })
  if (lowers) setDesired(world, group, from - 1)
  return activity
}

function endRetained(world: World, member: Member): Activity {
  if (member.activity === null) throw invalid(`The instance ${member.machine.id} is not retained.`)
  proceedTermination(world, member)
  return member.activity
}
