/** Builds, for people and scripts. */
import { buildList, buildRequest, buildView, dryRunAnswer, followEvent } from '../../model/index.ts'
import type { App } from '../app.ts'
import { callerSignal } from '../caller.ts'
import { checkRef, noBuild } from '../errors.ts'
import { sendEvents } from '../event-stream.ts'
import {
  answersWith,
  errorAnswers,
  followQuery,
  pageQuery,
  refParams,
  rerunQuery,
  submitQuery,
} from '../schemas.ts'
import type { RouteDeps } from './deps.ts'

/** A million characters of configuration, where JSON may need six bytes for one. */
const REQUEST_BYTES_MAX = 8 * 1024 ** 2

/** Nothing is said in it. */
const EMPTY_BYTES_MAX = 1024

const tags = ['builds']

export function addBuildRoutes(app: App, deps: RouteDeps): void {
  const { scheduler } = deps

  app.post(
    '/api/v1/builds',
    {
      bodyLimit: REQUEST_BYTES_MAX,
      schema: {
        tags,
        summary: 'Starts a build, or tells what it would be.',
        querystring: submitQuery,
        body: buildRequest,
        response: { 200: dryRunAnswer, 201: buildView, ...errorAnswers },
      },
    },
    async (request, reply) => {
      if (request.query.dry_run) return reply.code(200).send(await scheduler.dryRun(request.body))
      const build = await scheduler.submit(request.body)
      return reply.code(201).header('location', `/api/v1/builds/${build.id}`).send(build)
    },
  )

  app.get(
    '/api/v1/builds',
    {
      schema: {
        tags,
        summary: 'Lists builds, newest first, a page at a time.',
        querystring: pageQuery,
        response: { 200: buildList, ...errorAnswers },
      },
    },
    async ({ query: { cursor, limit } }) =>
      scheduler.listBuilds(cursor === undefined ? { limit } : { cursor, limit }),
  )

  app.get(
    '/api/v1/builds/:ref',
    {
      schema: {
        tags,
        summary: 'Shows a build with its slices and steps.',
        params: refParams,
        response: { 200: buildView, ...errorAnswers },
      },
    },
    async ({ params: { ref } }) => (await scheduler.readBuild(checkRef(ref))) ?? noBuild(ref),
  )

  app.post(
    '/api/v1/builds/:ref/cancel',
    {
      bodyLimit: EMPTY_BYTES_MAX,
      schema: {
        tags,
        summary: 'Asks every live slice of a build to end.',
        params: refParams,
        response: { 200: buildView, ...errorAnswers },
      },
    },
    async ({ params: { ref } }) => (await scheduler.cancelBuild(checkRef(ref))) ?? noBuild(ref),
  )

  addRerunRoute(app, deps)
  addFollowRoute(app, deps)
}

function addRerunRoute(app: App, { scheduler }: RouteDeps): void {
  app.post(
    '/api/v1/builds/:ref/rerun',
    {
      schema: {
        tags,
        summary: 'Starts a new build of what a build that is over was.',
        params: refParams,
        querystring: rerunQuery,
        response: { 201: buildView, ...errorAnswers },
      },
    },
    async ({ params: { ref }, query }, reply) => {
      const build = (await scheduler.rerunBuild(checkRef(ref), query)) ?? noBuild(ref)
      return reply.code(201).header('location', `/api/v1/builds/${build.id}`).send(build)
    },
  )
}

function addFollowRoute(app: App, { scheduler, clock, log, stopping }: RouteDeps): void {
  app.get(
    '/api/v1/builds/:ref/follow',
    {
      exposeHeadRoute: false,
      schema: {
        tags,
        summary: 'Tells all that happens to a build, as Server-Sent Events, until it is over.',
        params: refParams,
        querystring: followQuery,
        response: answersWith('text/event-stream', followEvent, 'The data of one event.'),
      },
    },
    async ({ params: { ref }, query: { output } }, reply) => {
      const signal = callerSignal(reply, stopping)
      const events = scheduler.follow(checkRef(ref), { output }, signal)
      await sendEvents(reply, events, { clock, log, signal })
    },
  )
}
