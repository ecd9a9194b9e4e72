/**
 * The server's side of the agent protocol, strict: whatever an agent may not do is written down in
 * `violations`, and every call can be delayed, refused, cut off or left hanging.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import {
  claimRequest,
  type Control,
  controlQuery,
  eventsRequest,
  outputQuery,
  type Task,
} from '../../../src/model/index.ts'
import { ReceivedSlice } from './received-slice.ts'

export type CallName = 'claim' | 'accept' | 'events' | 'output' | 'control' | 'why' | 'source'

/** What to do instead of, before or after answering the n-th call (from 1) of its name. */
export type Trouble =
  | { status: number; error?: string; retryAfter?: number }
  /** The connection breaks before or after the call has had its effect. */
  | { cut: 'before' | 'after' }
  | { delayMs: number }
  /** No answer at all. */
  | 'hang'

export interface ProtocolServerOptions {
  task: Task
  /** Bytes of the bundle. */
  source?: Buffer
  chunkBytes?: number
  leaseMs?: number
  flushMs?: number
  trouble?: (call: { name: CallName; count: number; epoch: number }) => Trouble | undefined
  /** What `why` answers with. */
  why?: Partial<Control>
  /** False when only length and hash of the outputs matter. */
  keepsBytes?: boolean
}

interface Answer {
  status: number
  body: unknown
  headers?: Record<string, string>
}

export const SLICE = '0123456789abcdef01234567-0'
export const TOKEN = 'claim-token-of-the-slice'
const CHUNK_BYTES = 1024 * 1024
const toSession = (epoch: number) => `session-of-epoch-${epoch}`

export class ProtocolServer extends ReceivedSlice {
  readonly calls: Record<CallName, number> = {
    claim: 0,
    accept: 0,
    events: 0,
    output: 0,
    control: 0,
    why: 0,
    source: 0,
  }
  readonly #options: ProtocolServerOptions
  readonly #server = createServer((request, response) => void this.#handle(request, response))
  #control: Control
  #claimId: string | null = null
  #wakePolls: (() => void)[] = []
  #watchers: (() => void)[] = []
  #epoch = 1
  #outputsNow = 0
  isFenced = false
  /** The slice has ended without its agent: of that only output is still taken. */
  isOver = false
  /** The most calls of `output` that were under way together. */
  outputsAtOnce = 0
  url = ''

  private constructor(options: ProtocolServerOptions) {
    super({ keepsBytes: options.keepsBytes ?? true })
    this.#options = options
    this.#control = { version: 1, action: 'none', flush_ms: options.flushMs ?? 5, mask: [] }
  }

