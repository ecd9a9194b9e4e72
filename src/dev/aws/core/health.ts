/** Health: what the group notices of machines that died, and what it does about it. */
import { atTime } from './activities.ts'
import { tell } from './events.ts'
import { isAlive } from './machines.ts'
import { isLeaving, isWarm } from './states.ts'
import { beginTermination } from './terminate.ts'
import type { Member, World } from './world.ts'

/** A machine went down by other means than its group: the group sees it at its next check. */
export function checkLater(world: World, instance: string): void {
  const at = world.now + world.settings.healthCheckMs
  world.agenda.add(at, { kind: 'health-check', instance })
}

export function checkHealth(world: World, member: Member): void {
  if (isAlive(member.machine) || isLeaving(member.state.value)) return
  // Those in the pool are stopped on purpose, those in standby are nobody's business.
  if (isWarm(member.state.value) || member.state.value === 'Standby') return
  if (member.group.suspended.has('HealthCheck')) {
    checkLater(world, member.machine.id)
    return
  }
  markUnhealthy(world, member, 'an EC2 health check indicating it has been terminated or stopped.')
}

/** It is replaced by way of the terminate hooks, unless that is suspended. */
export function markUnhealthy(world: World, member: Member, evidence: string): void {
  const { group, machine } = member
  if (member.health === 'Healthy') {
    member.health = 'Unhealthy'
    tell(world, { type: 'unhealthy', instance: machine.id, group: group.name })
  }
  // Those in standby are nobody's business, whatever their health.
  if (isLeaving(member.state.value) || member.state.value === 'Standby') return
  if (group.suspended.has('ReplaceUnhealthy') || group.suspended.has('Terminate')) {
    world.agenda.add(world.now + world.settings.healthCheckMs, {
      kind: 'health-check',
      instance: machine.id,
    })
    return
  }
  const why = `${atTime(world)} an instance was taken out of service in response to ${evidence}`
  beginTermination(world, member, { why })
}

/** An instance marked unhealthy by hand while replacing was suspended is seen again. */
export function recheck(world: World, member: Member): void {
  if (member.health === 'Unhealthy') markUnhealthy(world, member, 'a user health-check.')
  else checkHealth(world, member)
}
