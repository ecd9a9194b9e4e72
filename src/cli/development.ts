/** The development stack: control plane and embedded engine in this process. */
import { join } from 'node:path'
import type { BuildRequest, Settings, SettingsInput } from '../model/index.ts'
import { CaravanError, settings, toResourceClasses } from '../model/index.ts'
import type { Log, LogLevel } from '../platform/index.ts'
import {
  createLog,
  createShutdown,
  createTextWriter,
  systemClock,
  systemRandom,
} from '../platform/index.ts'
import { compileRequest } from '../scheduler/index.ts'
import { startControlPlane } from './compose.ts'
import type { Io } from './io.ts'

export interface DevelopmentOptions {
  dataDir: string
  apiPort: number
  nomadPort: number
  /** A Nomad that is already there, in place of the embedded engine. */
  nomadUrl: string | undefined
  io: Io
  logLevel: LogLevel
}

export interface DevelopmentStack {
  api: string
  nomad: string
  close(): Promise<void>
}

const HOST = '127.0.0.1'

export async function startDevelopmentStack(
  options: DevelopmentOptions,
): Promise<DevelopmentStack> {
  const log = createLog(
    createTextWriter(options.io.stderr, () => systemClock.now()),
    options.logLevel,
  )
  const shutdown = createShutdown(systemClock, log)
  const nomad = options.nomadUrl ?? (await startEngine(options, log, shutdown))
  const plane = await startControlPlane({
    settings: developmentSettings(options, nomad),
    log,
    shutdown,
  })
  return { api: plane.api, nomad, close: () => plane.close() }
}

async function startEngine(
  options: DevelopmentOptions,
  log: Log,
  shutdown: ReturnType<typeof createShutdown>,
): Promise<string> {
  const { startNomadEngine } = await import('../dev/index.ts')
  const engine = await startNomadEngine({
    host: HOST,
    port: options.nomadPort,
    dataDir: join(options.dataDir, 'nomad'),
    clock: systemClock,
    random: systemRandom,
    log,
    environment: options.io.env,
  }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'EADDRINUSE') throw cause
    const message = `port ${options.nomadPort} is taken: choose another with --nomad-port (0 takes a free one)`
    throw new CaravanError('SETTINGS_INVALID', message)
  })
  shutdown.add('embedded engine', () => engine.close({ stopTasks: true }))
  return engine.url
}

/**
 * Compiles as the stack will, without starting it.
 *
 * @throws CaravanError CONFIG_INVALID or INPUT_INVALID, with the places.
 */
export function checkConfig(request: BuildRequest): void {
  const defaults = settings.parse({})
  compileRequest(request, { settings: defaults, classes: toResourceClasses(defaults.class) })
}

/** Settings of the stack: loopback only, everything below the data directory. */
export function developmentSettings(
  options: Pick<DevelopmentOptions, 'dataDir' | 'apiPort'>,
  nomad: string,
): Settings {
  const input: SettingsInput = {
    server: { listen: `${HOST}:${options.apiPort}`, data_dir: options.dataDir },
    nomad: { address: nomad },
  }
  return settings.parse(input)
}
