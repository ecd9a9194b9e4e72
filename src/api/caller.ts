/** The connection of whoever waits for an answer. */
import type { FastifyReply } from 'fastify'

/**
 * Aborts when the caller has gone away, when the answer is complete, or when the server stops. Waits
 * that are made for a caller end with it.
 */
export function callerSignal(reply: FastifyReply, stopping: AbortSignal): AbortSignal {
  const gone = new AbortController()
  const abort = () => {
    stopping.removeEventListener('abort', abort)
    gone.abort()
  }
  if (stopping.aborted) abort()
  else stopping.addEventListener('abort', abort)
  reply.raw.once('close', abort)
  return gone.signal
}
