/** What the commands of the controller stand on: pools, store, AWS, Nomad, and the scheduler's queue. */
import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import {
  createDemandClient,
  createSteadyTime,
  openFleetStore,
  toPolicies,
  type ControllerDeps,
  type FleetStore,
  type PoolPolicy,
} from '../../fleet/index.ts'
import type { Settings } from '../../model/index.ts'
import {
  createAws,
  createHttpClient,
  createShutdown,
  prepareFolder,
  readSettings,
  systemClock,
  systemRandom,
  type AwsRegion,
  type Log,
  type MetricSink,
  type Shutdown,
} from '../../platform/index.ts'
import { openNomad } from '../compose.ts'
import { usageError, type Io } from '../io.ts'

export interface ControllerOptions {
  settings?: string
  data?: string
  nomad?: string
  server?: string
  token?: string
}

export interface OpenStore {
  settings: Settings
  policies: PoolPolicy[]
  store: FleetStore
}

/**
 * @param changesNothing where no controller has been, there is nothing to read, and nothing is made.
 * @throws CaravanError SETTINGS_INVALID; INPUT_INVALID without any pool.
 */
export async function openStore(
  options: ControllerOptions,
  io: Io,
  { changesNothing = false } = {},
): Promise<OpenStore> {
  const settings = await readSettings({ flags: options, env: io.env })
  const policies = toPolicies(settings)
  if (policies.length === 0) {
    throw usageError('the settings declare no pool: name a file that does with --settings')
  }
  const folder = resolve(settings.server.data_dir)
  const file = join(folder, 'fleet.db')
  if (!changesNothing || existsSync(folder)) {
    await prepareFolder(folder, options.data === undefined ? 'server.data_dir' : '--data')
  }
  const isEmpty = changesNothing && !existsSync(file)
  return { settings, policies, store: await openFleetStore(isEmpty ? ':memory:' : file) }
}

/** Everything that a controller is given but its metrics. Closed by the shutdown. */
export async function openController(
  { settings, policies, store }: OpenStore,
  options: ControllerOptions,
  log: Log,
  metrics: MetricSink,
): Promise<{ deps: Omit<ControllerDeps, 'wake'>; shutdown: Shutdown }> {
  const shutdown = createShutdown(systemClock, log)
  shutdown.add('store', async () => store.close())
  try {
    const deps = await openDeps({ settings, policies, store }, options, { log, metrics, shutdown })
    return { deps, shutdown }
  } catch (cause) {
    await shutdown.close()
    throw cause
  }
}

interface Ground {
  log: Log
  metrics: MetricSink
  shutdown: Shutdown
}

async function openDeps(
  { settings, policies, store }: OpenStore,
  options: ControllerOptions,
  { log, metrics, shutdown }: Ground,
): Promise<Omit<ControllerDeps, 'wake'>> {
  const nomad = await openNomad(settings, log)
  shutdown.add('nomad client', () => nomad.close())
  const server = options.server ?? addressOf(settings)
  const token = options.token ?? settings.tokens[0]
  const http = createHttpClient({
    baseUrl: server,
    clock: systemClock,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  })
  shutdown.add('http client', () => http.close())
  const regions = new Map<string, AwsRegion>()
  const awsOf = (region: string): AwsRegion => {
    const known = regions.get(region)
    if (known !== undefined) return known
    const made = createAws({ region, clock: systemClock })
    regions.set(region, made)
    return made
  }
  shutdown.add('AWS', async () => regions.forEach((aws) => aws.close()))
  return {
    policies,
    awsOf,
    nomad,
    demand: createDemandClient(http, server),
    store,
    clock: systemClock,
    now: createSteadyTime(systemClock),
    random: systemRandom,
    log,
    metrics,
    holder: nameOf(),
  }
}

/** Two that run in containers may have the same process id, and even the same host name. */
function nameOf(): string {
  const chance = Buffer.from(systemRandom.bytes(4)).toString('hex')
  return `${hostname()}:${process.pid}:${chance}`
}

/** Where the server of these settings is reached from its own machine. */
function addressOf({ server: { public_url, listen } }: Settings): string {
  return public_url ?? `http://${listen.replace(/^(?:0\.0\.0\.0)?:/, '127.0.0.1:')}`
}
