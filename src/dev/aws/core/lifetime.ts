/** Maximum instance lifetime: an instance that has served long enough is replaced. */
import { atTime } from './activities.ts'
import { startReplacement } from './replacement.ts'
import type { Member, World } from './world.ts'

/** A successor comes first; while there is no room for one, the old one goes on. */
const RETRY_MS = 60_000

export function expireMember(world: World, member: Member): void {
  const { group, machine } = member
  if (group.maxLifetimeSeconds === 0 || member.state.value !== 'InService') return
  const why = `${atTime(world)} an instance was taken out of service in response to a max instance lifetime of ${group.maxLifetimeSeconds} seconds.`
  if (startReplacement(world, member, { zone: machine.zone, why })) return
  world.agenda.add(world.now + RETRY_MS, {
    kind: 'member-expires',
    instance: machine.id,
    step: member.step,
  })
}
