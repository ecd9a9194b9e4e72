/** The HTTP API of a Caravan server, as commands use it. */
import type { Readable } from 'node:stream'
import {
  buildList,
  type BuildRequestInput,
  type BuildSummary,
  type BuildView,
  buildView,
  type DryRunAnswer,
  dryRunAnswer,
  type FollowEvent,
  type HealthAnswer,
  healthAnswer,
  sourceAnswer,
} from '../../model/index.ts'
import {
  type Clock,
  createHttpClient,
  type HttpClient,
  type HttpRequest,
  sleep,
  systemRandom,
} from '../../platform/index.ts'
import {
  readAnswer,
  readServerError,
  retryAfterMs,
  toClientError,
  toServerError,
} from './answers.ts'
import { followEvents } from './follow.ts'
import { createTokenCalls, type TokenCalls } from './tokens.ts'

/**
 * Every method throws CaravanError: SERVER_UNREACHABLE when there is no answer, SERVER_ERROR when it is
 * not a Caravan server's, else the server's own code, message and detail.
 */
export interface ApiClient {
  /** @param open called again when the server wants to be asked later. @returns the id of the source. */
  uploadSource(open: () => Readable): Promise<string>
  createBuild(request: BuildRequestInput): Promise<BuildView>
  /** What `createBuild` would make of it; nothing is stored. */
  dryRun(request: BuildRequestInput): Promise<DryRunAnswer>
  /** Newest first, a page at a time as far as it is read. */
  listBuilds(): AsyncIterable<BuildSummary>
  /** @param ref a build id or number. */
  readBuild(ref: string): Promise<BuildView>
  /** Starts a new build of what this one was. */
  rerunBuild(ref: string, options: { failed: boolean }): Promise<BuildView>
  cancelBuild(ref: string): Promise<BuildView>
  /** To the end of the build, over cuts; ends early and quietly when the signal aborts. */
  follow(
    ref: string,
    options: { output: boolean; signal?: AbortSignal },
  ): AsyncIterable<FollowEvent>
  /** What the server holds of a step's output, from the offset to the end. */
  readOutput(
    ref: string,
    place: { slice: number; step: number; epoch?: number; offset?: number },
  ): Promise<AsyncIterable<Uint8Array>>
  readonly tokens: TokenCalls
  /** Also of a server that is not well. */
  health(): Promise<HealthAnswer>
  close(): Promise<void>
}

export interface ApiClientOptions {
  /** `http://host:port`, with a path when the API stands behind one. */
  server: string
  token?: string
  clock: Clock
  /** From 0 up to 1, spreads the reconnects of many followers. */
  random?: () => number
}

const API = '/api/v1'

/** A gigabyte over a slow line. */
const UPLOAD_TIMEOUT_MS = 10 * 60_000

/** Three heartbeats of the server: a silence that long means that the line is dead. */
const IDLE_TIMEOUT_MS = 45_000

