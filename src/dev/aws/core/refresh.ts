/** Instance refresh: every instance is replaced, a few at a time, while enough of the group stays healthy. */
import { atTime } from './activities.ts'
import { countedMembers } from './members.ts'
import { isBeingReplaced, startReplacement } from './replacement.ts'
import { beginTermination } from './terminate.ts'
import type { Group, Member, Refresh, World } from './world.ts'

/** How often a refresh looks whether it may go on. */
const STEP_MS = 1000

const ACTIVE: readonly Refresh['status'][] = [
  'Pending',
  'InProgress',
  'Cancelling',
  'Baking',
  'RollbackInProgress',
]

export function isActive(refresh: Refresh): boolean {
  return ACTIVE.includes(refresh.status)
}

export function stepRefresh(world: World, group: Group, id: string): void {
  const refresh = group.refreshes.find((each) => each.id === id)
  if (refresh === undefined || !isActive(refresh)) return
  if (refresh.status === 'Pending') refresh.status = 'InProgress'
  for (const target of refresh.targets)
    if (!group.members.has(target)) refresh.targets.delete(target)
  if (refresh.status === 'Cancelling') finishCancel(world, group, refresh)
  else if (!group.suspended.has('InstanceRefresh')) goOn(world, group, refresh)
  if (isActive(refresh)) stepLater(world, group, refresh)
}

export function stepLater(world: World, group: Group, refresh: Refresh): void {
  world.agenda.add(world.now + STEP_MS, {
    kind: 'refresh-step',
    group: group.name,
    refresh: refresh.id,
  })
}

export function finishRefresh(
  world: World,
  refresh: Refresh,
  status: Refresh['status'],
  reason: string | null = null,
): void {
  refresh.status = status
  refresh.reason = reason
  refresh.endedAt = world.now
}

/** Share of the targets that are gone, in whole percent. */
export function percentComplete(refresh: Refresh): number {
  if (refresh.total === 0) return 100
  return Math.floor((100 * (refresh.total - refresh.targets.size)) / refresh.total)
}

function finishCancel(world: World, group: Group, refresh: Refresh): void {
  const isMoving = [...group.members.values()].some(
    ({ state }) => state.value !== 'InService' && state.value !== 'Standby',
  )
  if (!isMoving) finishRefresh(world, refresh, 'Cancelled', 'Cancelled by user request.')
}

function goOn(world: World, group: Group, refresh: Refresh): void {
  const left = [...refresh.targets]
    .map((id) => group.members.get(id))
    .filter((member) => member !== undefined)
  const open = left.filter((member) => isReplaceable(member, refresh))
  if (open.length === 0 && left.every((member) => isIgnored(member, refresh))) {
    bake(world, group, refresh)
    return
  }
  for (const member of open) {
    if (!mayTakeOne(world, group, refresh)) return
    replace(world, member, refresh)
  }
}

/** At least one may always go, or a small group would never be refreshed. */
function mayTakeOne(world: World, group: Group, refresh: Refresh): boolean {
  const warmupMs = refresh.warmupSeconds * 1000
  const healthy = countedMembers(group).filter(
    ({ inServiceAt, machine }) =>
      inServiceAt !== null &&
      world.now - inServiceAt >= warmupMs &&
      !isBeingReplaced(group, machine.id),
  ).length
  const floor = Math.min(
    Math.ceil((group.desired * refresh.minHealthyPercent) / 100),
    group.desired - (refresh.maxHealthyPercent > 100 ? 0 : 1),
  )
  if (refresh.maxHealthyPercent > 100) {
    const spare = Math.max(1, Math.floor((group.desired * (refresh.maxHealthyPercent - 100)) / 100))
    return group.replacing.size < spare
  }
  return healthy > floor
}

function replace(world: World, member: Member, refresh: Refresh): void {
  const why = `${atTime(world)} an instance was taken out of service in response to an instance refresh.`
  if (refresh.maxHealthyPercent > 100 && member.state.value === 'InService') {
    startReplacement(world, member, { zone: member.machine.zone, why })
  } else {
    beginTermination(world, member, { why })
  }
}

function isReplaceable(member: Member, refresh: Refresh): boolean {
  if (isBeingReplaced(member.group, member.machine.id)) return false
  if (member.state.value === 'Standby') return refresh.standbyInstances === 'Terminate'
  if (member.state.value !== 'InService') return false
  return !member.isProtected || refresh.protectedInstances === 'Refresh'
}

/** Left as it is, for good: the refresh does not wait for it. */
function isIgnored(member: Member, refresh: Refresh): boolean {
  if (member.state.value === 'Standby') return refresh.standbyInstances === 'Ignore'
  return member.isProtected && refresh.protectedInstances === 'Ignore'
}

/** All are replaced: the newcomers must serve, and then stand for the bake time. */
function bake(world: World, group: Group, refresh: Refresh): void {
  const serving = countedMembers(group).filter(({ inServiceAt }) => inServiceAt !== null).length
  if (serving < group.desired) return
  refresh.bakedAt ??= world.now
  if (world.now - refresh.bakedAt < refresh.bakeSeconds * 1000) {
    refresh.status = refresh.status === 'RollbackInProgress' ? refresh.status : 'Baking'
    return
  }
  const isRollback = refresh.status === 'RollbackInProgress'
  finishRefresh(world, refresh, isRollback ? 'RollbackSuccessful' : 'Successful')
}
