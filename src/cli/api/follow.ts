/** Follows a build over as many connections as it takes. */
import { CaravanError, ERRORS, type FollowEvent, followEvent, isResult } from '../../model/index.ts'
import { backoffMs, type Clock, type HttpStream, sleep } from '../../platform/index.ts'
import { readServerError, retryAfterMs, toClientError } from './answers.ts'
import { createResume } from './resume.ts'
import { readServerSentEvents } from './sse.ts'

export interface FollowOptions {
  server: string
  clock: Clock
  /** From 0 up to 1. */
  random: () => number
  signal: AbortSignal | undefined
  /** Opens the stream anew. */
  connect: () => Promise<HttpStream>
}

/** With the waits between them about half a minute: a server that is restarted is back by then. */
const TRIES_MAX = 10
const WAIT = { baseMs: 200, maxMs: 5000 }

/** A connection that held this long, or told more than how things stand, did its work. */
const STEADY_MS = 10_000

/**
 * Every event once, in order, to the end of the build. A cut is bridged; the stream ends early only
 * when the signal aborts.
 *
 * @throws CaravanError SERVER_UNREACHABLE when the server stays away; what it says when it refuses.
 */
export async function* followEvents(options: FollowOptions): AsyncGenerator<FollowEvent> {
  const { server, clock, random, signal } = options
  const takeNew = createResume()
  for (let failures = 1; ; failures += 1) {
    const openedMs = clock.monotonic()
    let eventCount = 0
    let isOver = false
    let error: unknown = cutShort(server)
    try {
      for await (const event of readOnce(options)) {
        eventCount += 1
        // Only the last event tells: a build that was over before we came is told at the start, too.
        isOver = event.type === 'build' && isResult(event.build.state)
        const fresh = takeNew(event)
        if (fresh !== null) yield fresh
      }
      if (isOver) return
    } catch (cause) {
      error = toClientError(server, cause)
    }
    if (signal?.aborted) return
    const askedMs = retryAfterMs(error)
    if (askedMs !== null) failures = Math.min(failures, TRIES_MAX - 1)
    if (eventCount > 1 || clock.monotonic() - openedMs > STEADY_MS) failures = 1
    if (failures >= TRIES_MAX || !isPassing(error)) throw error
    const pauseMs = backoffMs(failures, { ...WAIT, random })
    await sleep(clock, Math.max(pauseMs, askedMs ?? 0), signal)
    if (signal?.aborted) return
  }
}

function cutShort(server: string): CaravanError {
  const message = `the Caravan server at ${server} keeps ending the stream before the build is over`
  return new CaravanError('SERVER_UNREACHABLE', message)
}

async function* readOnce({ server, connect }: FollowOptions): AsyncGenerator<FollowEvent> {
  const stream = await connect()
  try {
    if (stream.status !== 200) throw await readServerError(server, stream)
    for await (const { data } of readServerSentEvents(stream.body)) {
      const event = parseEvent(data)
      if (event !== null) yield event
    }
  } finally {
    stream.body.destroy()
  }
}

const KNOWN: ReadonlySet<unknown> = new Set(
  followEvent.options.map((option) => option.shape.type.value),
)

/** Null for a kind of event that a newer server knows and we do not. */
function parseEvent(data: string): FollowEvent | null {
  const value = parseJson(data)
  const event = followEvent.safeParse(value)
  if (event.success) return event.data
  const isNewer = typeof value === 'object' && value !== null && 'type' in value
  if (isNewer && !KNOWN.has(value.type)) return null
  const message = 'the server sent an event of a shape that is not known'
  throw new CaravanError('SERVER_ERROR', message, { cause: event.error })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw new CaravanError('SERVER_ERROR', 'the server sent an event that is no JSON', { cause })
  }
}

/** Whether another try may find the server well: it was away, or it or a proxy said that it failed. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof CaravanError)) return false
  if (error.code === 'RATE_LIMITED') return true
  // One of ours has no status: what was said makes no sense, and will not the next time.
  if (error.code === 'SERVER_ERROR') return Number(error.detail['status'] ?? 0) >= 500
  return ERRORS[error.code].status >= 500
}
