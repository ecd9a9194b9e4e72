/** What the commands for nodes and instances speak to: Nomad, AWS, the metadata service. */
import type { Settings } from '../../model/index.ts'
import type { NomadClient } from '../../nomad/index.ts'
import { instanceOf, type NodeName } from '../../fleet/index.ts'
import {
  createAws,
  createImds,
  createLog,
  createTextWriter,
  IMDS_ENDPOINT,
  readSettings,
  systemClock,
  type AwsRegion,
  type Imds,
  type Log,
  type LogLevel,
} from '../../platform/index.ts'
import { openNomad } from '../compose.ts'
import { usageError, type Io } from '../io.ts'

export interface FleetOptions {
  nomad?: string
  settings?: string
  region?: string
  imds?: string
  logLevel?: LogLevel
  json?: boolean
  dryRun?: boolean
}

export interface NodeOptions extends FleetOptions {
  self?: boolean
  node?: string
  instance?: string
}

/** @throws CaravanError INPUT_INVALID unless it names exactly one. */
export function nodeNameOf({ self, node, instance }: NodeOptions): NodeName {
  const names: NodeName[] = []
  if (self) names.push({ kind: 'self' })
  if (node !== undefined) names.push({ kind: 'node', id: node })
  if (instance !== undefined) names.push({ kind: 'instance', id: instance })
  const [name, ...others] = names
  if (name !== undefined && others.length === 0) return name
  throw usageError('say which node: one of --self, --node ID and --instance ID')
}

/** Closed when the work is over, however it ends. */
export async function withNomad<T>(
  options: FleetOptions,
  io: Io,
  work: (nomad: NomadClient) => Promise<T>,
): Promise<T> {
  return useNomad(await readSettings({ flags: options, env: io.env }), logOf(options, io), work)
}

/** The same with settings that have been read: a pipe gives them once. */
export async function useNomad<T>(
  settings: Settings,
  log: Log,
  work: (nomad: NomadClient) => Promise<T>,
): Promise<T> {
  const nomad = await openNomad(settings, log)
  try {
    return await work(nomad)
  } finally {
    await nomad.close()
  }
}

/** @throws CaravanError INPUT_INVALID when nobody says which region. */
export async function withAws<T>(
  options: FleetOptions,
  io: Io,
  work: (aws: AwsRegion) => Promise<T>,
): Promise<T> {
  const aws = createAws({ region: await regionOf(options, io), clock: systemClock })
  try {
    return await work(aws)
  } finally {
    aws.close()
  }
}

/** As all programs that use AWS find it; null when nobody says. */
export function toldRegion({ region }: FleetOptions, { env }: Pick<Io, 'env'>): string | null {
  return region || env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || null
}

/** @throws CaravanError INPUT_INVALID where nobody may ask there. */
export function openImds({ imds }: FleetOptions, { env }: Pick<Io, 'env'>): Imds {
  const endpoint = imds || env['AWS_EC2_METADATA_SERVICE_ENDPOINT']
  if (endpoint === undefined && env['AWS_EC2_METADATA_DISABLED'] === 'true') {
    throw usageError(
      'the metadata service is switched off (AWS_EC2_METADATA_DISABLED): use --imds URL',
    )
  }
  const baseUrl = (endpoint || IMDS_ENDPOINT).replace(/\/+$/, '')
  if (!/^https?:$/.test(URL.parse(baseUrl)?.protocol ?? '')) {
    const name = imds ? '--imds' : 'AWS_EC2_METADATA_SERVICE_ENDPOINT'
    throw usageError(`${name}: no address such as ${IMDS_ENDPOINT}: "${baseUrl}"`)
  }
  return createImds({ endpoint: baseUrl, clock: systemClock })
}

/** The instance that is meant, also when it is named by its node. */
export function instanceIdOf(name: NodeName, nodes: readonly Parameters<typeof instanceOf>[0][]) {
  if (name.kind === 'instance') return name.id
  const [instance] = nodes.map(instanceOf).filter((each) => each !== null)
  if (instance !== undefined) return instance
  throw usageError('the node does not say on which instance it runs: use --instance ID')
}

export function logOf({ logLevel = 'warn' }: FleetOptions, io: Io): Log {
  return createLog(
    createTextWriter(io.stderr, () => systemClock.now()),
    logLevel,
  )
}

async function regionOf(options: FleetOptions, io: Io): Promise<string> {
  const told = toldRegion(options, io)
  if (told !== null) return told
  if (options.imds !== undefined || io.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] !== undefined) {
    const imds = openImds(options, io)
    try {
      return await imds.region()
    } finally {
      await imds.close()
    }
  }
  throw usageError('say which region: --region NAME, or AWS_REGION')
}
