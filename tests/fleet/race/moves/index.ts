/** All that may strike a cluster: what controllers, AWS, Nomad and people do to each other. */
import type { Move } from '../scene.ts'
import { CONTROLLER_MOVES } from './controllers.ts'
import { GROUP_MOVES } from './groups.ts'
import { HOOK_MOVES } from './hooks.ts'
import { MACHINE_MOVES } from './machines.ts'
import { NODE_MOVES } from './nodes.ts'

export { HOOK, serveOtherHook } from './hooks.ts'

export const MOVES: readonly Move[] = [
  ...CONTROLLER_MOVES,
  ...GROUP_MOVES,
  ...HOOK_MOVES,
  ...MACHINE_MOVES,
  ...NODE_MOVES,
]
