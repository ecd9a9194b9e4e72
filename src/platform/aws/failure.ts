/** Errors of AWS by their code; its words are looked at only where one code stands for many things. */
import { CaravanError, type ErrorCode } from '../../model/index.ts'

export type AwsProblem =
  | 'throttled'
  /** Another change of the same group is under way. */
  | 'contention'
  | 'unreachable'
  /** Wrong, expired or missing credentials, or a clock that is off. */
  | 'credentials'
  | 'forbidden'
  | 'no_action'
  | 'at_minimum'
  | 'out_of_bounds'
  | 'not_found'
  | 'wrong_state'
  | 'busy'
  | 'pending_delete'
  | 'rejected'

const BY_CODE: Readonly<Record<string, AwsProblem>> = {
  Throttling: 'throttled',
  ThrottlingException: 'throttled',
  RequestLimitExceeded: 'throttled',
  TooManyRequestsException: 'throttled',
  ResourceContention: 'contention',
  ResourceContentionFault: 'contention',
  ScalingActivityInProgress: 'busy',
  ScalingActivityInProgressFault: 'busy',
  InstanceRefreshInProgress: 'busy',
  ResourceInUse: 'busy',
  InternalFailure: 'unreachable',
  InternalError: 'unreachable',
  ServiceUnavailable: 'unreachable',
  Unavailable: 'unreachable',
  AccessDenied: 'forbidden',
  AccessDeniedException: 'forbidden',
  UnauthorizedOperation: 'forbidden',
  AuthFailure: 'credentials',
  ExpiredToken: 'credentials',
  ExpiredTokenException: 'credentials',
  RequestExpired: 'credentials',
  InvalidClientTokenId: 'credentials',
  UnrecognizedClientException: 'credentials',
  SignatureDoesNotMatch: 'credentials',
  InvalidSignature: 'credentials',
  InvalidSignatureException: 'credentials',
  CredentialsProviderError: 'credentials',
  TokenProviderError: 'credentials',
  'InvalidInstanceID.NotFound': 'not_found',
  'InvalidInstanceID.Malformed': 'not_found',
  'InvalidLaunchTemplateId.NotFound': 'not_found',
  'InvalidLaunchTemplateId.VersionNotFound': 'not_found',
  'InvalidLaunchTemplateName.NotFoundException': 'not_found',
  ResourceNotFoundException: 'not_found',
}

/** Auto Scaling says `ValidationError` to nearly everything. */
const BY_TEXT: readonly { pattern: RegExp; problem: AwsProblem }[] = [
  { pattern: /no active lifecycle action/i, problem: 'no_action' },
  { pattern: /equals minsize|below min(?:imum)? size|min size constraint/i, problem: 'at_minimum' },
  { pattern: /(?:above max|below min) value/i, problem: 'out_of_bounds' },
  { pattern: /pending delete/i, problem: 'pending_delete' },
  {
    pattern:
      /instance id not found|no managed instance|not part of auto scaling group|group (?:name )?not found/i,
    problem: 'not_found',
  },
  { pattern: /is not in (?:inservice|standby)/i, problem: 'wrong_state' },
]

/** What the socket says before AWS has heard anything. */
const NOT_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])

export function classifyAws(cause: unknown): AwsProblem {
  const name = cause instanceof Error ? cause.name : ''
  const known = BY_CODE[name]
  if (known !== undefined) return known
  if (!isFromAws(cause)) return 'unreachable'
  const text = cause instanceof Error ? cause.message : ''
  if (name === 'ValidationError') {
    return BY_TEXT.find(({ pattern }) => pattern.test(text))?.problem ?? 'rejected'
  }
  return statusOf(cause) >= 500 ? 'unreachable' : 'rejected'
}

/** @param what for the message: "could not" goes before it. */
export function toAwsFailure(what: string, isWrite: boolean, cause: unknown): CaravanError {
  if (cause instanceof CaravanError) return cause
  const problem = classifyAws(cause)
  const code = codeOf(problem, isWrite && mayHaveHappened(cause))
  const detail = { problem, aws: cause instanceof Error ? cause.name : 'unknown' }
  return new CaravanError(code, `could not ${what}: ${describe(cause)}`, { cause, detail })
}

function describe(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  if (cause.name !== 'CredentialsProviderError') return cause.message
  return 'there are no credentials: give the machine a role, or set AWS_PROFILE or AWS_ACCESS_KEY_ID'
}

/** What a call of this room failed with; null when it was something else. */
export function awsProblemOf(error: unknown): AwsProblem | null {
  if (!(error instanceof CaravanError) || !error.code.startsWith('AWS_')) return null
  return (error.detail['problem'] as AwsProblem | undefined) ?? null
}

function codeOf(problem: AwsProblem, mayBeDone: boolean): ErrorCode {
  if (problem === 'unreachable') return mayBeDone ? 'AWS_UNKNOWN_OUTCOME' : 'AWS_UNREACHABLE'
  if (problem === 'throttled' || problem === 'contention') return 'AWS_THROTTLED'
  if (problem === 'forbidden' || problem === 'credentials') return 'AWS_FORBIDDEN'
  return 'AWS_REJECTED'
}

/** A refusal to connect is certain; a lost or late answer, or a fault of the server, is not. */
function mayHaveHappened(cause: unknown): boolean {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  return !NOT_SENT.has(code)
}

function isFromAws(cause: unknown): boolean {
  return cause instanceof Error && '$fault' in cause
}

function statusOf(cause: unknown): number {
  const meta =
    cause instanceof Error && '$metadata' in cause
      ? (cause.$metadata as { httpStatusCode?: number } | undefined)
      : undefined
  return meta?.httpStatusCode ?? 0
}
