/** `caravan fleet undrain`: gives a node back. */
import { findNodes, instanceOf, undrain } from '../../fleet/index.ts'
import { CaravanError, type DrainReport } from '../../model/index.ts'
import { systemClock } from '../../platform/index.ts'
import { EXIT, writeJsonLine, type Io } from '../io.ts'
import { nodeNameOf, withNomad, type NodeOptions } from './connect.ts'
import { drawNode } from './render.ts'

export interface UndrainOptions extends NodeOptions {
  keepIneligible?: boolean
}

/** Exit code 0 when it takes work again. */
export async function undrainCommand(options: UndrainOptions, io: Io): Promise<number> {
  const name = nodeNameOf(options)
  return withNomad(options, io, async (nomad) => {
    const nodes = await findNodes(nomad, name)
    if (nodes.length === 0)
      throw new CaravanError('NOT_FOUND', 'Nomad knows no node of this instance')
    for (const node of nodes) {
      const mark = {
        by: 'command' as const,
        reason: 'caravan fleet undrain',
        sinceMs: systemClock.now(),
      }
      const markEligible = options.keepIneligible !== true
      if (!options.dryRun) await undrain(nomad, node.ID, { markEligible, mark })
      const report: DrainReport = {
        node_id: node.ID,
        node_name: node.Name,
        instance: instanceOf(node),
        outcome: options.dryRun ? 'planned' : markEligible ? 'undrained' : 'drained',
        allocations: [],
      }
      if (options.json) await writeJsonLine(io.stdout, report)
      else io.stdout.write(drawNode(report))
    }
    return EXIT.ok
  })
}
