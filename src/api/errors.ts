/** What an error looks like to a caller, and what the log hears of it. */
import type { FastifyError } from 'fastify'
import type { z } from 'zod'
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod'
import {
  AGENT_REFUSALS,
  type AgentRefusal,
  CaravanError,
  ERRORS,
  type ErrorBody,
  explainIssues,
  explainOnOneLine,
  isCaravanError,
} from '../model/index.ts'

export interface ErrorAnswer {
  status: number
  body: ErrorBody
}

const REFUSAL_SENTENCES: Readonly<Record<AgentRefusal, string>> = {
  taken: 'another agent has claimed this slice',
  fenced: 'the slice is over or has a newer epoch: stop',
  not_ready: 'Nomad does not show this allocation for the slice yet: ask again',
  bad_token: 'the claim token or session is not the one of this slice and epoch',
  protocol:
    'agent and server have no version of the protocol in common: see caravan upgrade --check',
}

export function toRefusal(refusal: AgentRefusal): ErrorAnswer {
  const body = { error: refusal, message: REFUSAL_SENTENCES[refusal], details: {} }
  return { status: AGENT_REFUSALS[refusal], body }
}

const REF = /^(?:[0-9a-f]{24}|[1-9]\d{0,14})$/

/** @throws CaravanError NOT_FOUND for what can be neither the id nor the number of a build. */
export function checkRef(ref: string): string {
  if (REF.test(ref)) return ref
  throw new CaravanError('NOT_FOUND', `there is no build "${ref}": give its id or its number`)
}

export function noBuild(ref: string): never {
  throw new CaravanError('NOT_FOUND', `there is no build ${ref}`)
}

/**
 * Our own errors tell themselves. Those of the framework are the caller's mistakes. Of all else the
 * caller learns only where to look.
 */
export function toErrorAnswer(error: unknown, requestId: string): ErrorAnswer {
  if (isCaravanError(error)) return fromCaravanError(error)
  if (hasZodFastifySchemaValidationErrors(error)) return fromValidation(error)
  const status = isFastifyError(error) ? (error.statusCode ?? 500) : 500
  if (isFastifyError(error) && status < 500) return fromFramework(error, status)
  const message = 'the server failed: its log says why'
  return fromCaravanError(new CaravanError('INTERNAL', message, { detail: { request: requestId } }))
}

function fromCaravanError({ code, message, detail }: CaravanError): ErrorAnswer {
  return { status: ERRORS[code].status, body: { error: code, message, details: detail } }
}

/** Names every field that is wrong, so that one round is enough to mend them. */
function fromValidation(error: ValidationError): ErrorAnswer {
  const place = PLACES[error.validationContext ?? ''] ?? 'request'
  const issues = error.validation.map(
    ({ keyword, instancePath, message = '', params }) =>
      // The framework took the issue apart.
      ({
        ...params,
        code: keyword,
        message,
        path: instancePath.split('/').filter(Boolean),
      }) as unknown as z.core.$ZodIssue,
  )
  const message = `the ${place} does not fit: ${explainOnOneLine(issues)}`
  const problems = explainIssues(issues)
  return fromCaravanError(new CaravanError('INPUT_INVALID', message, { detail: { problems } }))
}

interface ValidationError {
  validation: readonly {
    keyword: string
    instancePath: string
    message?: string | undefined
    params: Readonly<Record<string, unknown>>
  }[]
  validationContext?: string | undefined
}

const PLACES: Readonly<Record<string, string>> = {
  body: 'body',
  querystring: 'query',
  params: 'path',
  headers: 'headers',
}

function fromFramework(error: FastifyError, status: number): ErrorAnswer {
  const code = status === 413 ? 'TOO_LARGE' : 'INPUT_INVALID'
  // The framework writes its sentences for developers of servers, with a capital letter.
  const message = FRAMEWORK_SENTENCES[error.code] ?? error.message
  return { status, body: { error: code, message, details: {} } }
}

const FRAMEWORK_SENTENCES: Readonly<Record<string, string>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'the body is too large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE:
    'the content type is not taken here: use application/json, or application/octet-stream for bytes',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'the body is empty, but its content type says JSON',
  FST_ERR_CTP_INVALID_JSON_BODY: 'the body is no valid JSON',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'the body is not as long as its content-length',
  FST_ERR_BAD_URL: 'the path is no valid URL',
  FST_ERR_MAX_PARAM_LENGTH: 'a part of the path is too long',
}

function isFastifyError(error: unknown): error is FastifyError {
  return error instanceof Error && 'code' in error && 'statusCode' in error
}
