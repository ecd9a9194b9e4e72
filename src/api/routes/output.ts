/** What a step wrote, byte for byte. */
import { Readable } from 'node:stream'
import { CaravanError } from '../../model/index.ts'
import type { ByteRange, OutputRead, Scheduler } from '../../scheduler/index.ts'
import type { App } from '../app.ts'
import { checkRef } from '../errors.ts'
import { parseRange } from '../range.ts'
import { answersWith, bytesSchema, rangeQuery, stepParams } from '../schemas.ts'
import { type RouteDeps, TRANSFER_TIMEOUT_MS } from './deps.ts'

type Place = Parameters<Scheduler['readOutput']>[0]

export function addOutputRoutes(app: App, { scheduler }: RouteDeps): void {
  app.get(
    '/api/v1/builds/:ref/slices/:slice/steps/:step/output',
    {
      exposeHeadRoute: false,
      config: { timeoutMs: TRANSFER_TIMEOUT_MS },
      schema: {
        tags: ['builds'],
        summary: 'Reads the output of a step. A query, or else a Range header, asks for a part.',
        params: stepParams,
        querystring: rangeQuery,
        response: answersWith('application/octet-stream', bytesSchema, 'The bytes.'),
      },
    },
    async ({ params, query, headers }, reply) => {
      const { epoch } = query
      const place = epoch === undefined ? params : { ...params, epoch }
      const isAsked = query.offset !== undefined || query.length !== undefined
      const asked = isAsked ? null : await toRange(scheduler, place, headers.range)
      const range = asked ?? toByteRange(query)
      const read = await readOutput(scheduler, place, range)
      const count = Math.max(Math.min(read.have - range.offset, range.length ?? Infinity), 0)
      const bytes = read.complete ? read.bytes : limit(read.bytes, count)
      reply
        .header('content-type', 'application/octet-stream')
        // Steps write what they like; a browser must not take it for a page.
        .header('x-content-type-options', 'nosniff')
        .header('cache-control', 'no-store')
        .header('accept-ranges', 'bytes')
        .header('x-caravan-have', read.have)
        .header('x-caravan-complete', String(read.complete))
      if (asked === null) return reply.header('content-length', count).send(bytes)
      if (count === 0) {
        bytes.destroy()
        return reply
          .code(416)
          .header('content-type', 'application/json; charset=utf-8')
          .header('content-range', `bytes */${read.have}`)
          .send({
            error: 'INPUT_INVALID',
            message: `the output has ${read.have} bytes: none of them is in the range`,
            details: { have: read.have },
          })
      }
      const last = range.offset + count - 1
      return reply
        .code(206)
        .header('content-length', count)
        .header('content-range', `bytes ${range.offset}-${last}/${read.have}`)
        .send(bytes)
    },
  )
}

async function readOutput(
  scheduler: Scheduler,
  place: Place,
  range: ByteRange,
): Promise<OutputRead> {
  checkRef(place.ref)
  const read = await scheduler.readOutput(place, range)
  if (read !== null) return read
  const { ref, slice, step, epoch } = place
  const attempt = epoch === undefined ? '' : ` in attempt ${epoch}`
  const message = `there is no step ${step} in slice ${slice} of build ${ref}${attempt}`
  throw new CaravanError('NOT_FOUND', message)
}

/** A running step may have written more since its length was told: the headers must stay true. */
function limit(bytes: Readable, count: number): Readable {
  const limited = Readable.from(take(bytes, count), { objectMode: false })
  // Also when nobody has begun to read.
  return limited.once('close', () => bytes.destroy())
}

async function* take(bytes: Readable, count: number): AsyncGenerator<Buffer> {
  let left = count
  for await (const chunk of bytes as AsyncIterable<Buffer>) {
    if (left > 0) yield chunk.subarray(0, left)
    left -= chunk.length
    if (left <= 0) return
  }
}

/** Null when no range is asked for that we serve. */
async function toRange(
  scheduler: Scheduler,
  place: Place,
  header: string | undefined,
): Promise<ByteRange | null> {
  const asked = parseRange(header)
  if (asked?.kind !== 'suffix') return asked === null ? null : toByteRange(asked)
  // Only who knows the end knows where the last bytes begin.
  const { bytes, have } = await readOutput(scheduler, place, { offset: 0, length: 0 })
  bytes.destroy()
  return { offset: Math.max(have - asked.length, 0), length: asked.length }
}

function toByteRange(asked: {
  offset?: number | undefined
  length?: number | undefined
}): ByteRange {
  const { offset = 0, length } = asked
  return length === undefined ? { offset } : { offset, length }
}
