/** Suspending and resuming what a group does by itself. */
import { z } from 'zod'
import { checkLater } from '../../core/health.ts'
import { settleSoon } from '../../core/settle-soon.ts'
import { SCALING_PROCESSES } from '../../core/world.ts'
import type { World } from '../../core/world.ts'
import { define } from '../action.ts'
import type { Actions } from '../action.ts'
import { findGroupToChange } from '../find.ts'
import { groupName, list } from '../parameters.ts'

const fields = z.strictObject({
  AutoScalingGroupName: groupName,
  ScalingProcesses: list(z.enum(SCALING_PROCESSES)).optional(),
})

export const PROCESS_ACTIONS: Actions = {
  SuspendProcesses: define(fields, (world, input) => {
    const { group, processes } = pick(world, input)
    const reason = `User suspended at ${new Date(world.now).toISOString().slice(0, 19)}Z`
    for (const process of processes) group.suspended.set(process, reason)
    return {}
  }),

  ResumeProcesses: define(fields, (world, input) => {
    const { group, processes } = pick(world, input)
    for (const process of processes) group.suspended.delete(process)
    if (processes.includes('Launch')) {
      group.launching = { failures: 0, failingSince: null, retryAt: 0 }
    }
    for (const { machine } of group.members.values()) checkLater(world, machine.id)
    settleSoon(world, group)
    return {}
  }),

  DescribeScalingProcessTypes: define(z.strictObject({}), () => ({
    Processes: SCALING_PROCESSES.map((ProcessName) => ({ ProcessName })),
  })),
}

/** All of them when none is named. */
function pick(world: World, input: z.infer<typeof fields>) {
  const named = input.ScalingProcesses ?? []
  return {
    group: findGroupToChange(world, input.AutoScalingGroupName),
    processes: named.length > 0 ? named : SCALING_PROCESSES,
  }
}
