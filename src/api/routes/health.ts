/**
 * How the server is, for load balancers and operators. Needs no token: it tells no secret.
 *
 * `/healthz` is about this process: what restarts a process that is not well must not do so because
 * Nomad is away. `/readyz` is about the work: whether builds can go on.
 */
import { type HealthAnswer, healthAnswer, PROTOCOLS } from '../../model/index.ts'
import { sleep } from '../../platform/index.ts'
import type { App } from '../app.ts'
import type { RouteDeps } from './deps.ts'

/** The names that operators of such systems have in their load balancers. */
const HEALTH_PATHS = ['/healthz', '/health-check', '/healthcheck', '/status']

/** Load balancers give up after 5 s, and would then not see why. */
const CHECK_MS = 3000

export function addHealthRoutes(app: App, deps: RouteDeps): void {
  const common = { tags: ['health'], security: [] }
  for (const path of HEALTH_PATHS) {
    app.get(
      path,
      {
        schema: {
          ...common,
          summary: 'Says whether this process is well: 200, or 500 with what is wrong.',
          response: { 200: healthAnswer, 500: healthAnswer },
        },
      },
      async (_request, reply) => {
        const health = toAnswer(deps, deps.scheduler.faults())
        return reply.code(health.status === 'ok' ? 200 : 500).send(health)
      },
    )
  }

  app.get(
    '/readyz',
    {
      schema: {
        ...common,
        summary: 'Says whether builds can go on: 200, or 503 with what is wrong, Nomad included.',
        response: { 200: healthAnswer, 503: healthAnswer },
      },
    },
    async (_request, reply) => {
      const health = await check(deps)
      return reply.code(health.status === 'ok' ? 200 : 503).send(health)
    },
  )
}

async function check(deps: RouteDeps): Promise<HealthAnswer> {
  const { scheduler, clock, log } = deps
  const finished = new AbortController()
  const late = sleep(clock, CHECK_MS, finished.signal).then(() => ['the server is overloaded'])
  const asked = scheduler.health().catch((cause: unknown) => {
    log.error('the health could not be checked', { cause })
    return ['the health could not be checked: the log says why']
  })
  const reasons = await Promise.race([asked, late])
  finished.abort()
  return toAnswer(deps, reasons)
}

function toAnswer({ version }: RouteDeps, reasons: string[]): HealthAnswer {
  const status = reasons.length === 0 ? 'ok' : 'failing'
  return { status, version, protocols: PROTOCOLS, reasons }
}
