/** Every call is answered in time, whatever it waits for. */
import { CaravanError } from '../model/index.ts'
import type { Clock } from '../platform/index.ts'
import type { App } from './app.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** How long the call may take, from its headers to the end of its answer. */
    timeoutMs?: number
  }
}

/** A caller has given up by then. */
const TIMEOUT_MS = 30_000

/**
 * The framework has such a limit, too, but forgets it when the body of a request has arrived. An answer
 * that is late already on its way is cut; a stream of events that has begun has no limit.
 */
export function addDeadline(app: App, clock: Clock): void {
  app.addHook('onRequest', async (request, reply) => {
    const timeoutMs = request.routeOptions.config.timeoutMs ?? TIMEOUT_MS
    const timer = clock.after(timeoutMs, () => {
      if (reply.sent) return
      if (reply.raw.headersSent) return void reply.raw.destroy()
      void reply.send(new CaravanError('TIMED_OUT', 'the server took too long: try again'))
    })
    reply.raw.once('close', () => timer.cancel())
  })
}
