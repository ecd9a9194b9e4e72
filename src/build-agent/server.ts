/** The scheduler over HTTP: the calls of the agent protocol, their answers checked. */
import type { Readable } from 'node:stream'
import { z } from 'zod'
import {
  AGENT_REFUSALS,
  type AgentRefusal,
  CaravanError,
  claimAnswer,
  control,
  eventsAnswer,
  outputAnswer,
} from '../model/index.ts'
import {
  type Clock,
  createHttpClient,
  type HttpClient,
  HttpError,
  type HttpRequest,
} from '../platform/index.ts'
import type { AgentAnswer, AgentCalls, AgentServer } from './ports.ts'

/** Longer than a server needs that is busy, shorter than a lease. */
const CALL_TIMEOUT_MS = 20_000
/** A chunk of 4 MiB over a slow line. */
const OUTPUT_TIMEOUT_MS = 60_000
/** How much later than promised the answer to a long poll may come. */
const POLL_SLACK_MS = 10_000
const BUNDLE_IDLE_MS = 60_000
/** One for each foreground stream, the events, the poll, and some background steps. */
const CONNECTIONS_MAX = 16

const controlOnly = z.object({ control })
const refusalBody = z.object({ error: z.string(), message: z.string().default('') })

export function createAgentServer(options: {
  url: string
  slice: string
  epoch: number
  clock: Clock
}): AgentServer {
  const http = createHttpClient({
    baseUrl: options.url,
    connectionsMax: CONNECTIONS_MAX,
    clock: options.clock,
  })
  const root = `/api/v1/agent/${options.slice}/${options.epoch}`
  return {
    claim: async (request, signal) =>
      await ask(http, claimAnswer, {
        method: 'POST',
        path: `${root}/claim`,
        // Looked at before the body is read.
        headers: { authorization: `Bearer ${request.token}` },
        json: request,
        signal,
      }),
    open: (session) => toCalls(http, root, { authorization: `Bearer ${session}` }),
    close: async () => http.close(),
  }
}

function toCalls(http: HttpClient, root: string, headers: Record<string, string>): AgentCalls {
  const post = { method: 'POST', headers } as const
  const get = { method: 'GET', headers } as const
  return {
    accept: async (signal) =>
      await ask(http, controlOnly, { ...post, path: `${root}/accept`, json: {}, signal }),
    events: async (events, signal) =>
      await ask(http, eventsAnswer, { ...post, path: `${root}/events`, json: { events }, signal }),
    output: async (place, bytes, signal) =>
      await ask(http, outputAnswer, {
        ...post,
        path: `${root}/output`,
        query: place,
        headers: { ...headers, 'content-type': 'application/octet-stream' },
        body: bytes,
        timeoutMs: OUTPUT_TIMEOUT_MS,
        signal,
      }),
    control: async ({ seen, waitMs }, signal) =>
      await ask(http, controlOnly, {
        ...get,
        path: `${root}/control`,
        query: { seen, wait_ms: waitMs },
        timeoutMs: waitMs + POLL_SLACK_MS,
        signal,
      }),
    why: async (signal) => await ask(http, controlOnly, { ...get, path: `${root}/why`, signal }),
    source: async (signal) => await openSource(http, { ...get, path: `${root}/source`, signal }),
  }
}

async function ask<T>(
  http: HttpClient,
  schema: z.ZodType<T>,
  request: HttpRequest,
): Promise<AgentAnswer<T>> {
  const response = await reach(http.request({ timeoutMs: CALL_TIMEOUT_MS, ...request }))
  if (response.status !== 200) {
    return refuse(response.status, response.text(), response.header('retry-after'))
  }
  const parsed = schema.safeParse(response.json())
  if (parsed.success) return { ok: true, value: parsed.data }
  throw new CaravanError(
    'SERVER_ERROR',
    `the server answered ${request.path} with a body that makes no sense`,
    {
      cause: parsed.error,
    },
  )
}

async function openSource(
  http: HttpClient,
  request: { method: 'GET'; headers: Record<string, string>; path: string; signal: AbortSignal },
): Promise<AgentAnswer<Readable>> {
  const response = await reach(
    http.stream({ ...request, timeoutMs: CALL_TIMEOUT_MS, idleTimeoutMs: BUNDLE_IDLE_MS }),
  )
  if (response.status === 200) return { ok: true, value: response.body }
  const chunks: Buffer[] = []
  for await (const chunk of response.body) chunks.push(chunk as Buffer)
  return refuse(
    response.status,
    Buffer.concat(chunks).toString('utf8'),
    response.header('retry-after'),
  )
}

async function reach<T>(call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (cause) {
    if (!(cause instanceof HttpError)) throw cause
    throw new CaravanError('SERVER_UNREACHABLE', 'the server could not be asked', { cause })
  }
}

/**
 * A refusal that the protocol knows is an answer. Anything else, also a 4xx that some proxy made up, is a
 * failure after which the same call is made again.
 */
function refuse(status: number, text: string, retryAfter: string | undefined): AgentAnswer<never> {
  const body = refusalBody.safeParse(parseJson(text))
  const error = body.success ? body.data.error : ''
  if (isRefusal(error) && AGENT_REFUSALS[error] === status) return { ok: false, refusal: error }
  // A session that the server does not know any more is as good as a newer epoch.
  if (status === 401) return { ok: false, refusal: 'bad_token' }
  const seconds = Number(retryAfter ?? '')
  throw new CaravanError(
    status === 413 ? 'TOO_LARGE' : 'SERVER_ERROR',
    `the server answered ${status}${body.success ? ` ${error}: ${body.data.message}` : ''}`,
    { detail: { status, ...(seconds > 0 ? { retry_after_ms: seconds * 1000 } : {}) } },
  )
}

function isRefusal(text: string): text is AgentRefusal {
  return Object.hasOwn(AGENT_REFUSALS, text)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // A proxy's page, not an answer of ours.
    return null
  }
}
