/** Interruptions: the notice two minutes ahead, the recommendation that may come before it. */
import { atTime } from './activities.ts'
import { tell } from './events.ts'
import { checkLater } from './health.ts'
import { REASONS, haltMachine, isAlive } from './machines.ts'
import { startReplacement } from './replacement.ts'
import { memberOf } from './world.ts'
import type { Machine, World } from './world.ts'

/** The machine ends when the notice runs out, whatever hooks say. */
export function giveSpotNotice(world: World, machine: Machine): void {
  if (machine.spotNotice !== null || !isAlive(machine)) return
  const time = world.now + world.settings.spotNoticeMs
  machine.spotNotice = { at: world.now, time, action: 'terminate' }
  world.agenda.add(time, { kind: 'spot-interruption', instance: machine.id })
  tell(world, { type: 'spot-notice', instance: machine.id, time })
  replaceAtRisk(world, machine)
}

export function interrupt(world: World, machine: Machine): void {
  if (!isAlive(machine)) return
  haltMachine(world, machine, 'terminated', REASONS.spot)
  checkLater(world, machine.id)
}

/** With capacity rebalancing on, the group launches a replacement first and then ends the instance. */
export function recommendRebalance(world: World, machine: Machine): void {
  if (machine.rebalanceAt !== null || !isAlive(machine)) return
  machine.rebalanceAt = world.now
  tell(world, { type: 'rebalance-recommendation', instance: machine.id })
  replaceAtRisk(world, machine)
}

/** Only with capacity rebalancing: on top of what is desired, so that no capacity is missing in between. */
function replaceAtRisk(world: World, machine: Machine): void {
  const member = memberOf(world, machine.id)
  if (member === undefined || !member.group.capacityRebalance) return
  if (member.state.value !== 'InService') return
  const why = `${atTime(world)} an instance was taken out of service in response to an EC2 instance rebalance recommendation.`
  startReplacement(world, member, { zone: machine.zone, why })
}
