/**
 * Brings a group to what it should be: as many counted instances as are desired, never more by its own
 * doing, and its warm pool filled.
 */
import { atTime } from './activities.ts'
import { tell } from './events.ts'
import {
  countByZone,
  explainGrowth,
  isCurrent,
  launch,
  noteLaunchFailure,
  zonesByNeed,
} from './launch.ts'
import { versionNumber } from './machines.ts'
import { countedMembers } from './members.ts'
import { settleSoon } from './settle-soon.ts'
import { beginTermination } from './terminate.ts'
import { settleWarmPool, takeWarm } from './warm-pool.ts'
import type { Group, Member, World } from './world.ts'

export function settleGroup(world: World, group: Group): void {
  if (group.isDeleting) {
    if (group.members.size === 0) forgetGroup(world, group)
    return
  }
  const counted = countedMembers(group)
  if (counted.length < group.desired) grow(world, group, group.desired - counted.length)
  else if (counted.length > group.desired) shrink(world, group, counted)
  settleWarmPool(world, group)
}

export function setDesired(world: World, group: Group, desired: number): void {
  if (desired !== group.desired) {
    tell(world, { type: 'desired', group: group.name, from: group.desired, to: desired })
    group.desired = desired
  }
  settleSoon(world, group)
}

function grow(world: World, group: Group, missing: number): void {
  if (group.suspended.has('Launch') || world.now < group.launching.retryAt) return
  for (let count = 0; count < missing; count++) {
    const why = explainGrowth(world, group)
    if (takeWarm(world, group, why) !== undefined) continue
    if (!launchSomewhere(world, group, why)) {
      noteLaunchFailure(world, group)
      return
    }
  }
}

/** Tries the emptiest zone first, then the others. */
function launchSomewhere(world: World, group: Group, why: string): boolean {
  return zonesByNeed(group).some((zone) => 'machine' in launch(world, group, { zone, why }))
}

function shrink(world: World, group: Group, counted: readonly Member[]): void {
  if (group.suspended.has('Terminate')) return
  let left = counted.filter((member) => !member.isProtected)
  for (let count = counted.length; count > group.desired && left.length > 0; count--) {
    const victim = chooseVictim(world, group, left)
    if (victim === undefined) return
    left = left.filter((member) => member !== victim)
    victim.returnsToPool = group.warmPool?.reusesOnScaleIn ?? false
    const why = `${atTime(world)} an instance was taken out of service in response to a difference between desired and actual capacity, shrinking the capacity from ${count} to ${count - 1}.`
    beginTermination(world, victim, { why })
  }
}

/** In the fullest zone, by the group's policies; who is not in service yet goes last. */
export function chooseVictim(
  world: World,
  group: Group,
  candidates: readonly Member[],
): Member | undefined {
  const counts = countByZone(group, candidates)
  const fullest = Math.max(...counts.values())
  const inFullest = candidates.filter(({ machine }) => counts.get(machine.zone) === fullest)
  const policy = group.terminationPolicies[0] ?? 'Default'
  return [...inFullest].sort(
    (a, b) => Number(a.inServiceAt === null) - Number(b.inServiceAt === null) || byPolicy(a, b),
  )[0]

  function byPolicy(a: Member, b: Member): number {
    const byAge = a.machine.launchedAt - b.machine.launchedAt
    if (policy === 'NewestInstance') return -byAge
    if (policy === 'OldestInstance') return byAge
    return Number(isUpToDate(world, a)) - Number(isUpToDate(world, b)) || byAge
  }
}

export function isUpToDate(world: World, { machine, group }: Member): boolean {
  return isCurrent(machine, group, group.template ? versionNumber(world, group.template) : 1)
}

function forgetGroup(world: World, group: Group): void {
  world.groups.delete(group.name)
  tell(world, { type: 'group', group: group.name, change: 'deleted' })
}
