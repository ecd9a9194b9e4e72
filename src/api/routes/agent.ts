/** The calls of build-agents. They prove themselves with the claim token or the session of their slice. */
import type { IncomingMessage } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { z } from 'zod'
import {
  CaravanError,
  claimAnswer,
  claimRequest,
  controlAnswer,
  controlQuery,
  eventsAnswer,
  eventsRequest,
  OUTPUT_CHUNK_BYTES_MAX,
  outputAnswer,
  outputQuery,
} from '../../model/index.ts'
import type { AgentCaller, AgentOutcome } from '../../scheduler/index.ts'
import { readBearer } from '../access.ts'
import type { App } from '../app.ts'
import { type BodyPool, createBodyPool } from '../body-pool.ts'
import { callerSignal } from '../caller.ts'
import { toRefusal } from '../errors.ts'
import { agentParams, answersWith, bytesSchema, errorAnswers } from '../schemas.ts'
import { type RouteDeps, TRANSFER_TIMEOUT_MS } from './deps.ts'

const BASE = '/api/v1/agent/:slice/:epoch'

/** A full batch of the longest texts, in the widest characters. */
const EVENTS_BYTES_MAX = 8 * 1024 ** 2

/** A claim names a few ids; what accepts, nothing. */
const SMALL_BYTES_MAX = 16 * 1024

/** Past the longest long poll. */
const POLL_TIMEOUT_MS = 90_000

export function addAgentRoutes(app: App, deps: RouteDeps): void {
  const bodies = createBodyPool(OUTPUT_CHUNK_BYTES_MAX)
  app.addContentTypeParser(
    'application/octet-stream',
    async ({ headers }: FastifyRequest, payload: IncomingMessage) =>
      bodies.read(payload, Number(headers['content-length'] ?? Number.NaN)),
  )
  addStartRoutes(app, deps)
  addReportRoutes(app, deps, bodies)
  addQuestionRoutes(app, deps)
}

function addStartRoutes(app: App, { scheduler: { agents } }: RouteDeps): void {
  app.post(
    `${BASE}/claim`,
    {
      bodyLimit: SMALL_BYTES_MAX,
      schema: {
        ...describe('Takes a slice: the claim token for a session and the task.'),
        body: claimRequest,
        response: { 200: claimAnswer, ...errorAnswers },
      },
    },
    async ({ params: { slice, epoch }, body }, reply) =>
      answer(reply, await agents.claim(slice, epoch, body)),
  )

  app.post(
    `${BASE}/accept`,
    {
      bodyLimit: SMALL_BYTES_MAX,
      schema: {
        ...describe('Says that the work begins: from here on it is not given away.'),
        response: { 200: controlAnswer, ...errorAnswers },
      },
    },
    async (request, reply) => answer(reply, await agents.accept(toCaller(request))),
  )
}

function addReportRoutes(app: App, { scheduler: { agents } }: RouteDeps, bodies: BodyPool): void {
  app.post(
    `${BASE}/events`,
    {
      bodyLimit: EVENTS_BYTES_MAX,
      schema: {
        ...describe('Tells what happened, in order.'),
        body: eventsRequest,
        response: { 200: eventsAnswer, ...errorAnswers },
      },
    },
    async (request, reply) =>
      answer(reply, await agents.events(toCaller(request), request.body.events)),
  )

  app.post(
    `${BASE}/output`,
    {
      bodyLimit: OUTPUT_CHUNK_BYTES_MAX,
      schema: {
        ...describe('Adds output of a step. The answer says how much the server has.'),
        consumes: ['application/octet-stream'],
        querystring: outputQuery,
        body: bytesSchema,
        response: { 200: outputAnswer, ...errorAnswers },
      },
    },
    async (request, reply) => {
      const { body } = request
      if (!Buffer.isBuffer(body)) throw new CaravanError('INPUT_INVALID', 'the body must be bytes')
      try {
        return answer(reply, await agents.output(toCaller(request), request.query, body))
      } finally {
        bodies.giveBack(body)
      }
    },
  )
}

function addQuestionRoutes(app: App, { scheduler: { agents }, stopping }: RouteDeps): void {
  app.get(
    `${BASE}/control`,
    {
      exposeHeadRoute: false,
      config: { timeoutMs: POLL_TIMEOUT_MS },
      schema: {
        ...describe('Waits for what the server wants of the agent.'),
        querystring: controlQuery,
        response: { 200: controlAnswer, ...errorAnswers },
      },
    },
    async (request, reply) => {
      const { seen, wait_ms: waitMs } = request.query
      const signal = callerSignal(reply, stopping)
      return answer(reply, await agents.control(toCaller(request), { seen, waitMs }, signal))
    },
  )

  app.get(
    `${BASE}/why`,
    {
      exposeHeadRoute: false,
      schema: {
        ...describe('Says why the agent was stopped, which a signal does not tell.'),
        response: { 200: controlAnswer, ...errorAnswers },
      },
    },
    async (request, reply) => answer(reply, await agents.why(toCaller(request))),
  )

  app.get(
    `${BASE}/source`,
    {
      exposeHeadRoute: false,
      config: { timeoutMs: TRANSFER_TIMEOUT_MS },
      schema: {
        ...describe('Reads the git bundle of the build.'),
        response: answersWith('application/octet-stream', bytesSchema, 'The bytes.'),
      },
    },
    async (request, reply) => {
      const outcome = await agents.source(toCaller(request))
      if (!outcome.ok) return answer(reply, outcome)
      if (outcome.value === null) throw new CaravanError('NOT_FOUND', 'this build has no source')
      return reply
        .header('content-type', 'application/octet-stream')
        .header('content-length', outcome.value.length)
        .send(outcome.value.bytes)
    },
  )
}

function describe(summary: string) {
  return { tags: ['agent'], summary, params: agentParams }
}

function toCaller(request: {
  params: z.output<typeof agentParams>
  headers: { authorization?: string | undefined }
}): AgentCaller {
  const { slice, epoch } = request.params
  // The guard has looked at it; the scheduler does so again, with what has changed meanwhile.
  return { slice, epoch, session: readBearer(request.headers.authorization) ?? '' }
}

function answer(reply: FastifyReply, outcome: AgentOutcome<unknown>): FastifyReply {
  if (outcome.ok) return reply.send(outcome.value)
  const { status, body } = toRefusal(outcome.refusal)
  return reply.code(status).send(body)
}
