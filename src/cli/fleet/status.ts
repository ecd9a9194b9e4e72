/** `caravan fleet status`: pools, machines, drains, and how long hooks still hold. Changes nothing. */
import { createController, toFleetStatus } from '../../fleet/index.ts'
import { noMetrics, silentLog } from '../../platform/index.ts'
import { EXIT, writeJsonLine, type Io } from '../io.ts'
import { openController, openStore, type ControllerOptions } from './open.ts'
import { drawStatus } from './views.ts'

/** Exit code 0 when all could be read, 3 otherwise. */
export async function statusCommand(
  options: ControllerOptions & { json?: boolean },
  io: Io,
): Promise<number> {
  const opened = await openStore(options, io, { changesNothing: true })
  const { deps, shutdown } = await openController(opened, options, silentLog, noMetrics)
  const controller = createController({ ...deps, wake: () => undefined })
  shutdown.add('controller', () => controller.close())
  try {
    const tick = await controller.tick(io.signal, { dryRun: true })
    const [plans, faults] =
      tick.kind === 'acted' ? [tick.plans, tick.faults] : [new Map(), ['nothing was read']]
    const lease = opened.store.readLease()
    const status = toFleetStatus({ plans, faults, lease, nowMs: deps.now() })
    if (options.json) await writeJsonLine(io.stdout, status)
    else io.stdout.write(drawStatus(status))
    return status.faults.length > 0 ? EXIT.infrastructure : EXIT.ok
  } finally {
    await shutdown.close()
  }
}
