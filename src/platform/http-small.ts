/**
 * Requests by Node's own HTTP, for programs that have to stay small: undici takes a third of their memory. Told
 * to an exchange as undici's pool would.
 */
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { RequestOptions } from 'node:https'
import { Readable } from 'node:stream'
import { loadHttp, loadHttps } from './node-http.ts'

export interface SmallPoolOptions {
  connections: number
  connectTimeoutMs: number
  socketPath?: string
  /** PEM texts. */
  tls: { ca?: string; cert?: string; key?: string; servername?: string }
}

/** The part of a pool that exchanges need. */
export interface RequestPool {
  dispatch(details: RequestDetails, run: Told): unknown
  /** Ends everything in flight. */
  destroy(): Promise<void>
}

/** As undici has them. */
interface RequestDetails {
  method: string
  path: string
  headers?: unknown
  body?: unknown
}

/** Who is told what becomes of a request. */
interface Told {
  onRequestStart(controller: Controller): void
  onResponseStart(controller: Controller, status: number, headers: Headers): void
  onResponseData(controller: Controller, chunk: Buffer): void
  onResponseEnd(): void
  onResponseError(controller: Controller, cause: Error): void
}

interface Controller {
  abort(reason: Error): void
  pause(): void
  resume(): void
}

type Headers = Readonly<Record<string, string | string[] | undefined>>

/** A connection that rests for longer may have been closed by the other side, which is seen too late. */
const IDLE_MS = 4_000

/** @param origin `http://host:port` or `https://...` */
export function openSmallPool(
  origin: string,
  { connections, connectTimeoutMs, socketPath, tls }: SmallPoolOptions,
): RequestPool {
  const { protocol, hostname, port } = new URL(origin)
  const isSecure = protocol === 'https:'
  // TLS takes some MB, too: loaded where it is spoken.
  const { Agent, request } = isSecure ? loadHttps() : loadHttp()
  const agent = new Agent({ keepAlive: true, maxSockets: connections, ...(isSecure ? tls : {}) })
  // The agent ends a resting connection that has waited for longer than its own timeout.
  agent.on('free', (socket) => void socket.setTimeout(IDLE_MS))
  const target: RequestOptions = {
    agent,
    protocol,
    hostname: hostname.replace(/^\[(.*)\]$/, '$1'),
    ...(port === '' ? {} : { port }),
    ...(socketPath === undefined ? {} : { socketPath }),
  }
  const open = new Set<ClientRequest>()
  /** Connections that were made, and may be used again. */
  const ready = new WeakSet<object>()
  return {
    dispatch({ method, path, headers, body }, run) {
      const outgoing = request({ ...target, method, path, headers: headers as Headers })
      open.add(outgoing)
      outgoing.on('close', () => open.delete(outgoing))
      tellOf(outgoing, run, { ready, isSecure, connectTimeoutMs })
      if (body instanceof Readable) body.on('error', (e) => outgoing.destroy(e)).pipe(outgoing)
      else outgoing.end(body ?? undefined)
    },
    destroy() {
      for (const outgoing of open) outgoing.destroy(new ClosedError('ended by our side'))
      agent.destroy()
      return Promise.resolve()
    },
  }
}

function tellOf(
  outgoing: ClientRequest,
  run: Told,
  about: { ready: WeakSet<object>; isSecure: boolean; connectTimeoutMs: number },
): void {
  const { ready, isSecure, connectTimeoutMs } = about
  let incoming: IncomingMessage | null = null
  const controller: Controller = {
    abort: (reason) => void outgoing.destroy(reason),
    pause: () => void incoming?.pause(),
    resume: () => void incoming?.resume(),
  }
  const fail = (cause: Error) => run.onResponseError(controller, toKnown(cause))
  outgoing.on('error', fail)
  outgoing.on('socket', (socket) => {
    const start = () => {
      socket.setTimeout(0)
      run.onRequestStart(controller)
    }
    if (ready.has(socket)) return start()
    const late = () => void outgoing.destroy(new Error(`no connection in ${connectTimeoutMs} ms`))
    socket.setTimeout(connectTimeoutMs, late)
    socket.once(isSecure ? 'secureConnect' : 'connect', () => {
      socket.off('timeout', late)
      ready.add(socket)
      start()
    })
  })
  outgoing.on('response', (response) => {
    incoming = response
    run.onResponseStart(controller, response.statusCode ?? 0, response.headers)
    response.on('data', (chunk: Buffer) => run.onResponseData(controller, chunk))
    response.on('end', () => run.onResponseEnd())
    response.on('error', fail)
  })
}

/** With the code that undici has for it. */
class ClosedError extends Error {
  readonly code = 'UND_ERR_DESTROYED'
}

/** What is no HTTP has the name that undici gives to it. */
function toKnown(cause: NodeJS.ErrnoException): Error {
  if (cause.code?.startsWith('HPE_') !== true) return cause
  const error = new Error(cause.message, { cause })
  error.name = 'HTTPParserError'
  return error
}
