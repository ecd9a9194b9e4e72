/** Finds what a call names, or refuses in AWS's words. */
import type { Group, Member, World } from '../core/world.ts'
import { memberOf } from '../core/world.ts'
import { invalid } from './refusal.ts'

/** @throws Refusal when there is none. */
export function findGroup(world: World, name: string): Group {
  const group = world.groups.get(name)
  if (group === undefined) throw invalid(`AutoScalingGroup name not found - no such group: ${name}`)
  return group
}

/** @throws Refusal when there is none, or it is being deleted. */
export function findGroupToChange(world: World, name: string): Group {
  const group = findGroup(world, name)
  if (!group.isDeleting) return group
  throw invalid('The AutoScaling group may not be modified while it is pending delete')
}

/** @throws Refusal when no group has it. */
export function findMember(world: World, id: string): Member {
  const member = memberOf(world, id)
  if (member !== undefined) return member
  throw invalid(`Instance Id not found - No managed instance found for instance ID: ${id}`)
}

/** @throws Refusal when one of them belongs elsewhere. */
export function findMembersOf(group: Group, ids: readonly string[]): Member[] {
  return ids.map((id) => {
    const member = group.members.get(id)
    if (member !== undefined) return member
    throw invalid(`The instance ${id} is not part of Auto Scaling group ${group.name}.`)
  })
}
