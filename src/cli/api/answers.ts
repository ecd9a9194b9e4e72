/** From an HTTP answer, or the lack of one, to a value or one of our errors. */
import type { z } from 'zod'
import {
  CaravanError,
  ERRORS,
  errorBody,
  type ErrorCode,
  explainIssues,
  isCaravanError,
  VERSION_HEADER,
} from '../../model/index.ts'
import { HttpError, type HttpResponse, type HttpStream } from '../../platform/index.ts'
import { explainOtherVersion } from './other-version.ts'

/** Our errors are short; whatever stands between us and the server may say more than we want. */
const ERROR_BYTES_MAX = 1024 ** 2

/**
 * @throws CaravanError the server's own error, or SERVER_ERROR when the answer is not of this shape.
 */
export function readAnswer<Schema extends z.ZodType>(
  server: string,
  response: HttpResponse,
  schema: Schema,
): z.output<Schema> {
  if (response.status >= 300) throw toServerError(server, response)
  const answer = schema.safeParse(parseJson(response.text()))
  if (answer.success) return answer.data
  // Which field it was helps nobody who has named a wrong address.
  const problems = explainIssues(answer.error.issues)
  throw new CaravanError('SERVER_ERROR', notOurs(server, 'a shape', response), {
    detail: { shape: problems },
  })
}

/** The error that an answer tells; one that is not in our form comes from something in between. */
export function toServerError(
  server: string,
  response: { status: number; text(): string; header(name: string): string | undefined },
): CaravanError {
  if (response.status === 429) return toRateLimited(server, response.header('retry-after'))
  const body = errorBody.safeParse(parseJson(response.text()))
  if (!body.success || !isErrorCode(body.data.error)) {
    const message = body.success
      ? withVersion(body.data.message, response)
      : notOurs(server, `status ${response.status}`, response)
    return new CaravanError('SERVER_ERROR', message, { detail: { status: response.status } })
  }
  const { error, message, details } = body.data
  if (isNews(error, details)) {
    return new CaravanError(error, withVersion(message, response), { detail: details })
  }
  const hint = error === 'UNAUTHORIZED' ? ' (--token or CARAVAN_TOKEN)' : ''
  return new CaravanError(error, message + hint, { detail: details })
}

/** What a server also says of a path or a field that only another version has. */
function isNews(error: ErrorCode, details: Record<string, unknown>): boolean {
  return error === 'INPUT_INVALID' || (error === 'NOT_FOUND' && 'path' in details)
}

/** Whose answer it is. */
interface Answered {
  header(name: string): string | undefined
}

function withVersion(message: string, answered: Answered): string {
  const other = explainOtherVersion(answered.header(VERSION_HEADER))
  return other === null ? message : `${message} (${other})`
}

/** Also a proxy's, which has a body of its own. */
function toRateLimited(server: string, retryAfter: string | undefined): CaravanError {
  const seconds = Math.max(Number(retryAfter ?? '') || 1, 0)
  return new CaravanError('RATE_LIMITED', `${server} has had too many requests: try again later`, {
    detail: { retry_after_ms: Math.min(seconds * 1000, RETRY_AFTER_MAX_MS) },
  })
}

/** A server that asks for more is not obeyed: its clock or its proxy is wrong. */
const RETRY_AFTER_MAX_MS = 60_000

/** How long the server wants to be left alone; null when that is not what the error says. */
export function retryAfterMs(error: unknown): number | null {
  if (!isCaravanError(error, 'RATE_LIMITED')) return null
  return Number(error.detail['retry_after_ms'] ?? 1000)
}

/** The error in the body of a stream that is none. */
export async function readServerError(server: string, stream: HttpStream): Promise<CaravanError> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stream.body as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    length += chunk.length
    if (length > ERROR_BYTES_MAX) break
  }
  const text = () => Buffer.concat(chunks).toString('utf8')
  return toServerError(server, { status: stream.status, text, header: stream.header })
}

/** What a failed exchange means to the person who typed the command. */
export function toClientError(server: string, cause: unknown): unknown {
  if (!(cause instanceof HttpError)) return cause
  switch (cause.fault) {
    case 'too_large':
    case 'malformed':
      return new CaravanError('SERVER_ERROR', notOurs(server, 'bytes'), { cause })
    case 'unreachable':
      return unreachable(
        server,
        'cannot be reached: is it running, and is the address right?',
        cause,
      )
    case 'timeout':
      return unreachable(server, 'did not answer in time: is it overloaded?', cause)
    default:
      return unreachable(server, 'was reached, but the connection broke', cause)
  }
}

function unreachable(server: string, what: string, cause: HttpError): CaravanError {
  return new CaravanError('SERVER_UNREACHABLE', `the Caravan server at ${server} ${what}`, {
    cause,
  })
}

function notOurs(server: string, what: string, answered?: Answered): string {
  const theirs = answered?.header(VERSION_HEADER)
  const other = explainOtherVersion(theirs)
  if (other !== null) return `${server} answered with ${what} that is not known here: ${other}`
  if (theirs !== undefined) {
    return `${server} answered with ${what} that makes no sense, though it is of the same version`
  }
  return `${server} answered with ${what} that no Caravan server sends: is the address right?`
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    // No JSON fits no schema, which is what the caller looks at.
    return undefined
  }
}

function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERRORS, text)
}
