/** The warm pool: machines that are prepared ahead, and stopped or kept until the group needs them. */
import { atTime, openActivity, setActivity } from './activities.ts'
import { tell } from './events.ts'
import { openActions } from './hooks.ts'
import { bringBack, zonesByNeed } from './launch.ts'
import { createMachine, haltMachine, REASONS } from './machines.ts'
import { join, setState } from './members.ts'
import { isWarm } from './states.ts'
import { beginTermination } from './terminate.ts'
import type { Group, Member, WarmPool, World } from './world.ts'

/** Brings the pool to its size: what is missing is launched, what is too much ends. */
export function settleWarmPool(world: World, group: Group): void {
  const members = poolMembers(group)
  const wanted = group.warmPool === null || group.isDeleting ? 0 : wantedSize(group, group.warmPool)
  if (!group.suspended.has('Launch')) {
    for (let count = members.length; count < wanted; count++) launchWarm(world, group)
  }
  if (group.suspended.has('Terminate')) return
  for (const member of members.slice(wanted)) {
    const why = `${atTime(world)} an instance was taken out of the warm pool, which was too large.`
    beginTermination(world, member, { why })
  }
}

/** The prepared capacity of the whole group, less what runs already; never under the pool's own minimum. */
function wantedSize(group: Group, pool: WarmPool): number {
  const prepared = pool.maxPrepared ?? group.max
  return Math.max(pool.min, prepared - group.desired, 0)
}

/** Those in the pool that are not on their way out. */
export function poolMembers(group: Group): Member[] {
  return [...group.members.values()].filter(({ state }) => {
    return isWarm(state.value) && !state.value.startsWith('Warmed:Terminat')
  })
}

/** A prepared instance for a group that grows, or undefined. */
export function takeWarm(world: World, group: Group, why: string): Member | undefined {
  const ready = poolMembers(group).find(
    ({ state, machine }) =>
      !state.value.startsWith('Warmed:Pending') && machine.state.value !== 'stopping',
  )
  if (ready !== undefined)
    bringBack(world, ready, { what: 'Launching a new EC2 instance from warm pool', why })
  return ready
}

function launchWarm(world: World, group: Group): void {
  const zone = zonesByNeed(group)[0] ?? ''
  const subnet = group.subnets[group.zones.indexOf(zone)] ?? `subnet-${zone}`
  const machine = createMachine(world, group, { zone, subnet, target: restingTarget(group) })
  const activity = openActivity(world, group, {
    description: `Launching a new EC2 instance into warm pool: ${machine.id}`,
    cause: `${atTime(world)} an instance was started to fill the warm pool.`,
    machine,
    zone,
    subnet,
    status: 'PreInService',
    progress: 30,
  })
  join(world, group, machine, { state: 'Warmed:Pending', activity })
}

/** Its machine runs: the launch hooks come first, as for every launch. */
export function passWarmLaunch(world: World, member: Member): void {
  const waits = openActions(
    world,
    member,
    'autoscaling:EC2_INSTANCE_LAUNCHING',
    'Warmed:Pending:Wait',
  )
  if (!waits) rest(world, member)
}

/** Scaled in, and kept: back into the pool by the same way. */
export function prepareWarm(world: World, member: Member): void {
  const { group, machine } = member
  setActivity(world, member.activity, 'Successful')
  setState(world, member, 'Warmed:Pending')
  member.returnsToPool = false
  member.inServiceAt = null
  member.isProtected = false
  machine.target.set(world.now, restingTarget(group))
  tell(world, { type: 'protection', instance: machine.id, group: group.name, isProtected: false })
  passWarmLaunch(world, member)
}

/** Prepared: stops if the pool keeps its machines stopped. */
export function rest(world: World, member: Member): void {
  const state = member.group.warmPool?.state ?? 'Stopped'
  setState(world, member, `Warmed:${state}`)
  setActivity(world, member.activity, 'Successful')
  if (state !== 'Running') haltMachine(world, member.machine, 'stopped', REASONS.user)
}

function restingTarget(group: Group): `Warmed:${WarmPool['state']}` {
  return `Warmed:${group.warmPool?.state ?? 'Stopped'}`
}
