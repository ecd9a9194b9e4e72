/** How an instance comes into a group. */
import { atTime, openActivity, setActivity } from './activities.ts'
import { openActions } from './hooks.ts'
import { createMachine, startMachine } from './machines.ts'
import { countedMembers, join, proceedSoon, setState } from './members.ts'
import { settleSoon } from './settle-soon.ts'
import { beginTermination } from './terminate.ts'
import type { Group, LaunchFailure, Machine, Member, World } from './world.ts'
import { SCALING_PROCESSES } from './world.ts'

/** Why the group wants it, for the activity. */
export interface LaunchReason {
  zone: string
  why: string
}

/** @returns the new member, or the failure that Auto Scaling would have met. */
export function launch(
  world: World,
  group: Group,
  { zone, why }: LaunchReason,
): Member | LaunchFailure {
  const failure = takeFailure(world, group, zone)
  const subnet = subnetOf(group, zone)
  if (failure !== null) {
    const activity = openActivity(world, group, {
      description: 'Launching a new EC2 instance',
      cause: why,
      machine: null,
      zone,
      subnet,
      status: 'PreInService',
      progress: 0,
    })
    setActivity(world, activity, 'Failed', {
      message: `${failure.message} Launching EC2 instance failed.`,
    })
    return failure
  }
  const machine = createMachine(world, group, { zone, subnet, target: 'InService' })
  const activity = openActivity(world, group, {
    description: `Launching a new EC2 instance: ${machine.id}`,
    cause: why,
    machine,
    zone,
    subnet,
    status: 'PreInService',
    progress: 30,
  })
  group.lastScalingAt = world.now
  return join(world, group, machine, { state: 'Pending', activity })
}

/** A prepared instance, or one that comes back from standby, takes the way of a new one. */
export function bringBack(
  world: World,
  member: Member,
  { what, why }: { what: string; why: string },
): void {
  const { machine, group } = member
  machine.target.set(world.now, 'InService')
  setState(world, member, 'Pending')
  member.activity = openActivity(world, group, {
    description: `${what}: ${machine.id}`,
    cause: why,
    machine,
    zone: machine.zone,
    subnet: machine.subnet,
    status: 'PreInService',
    progress: 30,
  })
  if (machine.state.value === 'stopped') startMachine(world, machine)
  else proceedSoon(world, member, world.settings.passMs)
}

/** Its machine runs: the launch hooks come first, if there are any. */
export function passLaunch(world: World, member: Member): void {
  if (member.state.value !== 'Pending') return
  const waits = openActions(world, member, 'autoscaling:EC2_INSTANCE_LAUNCHING', 'Pending:Wait')
  if (!waits) enterService(world, member)
}

export function enterService(world: World, member: Member): void {
  const { group } = member
  setState(world, member, 'InService')
  member.inServiceAt = world.now
  member.isProtected = group.protectsNew
  group.launching = { failures: 0, failingSince: null, retryAt: 0 }
  setActivity(world, member.activity, 'Successful')
  if (group.maxLifetimeSeconds > 0) {
    world.agenda.add(world.now + group.maxLifetimeSeconds * 1000, {
      kind: 'member-expires',
      instance: member.machine.id,
      step: member.step,
    })
  }
  finishReplacement(world, member)
  settleSoon(world, group)
}

/** A successor serves: the instance that it replaces goes. */
function finishReplacement(world: World, successor: Member): void {
  const { group } = successor
  const replaced = group.replacing.get(successor.machine.id)
  if (replaced === undefined) return
  group.replacing.delete(successor.machine.id)
  const old = group.members.get(replaced.instance)
  if (old?.state.value === 'InService') beginTermination(world, old, { why: replaced.why })
}

/** How the group explains that it grows. */
export function explainGrowth(world: World, group: Group): string {
  const count = countedMembers(group).length
  return `${atTime(world)} an instance was started in response to a difference between desired and actual capacity, increasing the capacity from ${count} to ${count + 1}.`
}

/** Zones in the order in which the group would fill them: the emptiest first. */
export function zonesByNeed(group: Group): string[] {
  const counts = countByZone(group, countedMembers(group))
  return [...group.zones].sort((a, b) => (counts.get(a) ?? 0) - (counts.get(b) ?? 0))
}

export function countByZone(group: Group, members: readonly Member[]): Map<string, number> {
  const counts = new Map(group.zones.map((zone) => [zone, 0]))
  for (const { machine } of members) {
    counts.set(machine.zone, (counts.get(machine.zone) ?? 0) + 1)
  }
  return counts
}

/** Waits between attempts of a group whose launches fail: doubling from the first to the second. */
const RETRY_MIN_MS = 10_000
const RETRY_MAX_MS = 5 * 60_000

/** After so long without a single success Auto Scaling stops trying, and says so. */
const GIVE_UP_MS = 24 * 3_600_000

export function noteLaunchFailure(world: World, group: Group): void {
  const { failures, failingSince } = group.launching
  const since = failingSince ?? world.now
  const waitMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(failures, 10))
  group.launching = { failures: failures + 1, failingSince: since, retryAt: world.now + waitMs }
  world.agenda.add(world.now + waitMs, { kind: 'group-settles', group: group.name })
  if (world.now - since < GIVE_UP_MS) return
  for (const process of SCALING_PROCESSES) {
    group.suspended.set(
      process,
      'Administrative suspension: launches failed for more than 24 hours',
    )
  }
}

function takeFailure(world: World, group: Group, zone: string): LaunchFailure | null {
  const { conditions } = world
  const found = conditions.launchFailures.find(
    (each) => (each.zone ?? zone) === zone && (each.group ?? group.name) === group.name,
  )
  if (found === undefined) return null
  found.remaining--
  conditions.launchFailures = conditions.launchFailures.filter(({ remaining }) => remaining > 0)
  const message = found.message.replaceAll('{type}', group.instanceType).replaceAll('{zone}', zone)
  return { ...found, message }
}

function subnetOf(group: Group, zone: string): string {
  return group.subnets[group.zones.indexOf(zone)] ?? `subnet-${zone}`
}

/** Whether the machine was launched from what the group would launch today. */
export function isCurrent(machine: Machine, group: Group, number: number): boolean {
  const { template } = machine
  if (template === null || group.template === null) return template === group.template
  return template.name === group.template.name && template.number === number
}
