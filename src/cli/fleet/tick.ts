/** `caravan fleet tick`: one step of the controller, for those who run it from cron; also for polling runners. */
import { createController, forgottenOfGroup, isPolling } from '../../fleet/index.ts'
import {
  createLog,
  createTextWriter,
  noMetrics,
  systemClock,
  type LogLevel,
} from '../../platform/index.ts'
import { EXIT, usageError, writeJsonLine, type Io } from '../io.ts'
import { openController, openStore, type ControllerOptions } from './open.ts'
import { assertSight } from './sight.ts'
import { drawPool, toTickView } from './views.ts'

export interface TickOptions extends ControllerOptions {
  json?: boolean
  dryRun?: boolean
  logLevel?: LogLevel
}

/** Exit code 0 when the step was made, 1 while another controller acts, 3 when something could not be read. */
export async function tickCommand(options: TickOptions, io: Io): Promise<number> {
  if (isPolling(io.env)) return (await import('./polling.ts')).pollingTick(options, io)
  const forgotten = forgottenOfGroup(io.env)
  if (forgotten.length > 0 && options.settings === undefined) {
    throw usageError(
      `${forgotten.join(' and ')}: missing, to scale polling runners; or name a settings file with --settings`,
    )
  }
  const opened = await openStore(options, io, { changesNothing: options.dryRun === true })
  const log = createLog(
    createTextWriter(io.stderr, () => systemClock.now()),
    options.logLevel ?? 'warn',
  )
  await assertSight(opened.settings, io.signal)
  const { deps, shutdown } = await openController(opened, options, log, noMetrics)
  const controller = createController({ ...deps, wake: () => undefined })
  shutdown.add('controller', () => controller.close())
  try {
    const dryRun = options.dryRun === true
    const tick = await controller.tick(io.signal, { dryRun })
    await controller.settled()
    const view = toTickView(tick, deps.now(), dryRun)
    if (options.json) await writeJsonLine(io.stdout, view)
    else if (view.outcome === 'leased') {
      io.stderr.write(`caravan: ${view.holder ?? 'another controller'} acts; nothing was done\n`)
    } else io.stdout.write(view.pools.map(drawPool).join(''))
    if (view.outcome === 'leased') return EXIT.notSucceeded
    return view.faults.length > 0 ? EXIT.infrastructure : EXIT.ok
  } finally {
    await shutdown.close()
  }
}
