/**
 * Calls to Nomad: namespace, region and token, repetition where it is safe, and one kind of error for
 * every way to fail.
 */
import type { Readable } from 'node:stream'
import { isCaravanError } from '../model/index.ts'
import {
  type Clock,
  type HttpClient,
  HttpError,
  type HttpQuery,
  type HttpStreamRequest,
  type Log,
  type RandomSource,
  type TlsOptions,
  backoffMs,
  createHttpClient,
  sleep,
} from '../platform/index.ts'
import type { Check } from './check.ts'
import {
  type FailedCall,
  answeredFailure,
  isRepeatable,
  malformedFailure,
  refuseLost,
  transportFailure,
} from './failure.ts'

export interface NomadClientOptions {
  /** `http://host:port`, `https://...`, or `unix:///path` of an agent's socket. */
  address: string
  token?: string
  /** Defaults to `default`. */
  namespace?: string
  /** The region of the agent itself when absent. */
  region?: string
  tls?: TlsOptions
  /** Calls at once; more wait their turn. */
  connectionsMax?: number
  /** Watches and event streams at once. */
  watchesMax?: number
  /** Of a whole call; enough for a server without a leader and a slow replicated log when absent. */
  timeoutMs?: number
  /** How often a call is tried in all. */
  triesMax?: number
  /** Whether memory counts more than speed. */
  small?: boolean
  clock: Clock
  random: RandomSource
  log: Log
}

export interface Call<T> extends StreamCall {
  check: Check<T>
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  json?: unknown
  /** Whether the answer is text in place of JSON. */
  plain?: boolean
  /** Whether an object that Nomad does not have is checked as null, in place of an error. */
  optional?: boolean
  timeoutMs?: number
}

export interface StreamCall {
  /** Completes "to": `register job x`. */
  purpose: string
  path: string
  query?: HttpQuery
  signal?: AbortSignal | undefined
  namespace?: string | undefined
}

export interface Reply<T> {
  value: T
  /** X-Nomad-Index; 0 when there is none. */
  index: number
  /** X-Nomad-NextToken; empty on the last page. */
  next: string
}

/** With the watches at most 32 of the 100 connections that Nomad allows one address by default. */
const CONNECTIONS_MAX = 24
const WATCHES_MAX = 8
/** A server holds a call 5 s for want of a leader, and waits 30 s for its replicated log. */
const TIMEOUT_MS = 40_000
/** The pauses add up to more than an election takes. */
const TRIES_MAX = 5
const PAUSE = { baseMs: 200, maxMs: 2_000 }
/** A refusal is a sentence; more of it is no refusal of Nomad's. */
const REFUSAL_BYTES_MAX = 64 * 1024

export class Transport {
  readonly namespace: string
  readonly clock: Clock
  readonly random: RandomSource
  readonly log: Log
  readonly #address: string
  readonly #region: string | undefined
  readonly #timeoutMs: number
  readonly #triesMax: number
  readonly #calls: HttpClient
  readonly #waits: HttpClient
  #closed = false

  /** @throws CaravanError INPUT_INVALID when the address is none. */
  constructor(options: NomadClientOptions) {
    this.namespace = options.namespace ?? 'default'
    this.clock = options.clock
    this.random = options.random
    this.log = options.log
    this.#address = options.address
    this.#region = options.region
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS
    this.#triesMax = options.triesMax ?? TRIES_MAX
    this.#calls = openHttp(options, options.connectionsMax ?? CONNECTIONS_MAX)
    this.#waits = openHttp(options, options.watchesMax ?? WATCHES_MAX)
  }

