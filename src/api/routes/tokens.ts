/** Tokens: made, listed and revoked by admins. */
import {
  CaravanError,
  createdToken,
  tokenList,
  tokenRequest,
  tokenView,
  whoAmI,
} from '../../model/index.ts'
import type { App } from '../app.ts'
import { memberOf } from '../guard.ts'
import { errorAnswers, pageQuery, tokenParams } from '../schemas.ts'
import type { RouteDeps } from './deps.ts'

const BODY_BYTES_MAX = 4096

const tags = ['access']

export function addTokenRoutes(app: App, { scheduler: { tokens } }: RouteDeps): void {
  app.post(
    '/api/v1/tokens',
    {
      bodyLimit: BODY_BYTES_MAX,
      schema: {
        tags,
        summary: 'Makes a token. It is shown this once.',
        body: tokenRequest,
        response: { 201: createdToken, ...errorAnswers },
      },
    },
    async (request, reply) => {
      const created = await tokens.create(request.body)
      return reply.code(201).header('cache-control', 'no-store').send(created)
    },
  )

  app.get(
    '/api/v1/tokens',
    {
      schema: {
        tags,
        summary: 'Lists tokens, oldest first, a page at a time; never the tokens themselves.',
        querystring: pageQuery,
        response: { 200: tokenList, ...errorAnswers },
      },
    },
    async ({ query: { cursor, limit } }) =>
      tokens.list(cursor === undefined ? { limit } : { cursor, limit }),
  )

  app.delete(
    '/api/v1/tokens/:id',
    {
      bodyLimit: BODY_BYTES_MAX,
      schema: {
        tags,
        summary: 'Revokes a token: from now on it opens nothing, and what it has open is cut.',
        params: tokenParams,
        response: { 200: tokenView, ...errorAnswers },
      },
    },
    async ({ params: { id } }) => {
      const revoked = await tokens.revoke(id)
      if (revoked !== null) return revoked
      throw new CaravanError('NOT_FOUND', `there is no token ${id}: the list has the ids`)
    },
  )

  app.get(
    '/api/v1/whoami',
    {
      schema: {
        tags,
        summary: 'Says what the token of the caller may do.',
        response: { 200: whoAmI, ...errorAnswers },
      },
    },
    (request, reply) => {
      const { role, token } = memberOf(request)
      void reply.send({ role, token })
    },
  )
}