  static async start(t: Test, options: ProtocolServerOptions): Promise<ProtocolServer> {
    const server = new ProtocolServer(options)
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    server.url = `http://127.0.0.1:${(server.#server.address() as AddressInfo).port}`
    t.teardown(async () => {
      server.#wake()
      server.#server.closeAllConnections()
      await new Promise((resolve) => server.#server.close(resolve))
    })
    return server
  }

  /** Changes the orders and wakes whoever polls for them. */
  order(change: Partial<Control>): void {
    this.#control = { ...this.#control, ...change, version: this.#control.version + 1 }
    this.#wake()
  }

  fence(): void {
    this.isFenced = true
    this.#wake()
  }

  /** The slice gets a new epoch, which only another agent may claim. */
  replace(): void {
    this.#epoch += 1
    this.#claimId = null
    this.reset()
    this.#wake()
  }

  /** Waits until something that the agent did makes it true. */
  async until(condition: () => boolean, limitMs = 10_000): Promise<void> {
    const late = AbortSignal.timeout(limitMs)
    while (!condition()) {
      if (late.aborted) throw new Error(`never came true: ${String(condition)}`)
      await new Promise<void>((resolve) => {
        this.#watchers.push(resolve)
        late.addEventListener('abort', () => resolve(), { once: true })
      })
    }
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url)
    const match = /^\/api\/v1\/agent\/([^/]+)\/(\d+)\/(\w+)$/.exec(url.pathname)
    const name = match?.[3] as CallName
    if (match === null || !(name in this.calls)) this.violate(`no such call: ${url.pathname}`)
    if (match?.[1] !== SLICE) this.violate(`wrong slice: ${url.pathname}`)
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer)
    } catch {
      // The agent gave this call up, which it may at any time.
      return
    }
    this.calls[name] += 1
    if (name === 'output') this.#countOutputs(response)
    this.#look()
    const epoch = Number(match?.[2])
    const called = { name, count: this.calls[name], epoch }
    const trouble = this.#options.trouble?.(called)
    if (trouble === 'hang') return
    if (trouble && 'delayMs' in trouble)
      await new Promise((resolve) => setTimeout(resolve, trouble.delayMs))
    if (trouble && 'cut' in trouble && trouble.cut === 'before')
      return void request.socket.destroy()
    if (trouble && 'status' in trouble) {
      const headers = trouble.retryAfter ? { 'retry-after': String(trouble.retryAfter) } : {}
      const body = { error: trouble.error ?? 'SERVER_ERROR', message: 'trouble', details: {} }
      return send(response, { status: trouble.status, body, headers })
    }
    const answer = await this.#answer({ name, url, epoch, request, body: Buffer.concat(chunks) })
    this.#look()
    // While a poll was held the network may have gone.
    const last = name === 'control' ? this.#options.trouble?.(called) : trouble
    if (typeof last === 'object' && 'cut' in last) return void request.socket.destroy()
    send(response, answer)
  }

  async #answer(call: {
    name: CallName
    url: URL
    epoch: number
    request: IncomingMessage
    body: Buffer
  }): Promise<Answer> {
    if (this.isFenced || call.epoch !== this.#epoch) return refuse(409, 'fenced')
    if (this.isOver && call.name !== 'output') return refuse(409, 'fenced')
    if (call.name === 'claim') return this.#claim(call.body)
    if (call.request.headers.authorization !== `Bearer ${toSession(call.epoch)}`) {
      this.violate(`${call.name} without the session`)
      return refuse(401, 'UNAUTHORIZED')
    }
    const isOver = this.sliceFinished !== undefined
    switch (call.name) {
      case 'accept':
        return this.#ok({})
      case 'events':
        return this.#ok({
          applied: this.applyEvents(eventsRequest.parse(toJson(call.body)).events),
        })
      case 'output':
        return this.#takeOutput(call.url, call.body)
      case 'control':
        return isOver ? refuse(409, 'fenced') : await this.#poll(call.url, call.epoch)
      case 'why':
        return { status: 200, body: { control: { ...this.#control, ...this.#options.why } } }
      case 'source':
        return { status: this.#options.source ? 200 : 404, body: this.#options.source ?? {} }
    }
  }

  #claim(body: Buffer): Answer {
    const claim = claimRequest.parse(toJson(body))
    if (claim.token !== TOKEN) return refuse(403, 'bad_token')
    this.#claimId ??= claim.claim_id
    if (this.#claimId !== claim.claim_id) return refuse(409, 'taken')
    return this.#ok({
      session: toSession(this.#epoch),
      lease_ms: this.#options.leaseMs ?? 60_000,
      server_time_ms: 1_800_000_000_000,
      chunk_bytes: this.#options.chunkBytes ?? CHUNK_BYTES,
      task: this.#options.task,
    })
  }

  #takeOutput(url: URL, body: Buffer): Answer {
    const { step, offset } = outputQuery.parse(Object.fromEntries(url.searchParams))
    if (body.length > (this.#options.chunkBytes ?? CHUNK_BYTES))
      this.violate('a chunk is too large')
    return this.#ok({ have: this.takeOutput(step, offset, body) })
  }

  async #poll(url: URL, epoch: number): Promise<Answer> {
    const { seen, wait_ms } = controlQuery.parse(Object.fromEntries(url.searchParams))
    if (this.#control.version <= seen && !this.isFenced) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, wait_ms)
        this.#wakePolls.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
    const isOurs = !this.isFenced && !this.isOver && epoch === this.#epoch
    return isOurs ? this.#ok({}) : refuse(409, 'fenced')
  }

  #countOutputs(response: ServerResponse): void {
    this.#outputsNow += 1
    this.outputsAtOnce = Math.max(this.outputsAtOnce, this.#outputsNow)
    response.once('close', () => (this.#outputsNow -= 1))
  }

  #ok(body: Record<string, unknown>): Answer {
    return { status: 200, body: { ...body, control: this.#control } }
  }

  #wake(): void {
    for (const wake of this.#wakePolls.splice(0)) wake()
  }

  #look(): void {
    for (const look of this.#watchers.splice(0)) look()
  }
}

function refuse(status: number, error: string): Answer {
  return { status, body: { error, message: `refused as ${error}`, details: {} } }
}

function send(response: ServerResponse, { status, body, headers }: Answer): void {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body))
  response.writeHead(status, { 'content-length': bytes.length, ...headers })
  response.end(bytes)
}

function toJson(body: Buffer): unknown {
  return JSON.parse(body.toString())
}
