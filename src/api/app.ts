/** The web server without its routes: how it reads requests, and how every error becomes an answer. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import swagger from '@fastify/swagger'
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type RawServerDefault,
} from 'fastify'
import {
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod'
import { CaravanError, VERSION_HEADER } from '../model/index.ts'
import type { Clock, Log } from '../platform/index.ts'
import { addDeadline } from './deadline.ts'
import { toErrorAnswer } from './errors.ts'
import { toOpenApiOptions } from './openapi.ts'
import { createRouteTable, type RouteTable } from './route-table.ts'

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>

export interface AppOptions {
  clock: Clock
  log: Log
  version: string
  /** Aborts when the server stops. */
  stopping: AbortSignal
}

const LIMITS = {
  /** For bodies, unless a route says otherwise; those that take large ones do. */
  bodyLimit: 64 * 1024,
  /** To receive a whole request: a gigabyte over a slow line. Also ends what trickles in forever. */
  requestTimeout: 10 * 60_000,
  /** For a connection on which nothing moves. Twice the longest long poll and many heartbeats. */
  connectionTimeout: 120_000,
  /** For an idle connection. Longer than the minute of common proxies, so that they close first. */
  keepAliveTimeout: 72_000,
} as const

export async function createApp({ clock, log, version, stopping }: AppOptions): Promise<App> {
  const answer = createAnswerer(log)
  const routes = createRouteTable()
  const app: App = Fastify({
    ...LIMITS,
    // We tell it in our own words, below.
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) => void answer(error, request, reply),
    clientErrorHandler: (error, socket) => answerGarbage(error, socket, log),
  }).withTypeProvider<ZodTypeProvider>()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  // A web page may send text anywhere without asking; JSON and bytes it may not.
  app.removeContentTypeParser('text/plain')
  app.setErrorHandler(answer)
  app.setNotFoundHandler((request, reply) => answerUnknown(routes, request, reply))
  app.addHook('onRoute', ({ method, url }) => routes.add(method, url))
  addDeadline(app, clock)
  app.addHook('onRequest', async (_request, reply) => {
    reply.header(VERSION_HEADER, version)
    if (stopping.aborted) await answerLate(reply)
  })
  app.addHook('onResponse', async (request, reply) => {
    const ms = Math.round(reply.elapsedTime)
    log.debug('a request was answered', { ...toFields(request), status: reply.statusCode, ms })
  })
  await app.register(swagger, toOpenApiOptions(version))
  return app
}

function createAnswerer(log: Log) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const { status, body } = toErrorAnswer(error, request.id)
    const isGone = request.raw.destroyed && !request.raw.complete
    if (status >= 500 && !isGone)
      log.error('a request failed', { ...toFields(request), cause: error })
    else log.debug('a request was refused', { ...toFields(request), status, cause: error })
    if (status === 401) reply.header('www-authenticate', 'Bearer')
    const retryMs = body.details['retry_after_ms']
    if (status === 429 && typeof retryMs === 'number') {
      reply.header('retry-after', Math.ceil(retryMs / 1000))
    }
    return reply.code(status).send(body)
  }
}

/** Without the query: an address in a log should not tell more than the place. */
function toFields(request: FastifyRequest): { method: string; path: string; request: string } {
  return { method: request.method, path: request.url.split('?', 1)[0] ?? '', request: request.id }
}

function answerUnknown(routes: RouteTable, request: FastifyRequest, reply: FastifyReply) {
  const path = request.url.split('?', 1)[0] ?? ''
  const allowed = routes.methodsOf(path)
  if (allowed.length === 0) {
    const message = `there is nothing at ${path}: see /openapi.json`
    throw new CaravanError('NOT_FOUND', message, { detail: { path } })
  }
  const message = `${request.method} is not possible at ${path}: use ${allowed.join(' or ')}`
  return reply
    .code(405)
    .header('allow', allowed.join(', '))
    .send({ error: 'INPUT_INVALID', message, details: {} })
}

/** Nothing has been done with the request: whoever sends it again finds the next server. */
function answerLate(reply: FastifyReply) {
  const message = 'the server is stopping: try again'
  return reply
    .code(503)
    .header('connection', 'close')
    .header('retry-after', 1)
    .send({ error: 'SERVER_UNREACHABLE', message, details: {} })
}

/** What is no HTTP at all gets a last word and no connection. */
function answerGarbage(error: NodeJS.ErrnoException, socket: Socket, log: Log): void {
  log.debug('a connection made no sense', { cause: error })
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const [status, message] = GARBAGE[error.code ?? ''] ?? [
    '400 Bad Request',
    'this is no HTTP request',
  ]
  const body = JSON.stringify({ error: 'INPUT_INVALID', message, details: {} })
  const head = [
    `HTTP/1.1 ${status}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

const GARBAGE: Readonly<Record<string, [status: string, message: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request did not arrive in time'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'the headers are too large'],
}
