/** What slices ask of the cluster, for whoever makes room for them. */
import { demandAnswer, demandEvent } from '../../model/index.ts'
import type { App } from '../app.ts'
import { callerSignal } from '../caller.ts'
import { sendEvents } from '../event-stream.ts'
import { answersWith, demandQuery, errorAnswers } from '../schemas.ts'
import type { RouteDeps } from './deps.ts'

const tags = ['fleet']

export function addDemandRoutes(app: App, { scheduler, clock, log, stopping }: RouteDeps): void {
  const { demand } = scheduler

  app.get(
    '/api/v1/demand',
    {
      schema: {
        tags,
        summary: 'Tells which slices wait and run, of which class, how long, and how long still.',
        querystring: demandQuery,
        response: { 200: demandAnswer, ...errorAnswers },
      },
    },
    async ({ query: { slices } }) => demand.read({ slices }),
  )

  app.get(
    '/api/v1/demand/follow',
    {
      exposeHeadRoute: false,
      schema: {
        tags,
        summary: 'Tells the demand and every change of it, as Server-Sent Events.',
        response: answersWith('text/event-stream', demandEvent, 'The data of one event.'),
      },
    },
    async (_request, reply) => {
      const signal = callerSignal(reply, stopping)
      await sendEvents(reply, demand.follow(signal), { clock, log, signal })
    },
  )
}
