/** Serves the routes over HTTP: the one file that knows the web framework. */
import { Readable } from 'node:stream'
import { fastify } from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Log } from '../../../platform/index.ts'
import { Refusal } from '../operations/refusal.ts'
import { plain } from './call.ts'
import type { Call, Methods, Reply, Routes } from './call.ts'
import { toReadHeaders } from './read.ts'

/**
 * Stands around every call: what it returns is what the caller gets, and everything the call changed has
 * been committed when `next` settles. `cut` ends the connection without an answer.
 */
export type Intercept = (call: Call, next: () => Promise<Reply>) => Promise<Reply | 'cut'>

export interface ServerOptions {
  routes: Routes
  intercept: Intercept
  /** Makes sure that what the call changed outlives this process. */
  beforeAnswer: () => void
  log: Log
}

export interface HttpServer {
  /** @returns the port. */
  listen(host: string, port: number): Promise<number>
  close(): Promise<void>
}

/** A job of a thousand groups fits; Nomad itself warns above 1 MiB. */
const BODY_BYTES_MAX = 32 * 1024 * 1024

/** Job ids may be long, and arrive percent-encoded. */
const PARAMETER_LENGTH_MAX = 2048

export function createServer(options: ServerOptions): HttpServer {
  const app = fastify({
    bodyLimit: BODY_BYTES_MAX,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: PARAMETER_LENGTH_MAX },
  })
  // Whatever the caller says it sends, it is read as Nomad does: as JSON, by the handler.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
  app.setNotFoundHandler((_request, reply) => reply.code(404).send())
  const closing = new AbortController()
  for (const [path, methods] of Object.entries(options.routes)) {
    addRoute(app, path, methods, options, closing.signal)
  }
  return {
    async listen(host, port) {
      await app.listen({ host, port })
      const address = app.server.address()
      if (address === null || typeof address === 'string') throw new Error('no port was opened')
      return address.port
    },
    async close() {
      closing.abort()
      await app.close()
    },
  }
}

function addRoute(
  app: FastifyInstance,
  path: string,
  methods: Methods,
  { intercept, beforeAnswer, log }: ServerOptions,
  closing: AbortSignal,
): void {
  app.all(path, async (request, reply) => {
    const call = toCall(request, reply, closing)
    const answer = await intercept(call, async () => {
      const made = await handle(methods, call, log)
      beforeAnswer()
      return made
    })
    return answer === 'cut' ? cut(reply) : send(reply, answer)
  })
}

function toCall(request: FastifyRequest, reply: FastifyReply, closing: AbortSignal): Call {
  let signal: AbortSignal | null = null
  const question = request.url.indexOf('?')
  return {
    method: request.method,
    url: request.url,
    params: request.params as Record<string, string>,
    query: new URLSearchParams(question < 0 ? '' : request.url.slice(question)),
    body: typeof request.body === 'string' ? request.body : '',
    // Made for the few calls that wait: it would cost the others as much as all the rest.
    get signal() {
      return (signal ??= toSignal(reply, closing))
    },
  }
}

function toSignal(reply: FastifyReply, closing: AbortSignal): AbortSignal {
  const gone = new AbortController()
  if (reply.raw.destroyed) gone.abort()
  else reply.raw.once('close', () => gone.abort())
  return AbortSignal.any([gone.signal, closing])
}

/** Refusals are answers. Anything else that is thrown is a fault of ours, and is told as one. */
async function handle(methods: Methods, call: Call, log: Log): Promise<Reply> {
  const handler = pick(methods, call.method)
  if (handler === undefined) return plain(405, 'Invalid method')
  try {
    return await handler(call)
  } catch (cause) {
    if (cause instanceof Refusal) {
      const headers = cause.index === null ? {} : toReadHeaders(cause.index)
      return plain(cause.status, cause.message, headers)
    }
    log.error('engine call failed', { method: call.method, url: call.url, cause })
    return plain(500, 'the embedded engine failed on this call: its log tells more')
  }
}

function pick(methods: Methods, method: string) {
  if (method === 'GET' || method === 'HEAD') return methods.GET
  if (method === 'DELETE') return methods.DELETE
  if (method === 'PUT') return methods.PUT
  return method === 'POST' && !methods.putOnly ? methods.PUT : undefined
}

function send(reply: FastifyReply, { status, headers, body }: Reply): FastifyReply {
  reply.code(status).headers(headers)
  if (body instanceof Readable) return reply.send(body)
  return body === '' ? reply.send() : reply.send(body)
}

function cut(reply: FastifyReply): FastifyReply {
  reply.hijack()
  reply.raw.destroy()
  return reply
}
