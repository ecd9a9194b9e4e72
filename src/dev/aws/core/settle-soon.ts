/** Asks that a group be compared with what it should be, at this very moment of the world. */
import type { Group, World } from './world.ts'

export function settleSoon(world: World, group: Group): void {
  world.agenda.add(world.now, { kind: 'group-settles', group: group.name })
}