/** @throws CaravanError INPUT_INVALID when the address is none. */
export function createApiClient(options: ApiClientOptions): ApiClient {
  const { server, token, clock, random = () => systemRandom.number() } = options
  const http = createHttpClient({
    baseUrl: server,
    clock,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  })
  const call = (request: HttpRequest, open?: () => Readable) =>
    obeying(clock, async () => {
      const body = open === undefined ? {} : { body: open() }
      const response = await exchange(http, server, { ...request, ...body })
      // Nothing was done with it yet: it can be sent again, whatever it is.
      if (response.status === 429) throw toServerError(server, response)
      return response
    })
  const post = (path: string, rest: Partial<HttpRequest> = {}, open?: () => Readable) =>
    call({ method: 'POST', path: `${API}${path}`, ...rest }, open)

  return {
    async uploadSource(open) {
      const headers = { 'content-type': 'application/octet-stream' }
      const response = await post('/sources', { headers, timeoutMs: UPLOAD_TIMEOUT_MS }, open)
      return readAnswer(server, response, sourceAnswer).id
    },
    async createBuild(request) {
      return readAnswer(server, await post('/builds', { json: request }), buildView)
    },
    async dryRun(request) {
      const response = await post('/builds', { json: request, query: { dry_run: true } })
      return readAnswer(server, response, dryRunAnswer)
    },
    async *listBuilds() {
      let cursor: string | null | undefined
      while (cursor !== null) {
        const response = await call({
          method: 'GET',
          path: `${API}/builds`,
          query: { cursor },
        })
        const page = readAnswer(server, response, buildList)
        yield* page.builds
        cursor = page.next_cursor
      }
    },
    async readBuild(ref) {
      const response = await call({ method: 'GET', path: toBuildPath(ref) })
      return readAnswer(server, response, buildView)
    },
    async rerunBuild(ref, { failed }) {
      const path = `${toBuildPath(ref)}/rerun`
      const response = await call({ method: 'POST', path, query: { failed } })
      return readAnswer(server, response, buildView)
    },
    async cancelBuild(ref) {
      const response = await call({ method: 'POST', path: `${toBuildPath(ref)}/cancel` })
      return readAnswer(server, response, buildView)
    },
    follow: (ref, asked) => followEvents({ server, clock, random, ...toFollow(http, ref, asked) }),
    readOutput: (ref, place) => obeying(clock, () => readOutput(http, { server, ref, ...place })),
    async health() {
      const response = await call({ method: 'GET', path: '/readyz' })
      // 503 tells that something is wrong, in the same shape.
      return readAnswer(server, { ...response, status: 200 }, healthAnswer)
    },
    tokens: createTokenCalls(server, call),
    close: () => http.close(),
  }
}

/** Of waits together: a person would rather hear it by then. */
const OBEY_MAX_MS = 120_000

/** Waits as long as the server wants and calls again. @throws CaravanError RATE_LIMITED in the end. */
async function obeying<T>(clock: Clock, act: () => Promise<T>): Promise<T> {
  const endMs = clock.monotonic() + OBEY_MAX_MS
  for (;;) {
    try {
      return await act()
    } catch (error) {
      const waitMs = retryAfterMs(error)
      if (waitMs === null || clock.monotonic() + waitMs > endMs) throw error
      await sleep(clock, waitMs)
    }
  }
}

function toFollow(
  http: HttpClient,
  ref: string,
  { output, signal }: { output: boolean; signal?: AbortSignal },
) {
  const path = `${toBuildPath(ref)}/follow`
  const rest = { query: { output }, signal, idleTimeoutMs: IDLE_TIMEOUT_MS }
  return { signal, connect: () => http.stream({ method: 'GET', path, ...rest }) }
}

async function exchange(http: HttpClient, server: string, request: HttpRequest) {
  try {
    return await http.request(request)
  } catch (cause) {
    throw toClientError(server, cause)
  }
}

interface OutputRequest {
  server: string
  ref: string
  slice: number
  step: number
  epoch?: number
  offset?: number
}

async function readOutput(
  http: HttpClient,
  { server, ref, slice, step, epoch, offset = 0 }: OutputRequest,
): Promise<AsyncIterable<Uint8Array>> {
  try {
    const path = `${toBuildPath(ref)}/slices/${slice}/steps/${step}/output`
    const stream = await http.stream({
      method: 'GET',
      path,
      query: { offset, epoch },
      idleTimeoutMs: IDLE_TIMEOUT_MS,
    })
    if (stream.status >= 300) throw await readServerError(server, stream)
    return readBody(server, stream.body)
  } catch (cause) {
    throw toClientError(server, cause)
  }
}

async function* readBody(server: string, body: Readable): AsyncGenerator<Uint8Array> {
  try {
    yield* body as AsyncIterable<Uint8Array>
  } catch (cause) {
    throw toClientError(server, cause)
  }
}

/** What a person typed may hold anything. */
function toBuildPath(ref: string): string {
  return `${API}/builds/${encodeURIComponent(ref)}`
}
