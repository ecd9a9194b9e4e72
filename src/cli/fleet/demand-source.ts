/** The demand of a Caravan server, in the words of the fleet. */
import type { ClassDemand, Demand, DemandSource } from '../../fleet/index.ts'
import type { DemandAnswer, DemandClass, DemandSlice } from '../../model/index.ts'
import type { ApiClient } from '../api/client.ts'

export function createDemandSource(api: Pick<ApiClient, 'readDemand'>): DemandSource {
  return { read: async (signal) => toDemand(await api.readDemand(signal)) }
}

/** A slice with a node is placed, whatever it is about to do there; all others want one. Pure. */
export function toDemand({ classes, slices }: DemandAnswer): Demand {
  const byClass = Map.groupBy(slices, ({ resource_class }) => resource_class)
  return {
    classes: classes.map((each) => toClassDemand(each, byClass.get(each.resource_class) ?? [])),
    placed: slices.flatMap(({ slice, node_id: nodeId, predicted }) => {
      if (nodeId === null) return []
      return [{ slice, nodeId, remainingMs: predicted === null ? null : predicted.p80 * 1000 }]
    }),
  }
}

function toClassDemand(each: DemandClass, slices: readonly DemandSlice[]): ClassDemand {
  const { resource_class: name, pool, reservation } = each
  const unplaced = slices.filter(({ node_id }) => node_id === null)
  const starting = slices.filter(({ state, node_id }) => state === 'placing' && node_id !== null)
  // Counted by the class, so that those beyond the list count, too.
  const waiting = each.waiting + each.placing - starting.length
  const oldest = Math.max(0, ...unplaced.map(({ age_seconds }) => age_seconds))
  const isListed = unplaced.length >= waiting
  return {
    name,
    pool,
    need: reservation && { cpuMhz: reservation.cpu_mhz, memoryMiB: reservation.memory_mib },
    waiting,
    oldestMs: 1000 * (isListed ? oldest : Math.max(oldest, each.oldest_waiting_seconds)),
  }
}
