/** Where a setting may come from besides the file: flags of the command line, and the environment. */

/** Flags of the commands that serve, as commander hands them over. */
export interface SettingsFlags {
  /** Path of the settings file. */
  settings?: string | undefined
  /** Host, or host and port. */
  listen?: string | undefined
  port?: number | undefined
  publicUrl?: string | undefined
  data?: string | undefined
  store?: string | undefined
  masterKeyFile?: string | undefined
  nomad?: string | undefined
}

export type Environment = Readonly<Record<string, string | undefined>>

/** One value and the flag or variable that set it. */
export interface Override {
  path: readonly [block: string, key?: string]
  value: unknown
  source: string
}

type Kind = 'text' | 'number' | 'words' | 'list'

interface Row {
  readonly path: Override['path']
  readonly variable: string
  readonly kind: Kind
}

function row(place: string, variable: string, kind: Kind = 'text'): Row {
  const [block = '', key] = place.split('.')
  return { path: key === undefined ? [block] : [block, key], variable, kind }
}

/** Variables of Nomad's own tools keep their names and their meaning. */
const VARIABLES: readonly Row[] = [
  row('server.listen', 'CARAVAN_LISTEN'),
  row('server.public_url', 'CARAVAN_PUBLIC_URL'),
  row('server.data_dir', 'CARAVAN_DATA'),
  row('server.master_key_file', 'CARAVAN_MASTER_KEY_FILE'),
  row('nomad.address', 'NOMAD_ADDR'),
  row('nomad.namespace', 'NOMAD_NAMESPACE'),
  row('nomad.region', 'NOMAD_REGION'),
  row('nomad.token', 'NOMAD_TOKEN'),
  row('nomad.ca_cert', 'NOMAD_CACERT'),
  row('nomad.client_cert', 'NOMAD_CLIENT_CERT'),
  row('nomad.client_key', 'NOMAD_CLIENT_KEY'),
  row('nomad.tls_server_name', 'NOMAD_TLS_SERVER_NAME'),
  row('nomad.datacenters', 'CARAVAN_DATACENTERS', 'list'),
  row('nomad.template', 'CARAVAN_TEMPLATE'),
  row('nomad.agent_command', 'CARAVAN_AGENT_COMMAND', 'words'),
  row('store.url', 'CARAVAN_STORE'),
  row('limits.output', 'CARAVAN_LIMIT_OUTPUT'),
  row('limits.max_run_time', 'CARAVAN_LIMIT_MAX_RUN_TIME'),
  row('limits.no_output', 'CARAVAN_LIMIT_NO_OUTPUT'),
  row('limits.orphan', 'CARAVAN_LIMIT_ORPHAN'),
  row('limits.start', 'CARAVAN_LIMIT_START'),
  row('limits.lease', 'CARAVAN_LIMIT_LEASE'),
  row('limits.infrastructure_retries', 'CARAVAN_LIMIT_INFRASTRUCTURE_RETRIES', 'number'),
  row('limits.requests_per_second', 'CARAVAN_LIMIT_REQUESTS_PER_SECOND', 'number'),
  row('limits.agent_requests_per_second', 'CARAVAN_LIMIT_AGENT_REQUESTS_PER_SECOND', 'number'),
  row('limits.failed_logins_per_minute', 'CARAVAN_LIMIT_FAILED_LOGINS_PER_MINUTE', 'number'),
  // As operators of such systems know them.
  row('containers.http_proxy', 'DOCKER_HTTP_PROXY'),
  row('containers.https_proxy', 'DOCKER_HTTPS_PROXY'),
  row('containers.no_proxy', 'NO_PROXY', 'list'),
  row('metrics.statsd', 'CARAVAN_STATSD'),
  row('tokens', 'CARAVAN_TOKENS', 'list'),
]

/** Names the settings file; read by whoever reads the file. */
export const SETTINGS_VARIABLE = 'CARAVAN_SETTINGS'

/** Names that are settings, for the search after misspelt ones. */
export const VARIABLE_NAMES: readonly string[] = [
  SETTINGS_VARIABLE,
  ...VARIABLES.map(({ variable }) => variable),
]

/** An empty variable counts as one that is not set, as in Nomad's own tools. */
export function readEnvironment(env: Environment): Override[] {
  return VARIABLES.flatMap(({ path, variable, kind }) => {
    const text = env[variable] ?? ''
    return text === '' ? [] : [{ path, value: toValue(text, kind), source: variable }]
  })
}

function toValue(text: string, kind: Kind): unknown {
  if (kind === 'words') return text.split(/\s+/).filter(Boolean)
  if (kind === 'number') return /^\d+$/.test(text) ? Number(text) : text
  if (kind === 'text') return text
  return text
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean)
}

/** @param listen what the address is without flags, since `--port` and `--listen` change half of it. */
export function readFlags(flags: SettingsFlags, listen: string): Override[] {
  const all: readonly [path: Override['path'], flag: string, value: unknown][] = [
    [['server', 'public_url'], '--public-url', flags.publicUrl],
    [['server', 'data_dir'], '--data', flags.data],
    [['server', 'master_key_file'], '--master-key-file', flags.masterKeyFile],
    [['store', 'url'], '--store', flags.store],
    [['nomad', 'address'], '--nomad', flags.nomad],
    [['server', 'listen'], '--listen', toAddress(flags, listen)],
  ]
  return all.flatMap(([path, flag, value]) => {
    return value === undefined ? [] : [{ path, value, source: flag }]
  })
}

function toAddress(flags: SettingsFlags, listen: string): string | undefined {
  if (flags.listen === undefined && flags.port === undefined) return undefined
  const given = splitAddress(flags.listen ?? '')
  const standing = splitAddress(listen)
  return `${given.host || standing.host}:${flags.port ?? (given.port || standing.port)}`
}

/** `[::1]:8080`, `ci.example:8080`, or a host alone; a bare IPv6 address gets its brackets. */
function splitAddress(text: string): { host: string; port: string } {
  if (/^[^[\]]*:[^[\]]*:/.test(text)) return { host: `[${text}]`, port: '' }
  const [, host = '', port = ''] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(text) ?? []
  return { host, port }
}
