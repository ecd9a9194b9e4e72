/** Uploads of source code. */
import { Readable } from 'node:stream'
import { CaravanError, sourceAnswer } from '../../model/index.ts'
import type { App } from '../app.ts'
import { bytesSchema, errorAnswers } from '../schemas.ts'
import { type RouteDeps, TRANSFER_TIMEOUT_MS } from './deps.ts'

export function addSourceRoutes(app: App, { scheduler, sourceBytesMax }: RouteDeps): void {
  // The bytes go to disk as they come: a source may be larger than our memory.
  app.addContentTypeParser('application/octet-stream', (_request, payload, done) =>
    done(null, payload),
  )

  app.post(
    '/api/v1/sources',
    {
      config: { timeoutMs: TRANSFER_TIMEOUT_MS },
      schema: {
        tags: ['builds'],
        summary: 'Uploads a git bundle that builds can name as their source.',
        consumes: ['application/octet-stream'],
        body: bytesSchema,
        response: { 201: sourceAnswer, ...errorAnswers },
      },
    },
    async ({ body, headers, raw }, reply) => {
      if (!(body instanceof Readable)) {
        throw new CaravanError('INPUT_INVALID', 'the body must be the bytes of a git bundle')
      }
      if (Number(headers['content-length'] ?? 0) > sourceBytesMax) throw tooLarge(sourceBytesMax)
      const limited = Readable.from(limit(body, sourceBytesMax), { objectMode: false })
      try {
        return await reply.code(201).send({ id: await scheduler.storeSource(limited) })
      } catch (cause) {
        // The rest is read and thrown away, or else the sender never gets to our answer.
        raw.resume()
        reply.header('connection', 'close')
        throw limited.errored instanceof CaravanError ? limited.errored : cause
      }
    },
  )
}

async function* limit(bytes: Readable, bytesMax: number): AsyncGenerator<Buffer> {
  let count = 0
  // Not destroyed at the end: the answer goes out over the same connection.
  const chunks: AsyncIterable<Buffer> = bytes.iterator({ destroyOnReturn: false })
  for await (const chunk of chunks) {
    count += chunk.length
    if (count > bytesMax) throw tooLarge(bytesMax)
    yield chunk
  }
}

function tooLarge(bytesMax: number): CaravanError {
  return new CaravanError('TOO_LARGE', `a source may have ${bytesMax} bytes at most`, {
    detail: { bytes_max: bytesMax },
  })
}
