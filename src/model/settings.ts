/**
 * The settings of scheduler and fleet, after flags, environment and file are merged.
 *
 * Durations and sizes are texts in the file (`"10m"`, `"1GiB"`) and numbers here. Unknown keys are
 * refused: a misspelt limit that silently does nothing is worse than a start that fails.
 */
import { z } from 'zod'
import { findPoolProblems, pool } from './pool-settings.ts'
import { BUILT_IN_CLASSES } from './resource-class.ts'
import { duration, size } from './setting-types.ts'

const httpUrl = z.url({ protocol: /^https?$/ })

const server = z.strictObject({
  /** `host:port`; port 0 takes a free one. */
  listen: z
    .string()
    .regex(/^(?:\[[^\]]+\]|[^:\s]*):\d{1,5}$/, 'expected host:port')
    .default('127.0.0.1:8080'),
  /** Where agents reach the server, when it is not the listening address. */
  public_url: httpUrl.optional(),
  data_dir: z.string().default('.caravan'),
  master_key_file: z.string().optional(),
})

const nomad = z.strictObject({
  address: httpUrl.default('http://127.0.0.1:4646'),
  namespace: z.string().default('default'),
  region: z.string().optional(),
  datacenters: z.array(z.string()).min(1).default(['*']),
  /** Path of a job template; the one that ships with Caravan when absent. */
  template: z.string().optional(),
  token: z.string().optional(),
  ca_cert: z.string().optional(),
  client_cert: z.string().optional(),
  client_key: z.string().optional(),
  tls_server_name: z.string().optional(),
  /** Program and first arguments that start the agent on a client. */
  agent_command: z.array(z.string()).min(1).optional(),
})

const limits = z.strictObject({
  output: size.prefault('1GiB'),
  max_run_time: duration.prefault('5h'),
  no_output: duration.prefault('10m'),
  orphan: duration.prefault('30m'),
  /** From placed to claimed. */
  start: duration.prefault('10m'),
  lease: duration.prefault('60s'),
  infrastructure_retries: z.number().int().min(0).max(10).default(2),
  /** Of one token, or of one address where no token is known; five times as many in a burst. */
  requests_per_second: z.number().int().min(1).max(100_000).default(200),
  /** Of the agent of one slice. */
  agent_requests_per_second: z.number().int().min(1).max(100_000).default(500),
  /** Wrong tokens from one address; as many in a burst. */
  failed_logins_per_minute: z.number().int().min(1).max(100_000).default(30),
})

const resourceClass = z.strictObject({
  name: z.string(),
  vcpu: z.number().positive(),
  /** MiB. */
  memory: z.number().int().positive(),
  node_class: z.string().min(1).default('linux-64bit'),
  /** One, or several in order of preference: the next one grows while those before it can not. */
  pool: z
    .union([z.string().transform((one) => [one]), z.array(z.string()).min(1, 'names no pool')], {
      error: 'neither the name of a pool nor a list of names',
    })
    .optional(),
})

/** What a proxy variable holds. */
const proxy = z.string().regex(/^[^\s\0]+$/, 'expected a proxy such as "http://10.0.0.33:3128"')

/** What jobs in containers find in their environment. */
const containers = z.strictObject({
  http_proxy: proxy.optional(),
  https_proxy: proxy.optional(),
  /** Hosts that are asked without a proxy. */
  no_proxy: z.array(z.string().min(1)).optional(),
})

const store = z.strictObject({
  /** `sqlite:FILE`, counted from the data directory, or `postgres://...`. */
  url: z
    .string()
    .regex(/^(?:sqlite:.|postgres(?:ql)?:\/\/)/, 'expected sqlite:FILE or postgres://...')
    .default('sqlite:caravan.db'),
})

const metrics = z.strictObject({
  /** `host:port` of a DogStatsD server, or `unix:///path` of its socket; nothing is sent when absent. */
  statsd: z
    .string()
    .regex(
      /^(?:unix:\/\/\/.+|(?:\[[^\]]+\]|[^:\s]+):\d{1,5})$/,
      'expected host:port or unix:///path',
    )
    .optional(),
  /** On everything that this server tells. */
  tags: z.record(z.string().regex(/^[a-z][a-z0-9_]{0,99}$/), z.string()).default({}),
})

const all = z.strictObject({
  server: server.prefault({}),
  nomad: nomad.prefault({}),
  store: store.prefault({}),
  limits: limits.prefault({}),
  containers: containers.prefault({}),
  metrics: metrics.prefault({}),
  class: z.array(resourceClass).default([]),
  pool: z.array(pool).default([]),
  /** Bearer tokens that are accepted; without any, the server listens on loopback only. */
  tokens: z.array(z.string().min(16, 'is shorter than 16 characters')).default([]),
})

export const settings = all.superRefine(
  ({ store: { url }, server: { master_key_file }, pool: pools, class: classes }, context) => {
    for (const { path, message } of findPoolProblems(pools, classes)) {
      context.addIssue({ code: 'custom', path, message })
    }
    if (!url.startsWith('postgres') || master_key_file !== undefined) return
    // A key that a data directory made for itself would be another one on the next machine.
    const message = 'with PostgreSQL, name the master key with server.master_key_file'
    context.addIssue({ code: 'custom', path: ['store', 'url'], message })
  },
)
export type Settings = z.infer<typeof settings>
export type SettingsInput = z.input<typeof settings>

/** The built-in classes, overlaid by those of the settings file. */
export function toResourceClasses(declared: Settings['class']) {
  const classes = new Map(BUILT_IN_CLASSES.map((each) => [each.name, each]))
  for (const each of declared) {
    classes.set(each.name, {
      name: each.name,
      vcpu: each.vcpu,
      memoryMiB: each.memory,
      nodeClass: each.node_class,
      ...(each.pool === undefined ? {} : { pools: each.pool }),
    })
  }
  return classes
}
