/** Finds machines by id, in EC2's ways: one bad id fails the whole call. */
import type { Machine, World } from '../../core/world.ts'
import { Refusal } from '../refusal.ts'

/** @throws Refusal for an id that is malformed or unknown, or not known yet. */
export function findMachines(world: World, ids: readonly string[]): Machine[] {
  const malformed = ids.find((id) => !/^i-(?:[0-9a-f]{8}|[0-9a-f]{17})$/.test(id))
  if (malformed !== undefined) {
    throw new Refusal('InvalidInstanceID.Malformed', `Invalid id: "${malformed}"`)
  }
  const missing = ids.filter((id) => !isVisible(world, world.machines.get(id)))
  if (missing.length === 1) {
    const message = `The instance ID '${missing[0]}' does not exist`
    throw new Refusal('InvalidInstanceID.NotFound', message)
  }
  if (missing.length > 1) {
    const message = `The instance IDs '${missing.join(', ')}' do not exist`
    throw new Refusal('InvalidInstanceID.NotFound', message)
  }
  return ids.flatMap((id) => world.machines.get(id) ?? [])
}

/** Whether EC2's own index has it already. */
export function isVisible(world: World, machine: Machine | undefined): machine is Machine {
  if (machine === undefined) return false
  return machine.state.asOf(world.now - world.settings.lag.ec2Ms) !== undefined
}
