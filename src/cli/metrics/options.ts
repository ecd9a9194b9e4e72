/** The command line of nomad-metrics: its flags, what stands in for them, and what they mean. */
import { parseArgs } from 'node:util'
import { CaravanError } from '../../model/index.ts'
import {
  checkTagKey,
  type Mode,
  type ReporterOptions,
  type StatsdTarget,
} from '../../metrics/index.ts'

export interface MetricsOptions {
  reporter: Pick<
    ReporterOptions,
    | 'modes'
    | 'server'
    | 'client'
    | 'tags'
    | 'requireAllNamespaces'
    | 'reporterMetrics'
    | 'intervalMs'
  >
  nomad: {
    address: string
    token?: string
    region?: string
    ca?: string
    cert?: string
    key?: string
    serverName?: string
  }
  statsd: StatsdTarget
  bytesMax?: number
  /** Where Prometheus may read. */
  listen: { host: string; port: number } | null
}

const text = { type: 'string' } as const
const flag = { type: 'boolean', default: false } as const

const FLAGS = {
  'nomad-uri': text,
  'statsd-host': { type: 'string', default: 'localhost' },
  'statsd-port': { type: 'string', default: '8125' },
  'statsd-socket': text,
  'statsd-max-bytes': text,
  server: flag,
  client: flag,
  fleet: flag,
  interval: { type: 'string', default: '10' },
  'job-states': { type: 'string', default: 'derived' },
  'exclude-parents': flag,
  namespace: text,
  'require-all-namespaces': flag,
  'extended-tags': flag,
  'node-tag': flag,
  tag: { type: 'string', multiple: true, default: [] as string[] },
  'no-iops': flag,
  overcommit: flag,
  'reporter-metrics': flag,
  listen: text,
  help: { type: 'boolean', short: 'h', default: false },
} as const

export const METRICS_HELP = `Usage: nomad-metrics start [options]

Sends gauges about Nomad to a DogStatsD server every 10 s. Says nothing while all is well.

  --server               jobs of the cluster by state
  --client               resources of the node whose agent --nomad-uri names
  --fleet                nodes of the cluster by status, drain and class; on one machine only
  --nomad-uri=URI        http(s)://host:port or unix:///path (NOMAD_ADDR; http://localhost:4646)
  --statsd-host=HOST     (localhost)
  --statsd-port=PORT     (8125)
  --statsd-socket=PATH   a Unix socket instead
  --statsd-max-bytes=N   of a datagram (1432; 8192 on a Unix socket)
  --listen=HOST:PORT     serve /metrics for Prometheus as well
  --interval=SECONDS     (10)

  --job-states=STATES    derived, or literal: only what Nomad calls the states (derived)
  --exclude-parents      leave out periodic and parameterized jobs, which run for ever
  --namespace=NAME       only its jobs (all)
  --require-all-namespaces   a token that does not see all of them makes polls fail
  --node-tag             tags node, node_class and node_pool on the resources
  --extended-tags        tag eligibility on them, and status disconnected
  --tag=KEY=VALUE        on everything; may be repeated
  --no-iops              leave out the gauges that are always 0
  --overcommit           also what was given beyond what there is
  --reporter-metrics     also what nomad-metrics itself costs

NOMAD_TOKEN, NOMAD_CACERT, NOMAD_CLIENT_CERT, NOMAD_CLIENT_KEY, NOMAD_TLS_SERVER_NAME and NOMAD_REGION
are Nomad's own. Variables about proxies are not used.
`

type Environment = Readonly<Record<string, string | undefined>>

/**
 * @param args what follows `start`.
 * @returns null when only help is wanted.
 * @throws CaravanError INPUT_INVALID for a command line that makes no sense.
 */
