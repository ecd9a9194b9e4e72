/**
 * Which blocked evaluations to look at again after room came free.
 *
 * Only as many as the room can hold: waking all of them for every allocation that ends would cost the
 * square of the backlog.
 */
import { askOf } from '../objects/allocation.ts'
import type { Ask } from '../objects/allocation.ts'
import type { Evaluation } from '../objects/evaluation.ts'
import type { Job, TaskGroup } from '../objects/job.ts'
import { isPlaceable } from '../objects/node.ts'
import type { Node } from '../objects/node.ts'
import { jobKeyOf } from '../state/rows.ts'
import type { View } from '../state/state.ts'
import { isInReach } from './candidates.ts'
import { findObstacle, Reservations } from './placement.ts'

const NO_SIBLINGS: ReadonlyMap<string, number> = new Map()

/** @param nodeIds nodes that were given back room, became eligible, or joined. */
export function pickUnblocked(view: View, nodeIds: Iterable<string>): Evaluation[] {
  if (view.indexes.blocked.size === 0) return []
  const reservations = new Reservations(view)
  const rooms = [...nodeIds].flatMap((id) => {
    const node = view.tables.node.get(id)
    return node && isPlaceable(node) ? [{ node, free: reservations.free(node) }] : []
  })
  if (rooms.length === 0) return []
  return blockedInOrder(view).filter((evaluation) => {
    const job = view.tables.job.get(jobKeyOf(evaluation))
    // Without a job there is nothing to wait for: looking at it again ends it.
    if (job === undefined) return true
    const groups = job.TaskGroups.filter((group) => evaluation.FailedTGAllocs?.[group.Name])
    return groups.some((group) => takeRoom(rooms, job, group))
  })
}

/** The most important first, then the oldest. */
function blockedInOrder(view: View): Evaluation[] {
  return [...view.indexes.blocked]
    .flatMap((id) => view.tables.evaluation.get(id) ?? [])
    .sort((a, b) => b.Priority - a.Priority || a.CreateIndex - b.CreateIndex)
}

function takeRoom(rooms: { node: Node; free: Ask }[], job: Job, group: TaskGroup): boolean {
  const ask = askOf(group)
  for (const { node, free } of rooms) {
    const fits =
      ask.cpuMhz <= free.cpuMhz && ask.memoryMiB <= free.memoryMiB && ask.diskMiB <= free.diskMiB
    if (!fits || !isInReach(node, job)) continue
    if (findObstacle(node, { job, group, siblings: NO_SIBLINGS }) !== null) continue
    free.cpuMhz -= ask.cpuMhz
    free.memoryMiB -= ask.memoryMiB
    free.diskMiB -= ask.diskMiB
    return true
  }
  return false
}
