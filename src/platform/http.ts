/**
 * HTTP as a client: the one place that knows undici, which is loaded with the first request.
 *
 * What a caller must know after a failure is whether the server can have acted. `HttpError.sent` tells:
 * false only when provably not one byte of the request was written.
 */
import type { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import { CaravanError } from '../model/index.ts'
import type { Clock } from './clock.ts'
import {
  type ExchangeOptions,
  GatheredExchange,
  HttpError,
  type HttpFault,
  type HttpHead,
  StreamedExchange,
} from './http-exchange.ts'
import type { RequestPool } from './http-small.ts'

export { HttpError, type HttpFault, type HttpHead }

export interface HttpClient {
  /** Reads the whole answer, whatever its status. @throws HttpError */
  request(request: HttpRequest): Promise<HttpResponse>
  /** Answers with the headers; the body must be read to its end or destroyed. @throws HttpError */
  stream(request: HttpStreamRequest): Promise<HttpStream>
  /** Ends everything in flight. */
  close(): Promise<void>
}

export interface HttpClientOptions {
  /** `http://host:port` or `https://...`; its path is put before the path of every request. */
  baseUrl: string
  /** Sent with every request. */
  headers?: Readonly<Record<string, string>>
  /** PEM texts, as read from their files. */
  tls?: TlsOptions
  /** A unix socket to connect to in place of the host of `baseUrl`. */
  socketPath?: string
  connectionsMax?: number
  connectTimeoutMs?: number
  /** By Node's own HTTP, which takes less memory than undici and tells the same. */
  small?: boolean
  clock: Clock
}

export interface TlsOptions {
  ca?: string
  cert?: string
  key?: string
  serverName?: string
}

export interface HttpStreamRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD'
  /** Starts with a slash, is percent-encoded and holds no query. */
  path: string
  /** Lists become repeated parameters; undefined ones are left out. */
  query?: HttpQuery
  headers?: Readonly<Record<string, string>>
  body?: Buffer | string | Readable
  /** In place of `body`. */
  json?: unknown
  signal?: AbortSignal | undefined
  /** From the call to the end of the answer, of a stream to its headers. */
  timeoutMs?: number
  /** The longest silence of a streamed body that is being read; endless when absent. */
  idleTimeoutMs?: number
}

export interface HttpRequest extends Omit<HttpStreamRequest, 'idleTimeoutMs'> {
  /** The longest answer that is taken. */
  bytesMax?: number
}

export type HttpQuery = Readonly<Record<string, QueryValue | readonly QueryValue[] | undefined>>
type QueryValue = string | number | boolean

export interface HttpResponse extends HttpHead {
  bytes: Buffer
  text(): string
  /** @throws HttpError with fault `malformed`. */
  json(): unknown
}

export interface HttpStream extends HttpHead {
  body: Readable
}

/** Well below the 100 connections that Nomad allows one address. */
const CONNECTIONS_MAX = 32
/** Longer than a lost SYN and its second try. */
const CONNECT_TIMEOUT_MS = 5_000
const TIMEOUT_MS = 30_000
/** A page of a thousand nodes with resources is about 5 MB. */
const BYTES_MAX = 64 * 1024 ** 2
/** Requests that wait for a connection. More means that nobody limits how many are made at once. */
const WAITING_MAX = 10_000

