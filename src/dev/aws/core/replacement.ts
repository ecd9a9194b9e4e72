/**
 * Replacing an instance the careful way: its successor first, then its end.
 *
 * The successor comes on top of the desired capacity and is not counted until it serves, so that a group
 * that is full exceeds its maximum for a while, as Auto Scaling's own do.
 */
import { explainGrowth, launch } from './launch.ts'
import type { Group, Member, World } from './world.ts'

/** How far a group may exceed its maximum in between. */
const EXCESS_PERCENT = 10

/** @returns whether a successor was launched. */
export function startReplacement(
  world: World,
  member: Member,
  { zone, why }: { zone: string; why: string },
): boolean {
  const { group, machine } = member
  if (group.suspended.has('Launch') || group.suspended.has('Terminate')) return false
  if (!mayExceed(group) || isBeingReplaced(group, machine.id)) return false
  const outcome = launch(world, group, { zone, why: explainGrowth(world, group) })
  if (!('machine' in outcome)) return false
  group.replacing.set(outcome.machine.id, { instance: machine.id, why })
  return true
}

export function isBeingReplaced(group: Group, instance: string): boolean {
  return [...group.replacing.values()].some((each) => each.instance === instance)
}

function mayExceed(group: Group): boolean {
  const allowed = Math.max(1, Math.floor((group.max * EXCESS_PERCENT) / 100))
  return group.desired + group.replacing.size < group.max + allowed
}
