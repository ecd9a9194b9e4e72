/** `caravan fleet explain`: why the fleet did what it did, from what each step has stored. */
import type { FleetExplanation } from '../../model/index.ts'
import { EXIT, usageError, writeJsonLine, type Io } from '../io.ts'
import { openStore, type ControllerOptions } from './open.ts'
import { drawPool } from './views.ts'

export interface ExplainOptions extends ControllerOptions {
  at?: string
  /** Of a node or an instance. */
  node?: string
  limit: number
  json?: boolean
}

/** Exit code 0; 1 when nothing is stored of it. */
export async function explainCommand(options: ExplainOptions, io: Io): Promise<number> {
  const { at, node, limit } = options
  const atMs = at === undefined ? undefined : Date.parse(at)
  if (atMs !== undefined && !Number.isFinite(atMs)) {
    throw usageError(`--at: no time such as 2026-01-31T12:00:00Z: "${at}"`)
  }
  const { store } = await openStore(options, io, { changesNothing: true })
  try {
    // One time is one step; a node has a history.
    const most = atMs !== undefined && node === undefined ? 1 : limit
    const ticks = store.readTicks({
      limit: most,
      ...(atMs === undefined ? {} : { atMs }),
      ...(node === undefined ? {} : { about: node }),
    })
    const told = ticks.map(({ atMs: tickMs, fence, why }): FleetExplanation => {
      return { at: new Date(tickMs).toISOString(), fence, pools: why }
    })
    for (const each of told) {
      if (options.json) await writeJsonLine(io.stdout, each)
      else io.stdout.write(`${each.at}\n${each.pools.map(drawPool).join('')}`)
    }
    if (told.length > 0) return EXIT.ok
    io.stderr.write('caravan: no step is stored that tells of it\n')
    return EXIT.notSucceeded
  } finally {
    store.close()
  }
}
