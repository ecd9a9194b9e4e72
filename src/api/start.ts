/** Starts the HTTP API of a scheduler. */
import type { AddressInfo } from 'node:net'
import { CaravanError, settings } from '../model/index.ts'
import { noMetrics, type Clock, type Log } from '../platform/index.ts'
import type { Scheduler } from '../scheduler/index.ts'
import { createAccess, isLoopback } from './access.ts'
import { type App, createApp } from './app.ts'
import { addGuard } from './guard.ts'
import { createRateLimits, type RateSettings } from './rate-limits.ts'
import { addAgentRoutes } from './routes/agent.ts'
import { addBuildRoutes } from './routes/builds.ts'
import { addDemandRoutes } from './routes/demand.ts'
import type { RouteDeps } from './routes/deps.ts'
import { addHealthRoutes } from './routes/health.ts'
import { type ApiMetrics, addMetricRoutes, countRequests } from './routes/metrics.ts'
import { addOutputRoutes } from './routes/output.ts'
import { addSourceRoutes } from './routes/sources.ts'
import { addTokenRoutes } from './routes/tokens.ts'

export interface ApiOptions {
  scheduler: Scheduler
  listen: { host: string; port: number }
  /** Tokens of the settings file, of admins; without these and others, it listens on loopback only. */
  tokens: readonly string[]
  /** How often anybody may call. */
  limits?: RateSettings
  clock: Clock
  log: Log
  /** Of Caravan, told to whoever asks for the health. */
  version: string
  /** The largest source that is taken. */
  sourceBytesMax?: number
  /** Without, nothing is counted and `/metrics` is empty. */
  metrics?: ApiMetrics
}

export interface Api {
  /** How to reach it from this machine. */
  url: string
  port: number
  /** Takes no new requests, ends what waits, lets the rest finish; at most 2 s. */
  close(): Promise<void>
}

/** A bundle of a repository with a long history; the disk has to hold a few of them. */
const SOURCE_BYTES_MAX = 1024 ** 3

/** What has not finished by then is cut, so that a stop stays within its 2 s. */
const CLOSE_GRACE_MS = 1500

const NO_METRICS: ApiMetrics = {
  sink: noMetrics,
  exposition: () => Promise.resolve(''),
  contentType: 'text/plain; charset=utf-8',
}

/**
 * @throws CaravanError SETTINGS_INVALID when it would be open to the network without a token, or when
 * the address cannot be used.
 */
export async function startApi(options: ApiOptions): Promise<Api> {
  const { listen, tokens, scheduler, clock, log, version } = options
  const { sourceBytesMax = SOURCE_BYTES_MAX } = options
  if (tokens.length + scheduler.tokens.size === 0 && !isLoopback(listen.host)) {
    throw new CaravanError(
      'SETTINGS_INVALID',
      `without tokens the server listens on loopback only, not on ${listen.host}: configure a token, make one with "caravan token create --role admin", or listen on 127.0.0.1`,
    )
  }
  const stop = new AbortController()
  const stopping = stop.signal
  const app = await createApp({ clock, log, version, stopping })
  const metrics = options.metrics ?? NO_METRICS
  countRequests(app, metrics.sink)
  const { tokens: book, agents } = scheduler
  addGuard(app, {
    callers: createAccess({ tokens, book, isLocal: isLoopback(listen.host) }),
    book,
    agents,
    limits: createRateLimits(options.limits ?? settings.parse({}).limits, clock),
  })
  await addRoutes(app, { scheduler, clock, log, version, stopping, sourceBytesMax })
  addMetricRoutes(app, metrics)
  const port = await open(app, listen)
  const close = async () => {
    stop.abort()
    const cut = clock.after(CLOSE_GRACE_MS, () => app.server.closeAllConnections())
    await app.close()
    cut.cancel()
  }
  let closing: Promise<void> | null = null
  return { url: toUrl(listen.host, port), port, close: () => (closing ??= close()) }
}

async function addRoutes(app: App, deps: RouteDeps): Promise<void> {
  addHealthRoutes(app, deps)
  // People and agents send bytes of different kinds.
  await app.register(async (people: App) => {
    addBuildRoutes(people, deps)
    addDemandRoutes(people, deps)
    addOutputRoutes(people, deps)
    addSourceRoutes(people, deps)
    addTokenRoutes(people, deps)
  })
  await app.register(async (agents: App) => addAgentRoutes(agents, deps))
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
}

async function open(app: App, { host, port }: ApiOptions['listen']): Promise<number> {
  try {
    // One address, where the name stands for two: a port of 0 would give each its own.
    await app.listen({ host: host === 'localhost' ? '127.0.0.1' : host, port })
    return (app.server.address() as AddressInfo).port
  } catch (cause) {
    await app.close()
    const why = LISTEN_FAULTS[(cause as NodeJS.ErrnoException).code ?? ''] ?? 'it cannot be used'
    throw new CaravanError('SETTINGS_INVALID', `cannot listen on ${host}:${port}: ${why}`, {
      cause,
    })
  }
}

const LISTEN_FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process does, stop it or choose another with --port',
  EACCES: 'only root may, choose a port above 1023',
  EADDRNOTAVAIL: 'this machine does not have the address',
  ENOTFOUND: 'there is no such host',
}

/** An address that stands for all of them is no address to connect to. */
function toUrl(host: string, port: number): string {
  const all: Readonly<Record<string, string>> = {
    '0.0.0.0': '127.0.0.1',
    '::': '::1',
    localhost: '127.0.0.1',
  }
  const address = all[host] ?? host
  return `http://${address.includes(':') ? `[${address}]` : address}:${port}`
}