export function readMetricsOptions(
  args: readonly string[],
  env: Environment,
): MetricsOptions | null {
  const values = parse(args)
  if (values.help) return null
  const modes = (['server', 'client', 'fleet'] as const).filter((mode: Mode) => values[mode])
  if (modes.length === 0) {
    throw refuse('say what to poll: --server, --client, --fleet, or several of them')
  }
  const states = values['job-states']
  if (states !== 'derived' && states !== 'literal') throw refuse('--job-states: derived or literal')
  const bytesMax = values['statsd-max-bytes']
  return {
    reporter: {
      modes,
      server: {
        states,
        excludeParents: values['exclude-parents'],
        namespace: values.namespace ?? null,
      },
      client: {
        extended: values['extended-tags'],
        identity: values['node-tag'],
        iops: !values['no-iops'],
        overcommit: values.overcommit,
      },
      tags: Object.fromEntries(values.tag.map(toTag)),
      requireAllNamespaces: values['require-all-namespaces'],
      reporterMetrics: values['reporter-metrics'],
      intervalMs: 1000 * toWhole(values.interval, '--interval', 1, 3600),
    },
    nomad: readNomad(values['nomad-uri'], env),
    statsd:
      values['statsd-socket'] === undefined
        ? {
            kind: 'udp',
            host: values['statsd-host'],
            port: toWhole(values['statsd-port'], '--statsd-port', 1, 65_535),
          }
        : { kind: 'unix', path: values['statsd-socket'] },
    ...(bytesMax === undefined
      ? {}
      : { bytesMax: toWhole(bytesMax, '--statsd-max-bytes', 200, 65_507) }),
    listen: values.listen === undefined ? null : toListen(values.listen),
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS, strict: true }).values
  } catch (cause) {
    throw refuse(cause instanceof Error ? (cause.message.split('. ', 1)[0] ?? '') : String(cause))
  }
}

/** An empty variable counts as none, as in Nomad's own tools. */
function readNomad(uri: string | undefined, env: Environment): MetricsOptions['nomad'] {
  const set = (name: string, variable: string) => {
    const value = env[variable] ?? ''
    return value === '' ? {} : { [name]: value }
  }
  const address = uri ?? (env['NOMAD_ADDR'] || 'http://localhost:4646')
  if (!/^(?:https?:\/\/[^/]|unix:\/\/\/.)/.test(address)) {
    throw refuse('--nomad-uri: write http://HOST:PORT, https://HOST:PORT or unix:///PATH')
  }
  return {
    address,
    ...set('token', 'NOMAD_TOKEN'),
    ...set('region', 'NOMAD_REGION'),
    ...set('ca', 'NOMAD_CACERT'),
    ...set('cert', 'NOMAD_CLIENT_CERT'),
    ...set('key', 'NOMAD_CLIENT_KEY'),
    ...set('serverName', 'NOMAD_TLS_SERVER_NAME'),
  }
}

function toTag(written: string): [key: string, value: string] {
  const equals = written.indexOf('=')
  if (equals < 1) throw refuse(`--tag: write KEY=VALUE, not "${written}"`)
  const key = written.slice(0, equals)
  try {
    return [checkTagKey(key), written.slice(equals + 1)]
  } catch {
    // The message for people who type it, not for whoever wrote the table.
    throw refuse(`--tag: a key has small letters, digits and underscores, not "${key}"`)
  }
}

function toListen(written: string): { host: string; port: number } {
  const [, six, host = six, port] = /^(?:\[([^\]]+)\]|([^:]*)):(\d+)$/.exec(written) ?? []
  if (port === undefined) throw refuse(`--listen: write HOST:PORT, not "${written}"`)
  return { host: host || '127.0.0.1', port: toWhole(port, '--listen', 0, 65_535) }
}

function toWhole(written: string, name: string, minimum: number, maximum: number): number {
  const value = Number(written)
  if (/^\d+$/.test(written) && value >= minimum && value <= maximum) return value
  throw refuse(`${name}: a whole number from ${minimum} to ${maximum} is needed, not "${written}"`)
}

function refuse(message: string): CaravanError {
  return new CaravanError('INPUT_INVALID', message)
}
