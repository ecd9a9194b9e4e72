/** Every action, by service. */
import type { World } from '../core/world.ts'
import type { Actions, Output } from './action.ts'
import { unknownAction } from './action.ts'
import { AUTO_SCALING_ACTIONS } from './autoscaling/index.ts'
import { EC2_ACTIONS } from './ec2/index.ts'
import type { Service } from './refusal.ts'

const ACTIONS: Readonly<Record<Service, Actions>> = {
  autoscaling: AUTO_SCALING_ACTIONS,
  ec2: EC2_ACTIONS,
}

export function isAction(service: Service, action: string): boolean {
  return Object.hasOwn(ACTIONS[service], action)
}

/** @throws Refusal, also for an action that is unknown: nothing is ever pretended. */
export function perform(
  world: World,
  call: { service: Service; action: string; input: unknown },
): Output {
  const { service, action } = call
  const run = isAction(service, action) ? ACTIONS[service][action] : undefined
  if (run === undefined) throw unknownAction(service, action)
  return run(world, call.input)
}