  /** Repeated on passing faults. */
  async read<T>(call: Call<T>): Promise<T> {
    return (await this.#repeat(call, 'read')).value
  }

  /** The same, with null for what Nomad does not have. */
  async find<T>(call: Call<T>): Promise<T | null> {
    return (await this.#repeat(optional(call), 'read')).value
  }

  /** The same as `read`, with what the headers say. */
  readPage<T>(call: Call<T>): Promise<Reply<T>> {
    return this.#repeat(call, 'read')
  }

  /** Repeated only while nothing can have reached Nomad. */
  write<T>(call: Call<T>): Promise<Reply<T>> {
    return this.#repeat(call, 'write')
  }

  /** One try of a read that Nomad may hold back, on a connection kept for such; null as in `find`. */
  wait<T>(call: Call<T>): Promise<Reply<T | null>> {
    return this.#once(this.#waits, optional(call), 'read')
  }

  /** One try of an answer without end, on a connection kept for such; it ends when silent for long. */
  async stream(call: StreamCall & { silenceMaxMs: number }): Promise<Readable> {
    const failed = this.#describe(call, 'read')
    try {
      const request = { ...this.#toRequest(call), idleTimeoutMs: call.silenceMaxMs }
      const answer = await this.#waits.stream(request)
      if (answer.status === 200) return answer.body
      const text = await readStart(answer.body)
      throw answeredFailure(failed, { ...answer, text: () => text })
    } catch (error) {
      throw toFailure(error, failed, call.signal)
    }
  }

  /** Ends everything in flight. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([this.#calls.close(), this.#waits.close()])
  }

  async #repeat<T>(call: Call<T>, kind: FailedCall['kind']): Promise<Reply<T>> {
    const pause = { ...PAUSE, random: () => this.random.number() }
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#once(this.#calls, call, kind)
      } catch (cause) {
        if (this.#closed || tries === this.#triesMax || !isRepeatable(cause, kind)) throw cause
        this.log.warn('call to Nomad failed, trying again', { purpose: call.purpose, tries, cause })
      }
      await sleep(this.clock, backoffMs(tries - 1, pause), call.signal)
      call.signal?.throwIfAborted()
    }
  }

  async #once<T>(http: HttpClient, call: Call<T>, kind: FailedCall['kind']): Promise<Reply<T>> {
    const failed = this.#describe(call, kind)
    const response = await http.request(this.#toRequest(call)).catch((error: unknown) => {
      throw toFailure(error, failed, call.signal)
    })
    const { status } = response
    const refusal = status === 200 ? null : answeredFailure(failed, response)
    const missing = call.optional === true && isCaravanError(refusal, 'NOMAD_NOT_FOUND')
    if (refusal && !missing) throw refusal
    if (call.query?.['stale'] === true) refuseLost(failed, response)
    try {
      const body = missing ? null : call.plain ? response.text() : response.json()
      const value = call.check(body)
      const index = Number(response.header('x-nomad-index') ?? 0)
      return { value, index, next: response.header('x-nomad-nexttoken') ?? '' }
    } catch (cause) {
      throw malformedFailure(failed, cause)
    }
  }

  #toRequest(call: Omit<Call<unknown>, 'check'>): HttpStreamRequest {
    const namespace = call.namespace ?? this.namespace
    return {
      method: call.method ?? 'GET',
      path: call.path,
      query: { namespace, region: this.#region, ...call.query },
      json: call.json,
      signal: call.signal,
      timeoutMs: call.timeoutMs ?? this.#timeoutMs,
    }
  }

  #describe({ purpose }: StreamCall, kind: FailedCall['kind']): FailedCall {
    return { kind, purpose, address: this.#address }
  }
}

function openHttp(options: NomadClientOptions, connectionsMax: number): HttpClient {
  const { address, token, tls, clock } = options
  const socketPath = /^unix:\/\/(\/.+)$/.exec(address)?.[1]
  return createHttpClient({
    baseUrl: socketPath === undefined ? address : 'http://localhost',
    connectionsMax,
    clock,
    ...(options.small === undefined ? {} : { small: options.small }),
    ...(socketPath === undefined ? {} : { socketPath }),
    ...(token === undefined ? {} : { headers: { 'x-nomad-token': token } }),
    ...(tls === undefined ? {} : { tls }),
  })
}

function optional<T>(call: Call<T>): Call<T | null> {
  return { ...call, optional: true, check: (value) => (value === null ? null : call.check(value)) }
}

/** An abort of the caller is told in the caller's words. */
function toFailure(error: unknown, call: FailedCall, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason
  return error instanceof HttpError ? transportFailure(call, error) : error
}

async function readStart(body: Readable): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    length += chunk.length
    if (length > REFUSAL_BYTES_MAX) break
  }
  return Buffer.concat(chunks).toString('utf8')
}
