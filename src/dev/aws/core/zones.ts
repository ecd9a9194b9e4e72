/** Evenness of zones: a group that has become uneven launches where it is short, then ends where it is full. */
import { atTime } from './activities.ts'
import { countByZone } from './launch.ts'
import { countedMembers } from './members.ts'
import { startReplacement } from './replacement.ts'
import type { Group, World } from './world.ts'

/** Looks once, and again after a while, for as long as the group has several zones. */
export function rebalanceZones(world: World, group: Group): void {
  if (group.isDeleting || group.zones.length < 2) {
    group.watchesZones = false
    return
  }
  lookAgain(world, group)
  if (group.suspended.has('AZRebalance')) return
  const members = countedMembers(group)
  const isCalm = members.length === group.desired && group.replacing.size === 0
  if (!isCalm || members.some(({ state }) => state.value !== 'InService')) return
  const counts = [...countByZone(group, members)].sort((a, b) => a[1] - b[1])
  const emptiest = counts[0]
  const fullest = counts.at(-1)
  if (emptiest === undefined || fullest === undefined || fullest[1] - emptiest[1] < 2) return
  const surplus = members.find(
    ({ machine, isProtected }) => machine.zone === fullest[0] && !isProtected,
  )
  if (surplus === undefined) return
  const why = `${atTime(world)} an instance was taken out of service to rebalance the group across Availability Zones: instances were not evenly spread between ${emptiest[0]} and ${fullest[0]}.`
  startReplacement(world, surplus, { zone: emptiest[0], why })
}

/** Called for a new group and whenever its zones change. */
export function watchZones(world: World, group: Group): void {
  if (group.watchesZones || group.zones.length < 2) return
  group.watchesZones = true
  lookAgain(world, group)
}

function lookAgain(world: World, group: Group): void {
  world.agenda.add(world.now + world.settings.zoneRebalanceMs, {
    kind: 'zones-rebalance',
    group: group.name,
  })
}
