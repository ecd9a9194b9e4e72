/** Errors of calls to Nomad: their codes, their words, and whether a call may be repeated. */
import { CaravanError, type ErrorCode, isCaravanError } from '../model/index.ts'
import type { HttpError, HttpFault, HttpHead } from '../platform/index.ts'
import { type Effect, type NomadProblem, classify } from './classify.ts'

export interface FailedCall {
  /** Completes "to": `register job x`. */
  purpose: string
  /** A write that may have happened is never told as simply unreachable. */
  kind: 'read' | 'write'
  address: string
}

/** Long enough for every list of validation errors that a person would read. */
const TEXT_MAX = 2_000

const FAULTS: Readonly<Record<HttpFault, NomadProblem>> = {
  unreachable: 'unreachable',
  cut: 'unreachable',
  timeout: 'unreachable',
  aborted: 'unreachable',
  closed: 'unreachable',
  busy: 'unreachable',
  malformed: 'malformed_answer',
  too_large: 'answer_too_large',
}

/** Nomad answered with a status that is no success. */
export function answeredFailure(
  call: FailedCall,
  answer: HttpHead & { text(): string },
): CaravanError {
  const { status, header } = answer
  const body = answer.text()
  const text = body.trim().slice(0, TEXT_MAX)
  const { problem, effect, code } = classify(status, body)
  const retry_after_s = Number(header('retry-after') ?? NaN)
  const detail = { status, text, ...(retry_after_s > 0 ? { retry_after_s } : {}) }
  const location = header('location')
  if (status >= 300 && status < 400 && location !== undefined) {
    // Our token must not go to whoever an answer names.
    const words = `it points to ${location}, which is not followed: give that address`
    return toError(call, { problem, effect, code, words, detail })
  }
  const words = text === '' ? `status ${status}` : text.replaceAll(/\s+/g, ' ')
  return toError(call, { problem, effect, code, words, detail })
}

/** An answer that any server may give counts only while that server hears of its cluster. */
const LAST_CONTACT_MS_MAX = 30_000

/** @throws CaravanError when the server that answered had lost its cluster. */
export function refuseLost(call: FailedCall, { header }: HttpHead): void {
  const silentMs = Number(header('x-nomad-lastcontact') ?? 0)
  const isLost = header('x-nomad-knownleader') === 'false'
  if (!isLost && silentMs <= LAST_CONTACT_MS_MAX) return
  const words = isLost ? 'it knows no leader' : 'it has not heard from its leader for too long'
  throw toError(call, { problem: 'no_leader', effect: 'unknown', words })
}

/** No answer, or none that was taken. */
export function transportFailure(call: FailedCall, cause: HttpError): CaravanError {
  const problem = FAULTS[cause.fault]
  const words = problem === 'unreachable' ? 'it can not be reached' : 'its answer makes no sense'
  if (call.kind === 'read' && problem === 'answer_too_large') {
    return toError(call, { problem, effect: 'refused', words: 'its answer is too large', cause })
  }
  return toError(call, { problem, effect: cause.sent ? 'unknown' : 'not_done', words, cause })
}

/** Status 200 with something else than asked for: not the API of Nomad, or not one we know. */
export function malformedFailure(call: FailedCall, cause: unknown): CaravanError {
  const words = 'its answer is not what Nomad answers; is the address right?'
  return toError(call, { problem: 'malformed_answer', effect: 'unknown', words, cause })
}

/** @returns null for anything that this room did not throw. */
export function problemOf(error: unknown): NomadProblem | null {
  if (!isCaravanError(error)) return null
  return (error.detail['problem'] as NomadProblem | undefined) ?? null
}

/** Whether trying again can not do anything twice and may help. */
export function isRepeatable(error: unknown, kind: 'read' | 'write'): boolean {
  if (!isCaravanError(error)) return false
  const effect = error.detail['effect'] as Effect | undefined
  return effect === 'not_done' || (kind === 'read' && effect === 'unknown')
}

function toError(
  call: FailedCall,
  failure: {
    problem: NomadProblem
    effect: Effect
    code?: ErrorCode | null
    words: string
    detail?: Record<string, unknown>
    cause?: unknown
  },
): CaravanError {
  const { problem, effect, words, cause } = failure
  const code = codeOf(call.kind, effect, failure.code ?? 'NOMAD_REJECTED')
  return new CaravanError(
    code,
    `${opening(code, call.purpose)}. Nomad at ${call.address}: ${words}`,
    {
      cause,
      detail: { problem, effect, ...failure.detail },
    },
  )
}

function opening(code: ErrorCode, purpose: string): string {
  if (code === 'NOMAD_UNKNOWN_OUTCOME') return `it is not known whether this was done: ${purpose}`
  return code === 'NOMAD_FORBIDDEN' ? `no right to ${purpose}` : `could not ${purpose}`
}

function codeOf(kind: 'read' | 'write', effect: Effect, refused: ErrorCode): ErrorCode {
  if (effect === 'refused') return refused
  return effect === 'unknown' && kind === 'write' ? 'NOMAD_UNKNOWN_OUTCOME' : 'NOMAD_UNREACHABLE'
}
