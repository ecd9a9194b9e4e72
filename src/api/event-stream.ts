/** Answers with Server-Sent Events, no faster than the caller reads them. */
import { once } from 'node:events'
import type { FastifyReply } from 'fastify'
import type { Clock, Log } from '../platform/index.ts'

export interface EventStreamOptions {
  clock: Clock
  log: Log
  /** Aborts when the caller is gone or the server stops. */
  signal: AbortSignal
}

/** Proxies cut a connection that is silent for a minute, some after 30 s. */
const HEARTBEAT_MS = 15_000

/**
 * The first event is waited for before anything is sent, so that what is wrong from the start becomes
 * an ordinary error. From then on a failure cuts the connection: only a stream that is told to its end
 * ends cleanly, and the reader can tell the one from the other.
 */
export async function sendEvents(
  reply: FastifyReply,
  events: AsyncIterable<{ type: string }>,
  { clock, log, signal }: EventStreamOptions,
): Promise<void> {
  const iterator = events[Symbol.asyncIterator]()
  let next = await iterator.next()
  // The caller was told meanwhile that it took too long.
  if (reply.sent) return void (await iterator.return?.())
  reply.hijack()
  const response = reply.raw
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // Asks nginx not to gather the events.
    'x-accel-buffering': 'no',
  })
  // Of a connection that broke; the signal tells us the same, and in time.
  response.on('error', (cause) => log.debug('an event stream was cut', { cause }))
  const heartbeat = startHeartbeat(clock, () => {
    if (!response.writableNeedDrain) response.write(':\n\n')
  })
  try {
    for (; next.done !== true; next = await iterator.next()) {
      if (signal.aborted) break
      heartbeat.postpone()
      const isTaken = response.write(formatEvent(next.value))
      if (!isTaken) await once(response, 'drain', { signal })
    }
    if (signal.aborted) response.destroy()
    else response.end()
  } catch (cause) {
    if (!signal.aborted) log.error('an event stream broke', { cause })
    response.destroy()
  } finally {
    heartbeat.stop()
    await iterator.return?.()
  }
}

function formatEvent(event: { type: string }): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
}

function startHeartbeat(clock: Clock, beat: () => void): { postpone(): void; stop(): void } {
  const arm = () =>
    clock.after(HEARTBEAT_MS, () => {
      beat()
      timer = arm()
    })
  let timer = arm()
  return {
    postpone() {
      timer.cancel()
      timer = arm()
    },
    stop: () => timer.cancel(),
  }
}