/** @throws CaravanError INPUT_INVALID when `baseUrl` is no http(s) URL. */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const base = parseBase(options.baseUrl)
  let pool: Promise<RequestPool> | undefined
  let waiting = 0
  let closed = false

  const open = (request: HttpStreamRequest): ExchangeOptions => {
    const target = `${request.method} ${base.origin}${base.path}${request.path}`
    const refusal = whyNot(request.signal, { closed, waiting })
    if (refusal) {
      const [fault, what] = refusal
      const cause: unknown = request.signal?.reason
      throw new HttpError(fault, { sent: false, message: `${target} ${what}`, cause })
    }
    waiting += 1
    return {
      target,
      upload: request.body,
      signal: request.signal,
      clock: options.clock,
      timeoutMs: request.timeoutMs ?? TIMEOUT_MS,
      onDequeued: () => (waiting -= 1),
    }
  }

  const dispatch = (
    details: Dispatcher.DispatchOptions,
    run: GatheredExchange | StreamedExchange,
  ) => {
    pool ??= openPool(base.origin, options)
    pool.then(
      (ready) => ready.dispatch(details, run),
      (cause: Error) => run.onResponseError(null, cause),
    )
  }

  return {
    async request({ bytesMax = BYTES_MAX, ...request }) {
      const details = toDispatchOptions(request, base.path, options.headers)
      const run = new GatheredExchange(open(request), bytesMax)
      dispatch(details, run)
      const { head, bytes } = await run.answer
      return { ...head, ...bodyOf(bytes, request.path) }
    },
    async stream({ idleTimeoutMs, ...request }) {
      const details = toDispatchOptions(request, base.path, options.headers)
      const run = new StreamedExchange(open(request), idleTimeoutMs)
      dispatch(details, run)
      const { head, body } = await run.answer
      return { ...head, body }
    },
    async close() {
      closed = true
      await (await pool)?.destroy()
    },
  }
}

function whyNot(
  signal: AbortSignal | undefined,
  state: { closed: boolean; waiting: number },
): [HttpFault, string] | null {
  if (signal?.aborted) return ['aborted', 'was aborted']
  if (state.closed) return ['closed', 'came after the client was closed']
  if (state.waiting >= WAITING_MAX) return ['busy', 'found too many requests waiting']
  return null
}

async function openPool(origin: string, options: HttpClientOptions): Promise<RequestPool> {
  const { serverName, ...pems } = options.tls ?? {}
  const tls = { ...pems, ...(serverName === undefined ? {} : { servername: serverName }) }
  const socket = options.socketPath === undefined ? {} : { socketPath: options.socketPath }
  const connections = options.connectionsMax ?? CONNECTIONS_MAX
  const connectTimeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS
  if (options.small === true) {
    const { openSmallPool } = await import('./http-small.ts')
    return openSmallPool(origin, { connections, connectTimeoutMs, ...socket, tls })
  }
  // The pool alone: all of undici takes twice as long to load, and an agent is loaded for each slice.
  const { default: ClientPool } = await import('undici/lib/dispatcher/pool.js')
  return new ClientPool(origin, {
    connections,
    // One request a connection: servers limit connections, and a cut one then hurts one request only.
    allowH2: false,
    pipelining: 1,
    // The exchange has its own deadlines, on the clock that it is given.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { ...tls, ...socket, timeout: connectTimeoutMs },
  })
}

function toDispatchOptions(
  request: HttpStreamRequest,
  basePath: string,
  ownHeaders: Readonly<Record<string, string>> = {},
): Dispatcher.DispatchOptions {
  const isJson = request.json !== undefined
  return {
    method: request.method,
    path: basePath + request.path + toQueryText(request.query),
    headers: {
      ...(isJson ? { 'content-type': 'application/json' } : {}),
      ...ownHeaders,
      ...request.headers,
    },
    body: isJson ? JSON.stringify(request.json) : (request.body ?? null),
  }
}

function toQueryText(query: HttpQuery = {}): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    for (const each of [value ?? []].flat()) parameters.append(name, String(each))
  }
  return parameters.size === 0 ? '' : `?${parameters.toString()}`
}

function bodyOf(bytes: Buffer, target: string): Pick<HttpResponse, 'bytes' | 'text' | 'json'> {
  const text = () => bytes.toString('utf8')
  return {
    bytes,
    text,
    json() {
      try {
        const value: unknown = JSON.parse(text())
        return value
      } catch (cause) {
        const message = `${target} answered no valid JSON`
        throw new HttpError('malformed', { sent: true, message, cause })
      }
    },
  }
}

function parseBase(baseUrl: string): { origin: string; path: string } {
  const url = URL.parse(baseUrl)
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '') {
    // The text is not repeated here, since it may hold a password.
    throw new CaravanError(
      'INPUT_INVALID',
      'a server address must look like http://host:port, without a user, password or query',
    )
  }
  return { origin: url.origin, path: url.pathname.replace(/\/+$/, '') }
}
