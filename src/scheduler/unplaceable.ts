/** Waiting slices that no node of the cluster can ever hold: they end, in place of waiting for ever. */
import type { Reason, ResourceClass } from '../model/index.ts'
import type { Log } from '../platform/index.ts'
import { judgeFit, type NodeCapacity } from './capacity.ts'
import { placeOf, type Ledger } from './ledger.ts'
import type { OpenSlice } from './open-slices.ts'

interface UnplaceableDeps {
  ledger: Ledger
  classes: ReadonlyMap<string, ResourceClass>
  log: Log
}

/** @returns those that some node can hold. */
export async function endUnplaceable(
  deps: UnplaceableDeps,
  waiting: readonly OpenSlice[],
  nodes: readonly NodeCapacity[],
): Promise<OpenSlice[]> {
  const placeable: OpenSlice[] = []
  for (const [name, entries] of Map.groupBy(waiting, ({ build }) => build.resource_class)) {
    const resourceClass = deps.classes.get(name)
    const fit = resourceClass && judgeFit(resourceClass, nodes)
    if (fit === undefined) {
      const detail = `the settings have no resource class ${name} any more`
      await endAll(deps, entries, 'config_error', detail)
    } else if (fit.kind === 'never') {
      await endAll(deps, entries, 'no_placement', fit.detail)
    } else {
      placeable.push(...entries)
    }
  }
  return placeable
}

async function endAll(
  { ledger, log }: UnplaceableDeps,
  entries: readonly OpenSlice[],
  reason: Reason,
  detail: string,
): Promise<void> {
  log.warn('slices can not be placed', { slices: entries.length, reason, detail })
  for (const { slice } of entries) {
    const fact = { kind: 'ended' as const, epoch: slice.epoch, reason, detail }
    await ledger.record(placeOf(slice), fact)
  }
}
