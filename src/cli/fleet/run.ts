/** `caravan fleet run`: the controller, until a signal ends it. */
import { startFleet, type Tick } from '../../fleet/index.ts'
import {
  createJsonWriter,
  createLog,
  createTextWriter,
  systemClock,
  type LogLevel,
} from '../../platform/index.ts'
import { untilAborted } from '../dev.ts'
import { EXIT, writeJsonLine, type Io } from '../io.ts'
import { openMetrics } from '../metrics/server-metrics.ts'
import { openController, openStore, type ControllerOptions } from './open.ts'
import { toTickView } from './views.ts'

export interface RunOptions extends ControllerOptions {
  json?: boolean
  dryRun?: boolean
  logFormat?: 'text' | 'json'
  logLevel?: LogLevel
}

/** Exit code 0 after a signal; hooks that are open wait for the next controller until their timeout. */
export async function runCommand(options: RunOptions, io: Io): Promise<number> {
  const opened = await openStore(options, io)
  const writer =
    options.logFormat === 'json'
      ? await createJsonWriter()
      : createTextWriter(io.stderr, () => systemClock.now())
  const log = createLog(writer, options.logLevel ?? 'info')
  const metrics = openMetrics(opened.settings.metrics, log)
  const { deps, shutdown } = await openController(opened, options, log, metrics.sink)
  shutdown.add('metrics', () => metrics.close())
  const dryRun = options.dryRun === true
  const onTick = (tick: Tick) => {
    const isNews = tick.kind === 'acted' && [...tick.plans.values()].some(hasActions)
    if (options.json && isNews) void writeJsonLine(io.stdout, toTickView(tick, deps.now(), dryRun))
  }
  const fleet = startFleet(deps, { dryRun, onTick })
  shutdown.add('fleet', () => fleet.close())
  metrics.startWith(async () => fleet.gauges())
  const { settings, policies } = opened
  await writeJsonLine(io.stdout, {
    pools: policies.map(({ name }) => name),
    nomad: settings.nomad.address,
    data: settings.server.data_dir,
  })
  await untilAborted(io.signal)
  await shutdown.close()
  return EXIT.ok
}

function hasActions({ why }: { why: { actions: readonly unknown[] } }): boolean {
  return why.actions.length > 0
}
