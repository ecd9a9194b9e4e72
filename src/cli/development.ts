/** The development stack: control plane and embedded engine in this process. */
import { join } from 'node:path'
import type { BuildRequest, Settings, SettingsInput } from '../model/index.ts'
import { CaravanError, settings, toResourceClasses } from '../model/index.ts'
import type { Log, LogLevel } from '../platform/index.ts'
import {
  createLog,
  createShutdown,
  createTextWriter,
  silentLog,
  systemClock,
  systemRandom,
} from '../platform/index.ts'
import type { NomadEngine } from '../dev/index.ts'
import { compileRequest } from '../scheduler/index.ts'
import { openNomad, startControlPlane } from './compose.ts'
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
  const given = options.nomadUrl
  if (given !== undefined) await checkNomad(developmentSettings(options, given))
  const engine = given === undefined ? await startEngine(options, log) : null
  const nomad = engine?.url ?? given ?? ''
  if (engine !== null) shutdown.add('embedded engine', () => engine.close(STOP))
  const plane = await startControlPlane({
    settings: developmentSettings({ ...options, statsd: options.io.env['CARAVAN_STATSD'] }, nomad),
    log,
    shutdown,
  })
  // Once more, and so first of all: agents that are stopped report while there is somebody to hear it.
  if (engine !== null) shutdown.add('tasks of the embedded engine', () => engine.close(STOP))
  return { api: plane.api, nomad, close: () => plane.close() }
}

const STOP = { stopTasks: true }

/** @throws CaravanError NOMAD_UNREACHABLE: a build that waits for a Nomad that is not there says nothing. */
async function checkNomad(checked: Settings): Promise<void> {
  const client = await openNomad(checked, silentLog)
  try {
    await client.leader()
  } finally {
    await client.close()
  }
}

async function startEngine(options: DevelopmentOptions, log: Log): Promise<NomadEngine> {
  const { startNomadEngine } = await import('../dev/index.ts')
  return startNomadEngine({
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
  options: Pick<DevelopmentOptions, 'dataDir' | 'apiPort'> & { statsd?: string | undefined },
  nomad: string,
): Settings {
  const input: SettingsInput = {
    server: { listen: `${HOST}:${options.apiPort}`, data_dir: options.dataDir },
    nomad: { address: nomad },
    ...(options.statsd ? { metrics: { statsd: options.statsd } } : {}),
  }
  const checked = settings.safeParse(input)
  if (checked.success) return checked.data
  const problems = checked.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  throw new CaravanError(
    'SETTINGS_INVALID',
    `--nomad ${nomad} does not fit: ${problems.join('; ')}`,
  )
}
