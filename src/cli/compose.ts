/** Puts the rooms together: the only file that builds the object graph. */
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startApi } from '../api/index.ts'
import type { BuildRequest, DryRunAnswer, Settings } from '../model/index.ts'
import { CaravanError } from '../model/index.ts'
import type { NomadClient } from '../nomad/index.ts'
import { createNomadClient } from '../nomad/index.ts'
import type { Log, Shutdown, TlsOptions } from '../platform/index.ts'
import {
  createShutdown,
  ownFile,
  prepareFolder,
  readNamedFile,
  systemClock,
  systemRandom,
} from '../platform/index.ts'
import type { SchedulerDeps } from '../scheduler/index.ts'
import { createOutputStore, createScheduler, dryRun } from '../scheduler/index.ts'
import { openMetrics } from './metrics/server-metrics.ts'
import { deriveKey, readMasterKey } from './master-key.ts'
import { VERSION } from './version.ts'

export interface ControlPlane {
  /** Address of the API. */
  api: string
  close(): Promise<void>
}

interface ControlPlaneOptions {
  settings: Settings
  log: Log
  /** Closed after the control plane: what it stands on. */
  shutdown?: Shutdown
}

const TEMPLATE = fileURLToPath(ownFile('nomad/jobs/build-slice.nomad.hcl'))
const LAUNCHER = fileURLToPath(ownFile('bin/caravan.mjs'))

/** Scheduler and API on a Nomad that is already there. Closes what it opened when it cannot start. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { settings, log } = options
  const shutdown = options.shutdown ?? createShutdown(systemClock, log)
  try {
    const dataDir = resolve(settings.server.data_dir)
    await prepareFolder(dataDir, 'server.data_dir')
    const nomad = await openNomad(settings, log)
    shutdown.add('nomad client', () => nomad.close())
    const metrics = openMetrics(settings.metrics, log)
    shutdown.add('metrics', () => metrics.close())
    let url: string | undefined = settings.server.public_url
    const scheduler = await createScheduler({
      settings,
      dataDir,
      nomad,
      log,
      metrics: metrics.sink,
      ...(await readMaterial(settings, dataDir)),
      publicUrl: () => url ?? `http://${settings.server.listen}`,
      outputs: createOutputStore({ directory: join(dataDir, 'output'), log }),
    })
    shutdown.add('scheduler', () => scheduler.close())
    const api = await startApi({
      scheduler,
      listen: parseListen(settings.server.listen),
      tokens: settings.tokens,
      limits: settings.limits,
      clock: systemClock,
      log,
      version: VERSION,
      metrics,
    })
    shutdown.add('api', () => api.close())
    url ??= api.url
    await scheduler.start()
    metrics.start(scheduler)
    return { api: api.url, close: () => shutdown.close() }
  } catch (error) {
    await shutdown.close()
    throw error
  }
}

/** What the scheduler needs besides its ports: keys, template, the program that is the agent. */
async function readMaterial(
  settings: Settings,
  dataDir: string,
): Promise<Pick<SchedulerDeps, 'serverKey' | 'agentCommand' | 'template' | 'clock' | 'random'>> {
  const master = await readMasterKey(settings, dataDir)
  return {
    serverKey: deriveKey(master, 'claim tokens'),
    agentCommand: agentCommandOf(settings),
    template: await readTemplate(settings),
    clock: systemClock,
    random: systemRandom,
  }
}

/** In place with the server's own Node.js: right for a checkout, and for clients on this machine. */
function agentCommandOf(settings: Settings): string[] {
  return settings.nomad.agent_command ?? [process.execPath, LAUNCHER, 'build-agent']
}

/** The slices of a request as Nomad would get them, without a server. */
export async function renderRequest(
  request: BuildRequest,
  settings: Settings,
): Promise<DryRunAnswer> {
  return dryRun(request, {
    settings,
    template: await readTemplate(settings),
    agentCommand: agentCommandOf(settings),
    publicUrl: () => settings.server.public_url ?? `http://${settings.server.listen}`,
    clock: systemClock,
    random: systemRandom,
  })
}

/** @throws CaravanError SETTINGS_INVALID when a certificate or key cannot be read. */
export async function openNomad(settings: Settings, log: Log): Promise<NomadClient> {
  const { nomad } = settings
  const tls = await readTls(nomad)
  return createNomadClient({
    address: nomad.address,
    namespace: nomad.namespace,
    ...(nomad.token === undefined ? {} : { token: nomad.token }),
    ...(nomad.region === undefined ? {} : { region: nomad.region }),
    ...(tls === null ? {} : { tls }),
    clock: systemClock,
    random: systemRandom,
    log,
  })
}

/** The settings name files, as Nomad's own variables do; the client wants what is in them. */
async function readTls(nomad: Settings['nomad']): Promise<TlsOptions | null> {
  const read = async (file: string | undefined, setting: string) =>
    file === undefined ? undefined : await readSettingsFile(file, setting)
  const [ca, cert, key] = await Promise.all([
    read(nomad.ca_cert, 'nomad.ca_cert'),
    read(nomad.client_cert, 'nomad.client_cert'),
    read(nomad.client_key, 'nomad.client_key'),
  ])
  const tls: TlsOptions = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(nomad.tls_server_name === undefined ? {} : { serverName: nomad.tls_server_name }),
  }
  return Object.keys(tls).length === 0 ? null : tls
}

/** @throws CaravanError SETTINGS_INVALID when the file that the settings name cannot be read. */
export async function readTemplate(settings: Settings): Promise<{ file: string; text: string }> {
  const file = settings.nomad.template ?? TEMPLATE
  return { file, text: await readSettingsFile(file, 'nomad.template') }
}

async function readSettingsFile(file: string, setting: string): Promise<string> {
  try {
    return await readNamedFile(file)
  } catch (cause) {
    throw new CaravanError('SETTINGS_INVALID', `${setting}: cannot read ${file}`, { cause })
  }
}

/** `host:port`, `[::1]:port`. */
function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match && port <= 65_535) return { host: match[1] ?? match[2] ?? '', port }
  throw new CaravanError('SETTINGS_INVALID', `server.listen: not a host:port: "${text}"`)
}
