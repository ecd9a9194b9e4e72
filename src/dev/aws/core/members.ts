/** An instance as part of a group: joins, changes its state, leaves. */
import { tell } from './events.ts'
import { TRANSITIONS, isCounted } from './states.ts'
import type { LifecycleState } from './states.ts'
import { Timeline } from './timeline.ts'
import type { Activity, Group, Machine, Member, World } from './world.ts'

export function join(
  world: World,
  group: Group,
  machine: Machine,
  options: { state: LifecycleState; activity: Activity | null },
): Member {
  const member: Member = {
    machine,
    group,
    joinedAt: world.now,
    state: new Timeline<LifecycleState>(world.now, options.state),
    step: 0,
    health: 'Healthy',
    isProtected: false,
    inServiceAt: null,
    isEnding: false,
    returnsToPool: false,
    actions: [],
    activity: options.activity,
  }
  group.members.set(machine.id, member)
  tell(world, {
    type: 'state',
    instance: machine.id,
    group: group.name,
    from: null,
    to: options.state,
  })
  return member
}

/** @throws Error when the table of transitions does not know the way: a fault of the emulator. */
export function setState(world: World, member: Member, to: LifecycleState): void {
  const from = member.state.value
  if (!TRANSITIONS[from].includes(to)) {
    throw new Error(`${member.machine.id} can not go from ${from} to ${to}`)
  }
  member.state.set(world.now, to)
  member.step++
  tell(world, {
    type: 'state',
    instance: member.machine.id,
    group: member.group.name,
    from,
    to,
  })
}

/** Goes on after a state that is only passed through. */
export function proceedSoon(world: World, member: Member, delayMs: number): void {
  world.agenda.add(world.now + delayMs, {
    kind: 'member-proceeds',
    instance: member.machine.id,
    step: member.step,
  })
}

/** It is listed no more, except in answers that lag. */
export function leave(world: World, member: Member): void {
  const { group, machine } = member
  group.members.delete(machine.id)
  group.replacing.delete(machine.id)
  const lagMs = Math.max(world.settings.lag.groupMs, world.settings.lag.instanceMs)
  if (lagMs === 0) return
  group.departed.set(machine.id, member)
  world.agenda.add(world.now + lagMs, {
    kind: 'member-forgotten',
    instance: machine.id,
    group: group.name,
  })
}

/** Those that count against the desired capacity; successors do not until they serve. */
export function countedMembers(group: Group): Member[] {
  return [...group.members.values()].filter(
    ({ state, machine }) => isCounted(state.value) && !group.replacing.has(machine.id),
  )
}
