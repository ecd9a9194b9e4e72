/**
 * The one error class, and the catalogue of its codes.
 *
 * A message tells only its own layer; `cause` holds the layer below and the log writer walks it.
 * Outcomes that are normal (a conflict, a refused claim, a step that failed) are values, not errors.
 */

interface ErrorEntry {
  /** HTTP status when it crosses the API. */
  readonly status: number
  /** Exit code of a command that ends with it: 2 bad input, 3 infrastructure. */
  readonly exitCode: 2 | 3
  /** Whether repeating the same call unchanged is safe and may help. */
  readonly retry: 'never' | 'safe'
}

const input = (status = 400): ErrorEntry => ({ status, exitCode: 2, retry: 'never' })
const infra = (status = 502, retry: 'never' | 'safe' = 'never'): ErrorEntry => ({
  status,
  exitCode: 3,
  retry,
})

export const ERRORS = {
  /** A command line, setting or request that makes no sense. */
  INPUT_INVALID: input(400),
  /** `.circleci/config.yml` cannot be compiled; detail.problems lists file, line, text. */
  CONFIG_INVALID: input(422),
  /** The settings file or environment is wrong; detail.problems lists all of it. */
  SETTINGS_INVALID: input(422),
  /** A Nomad job template that Caravan cannot render; detail: file, line, path. */
  TEMPLATE_INVALID: input(422),
  NOT_FOUND: input(404),
  UNAUTHORIZED: input(401),
  FORBIDDEN: input(403),
  /** State or version does not allow the call any more. */
  CONFLICT: input(409),
  TOO_LARGE: input(413),
  RATE_LIMITED: input(429),
  /** Another process owns the data directory. */
  DATA_DIR_LOCKED: input(409),
  SERVER_UNREACHABLE: infra(502, 'safe'),
  SERVER_ERROR: infra(500),
  NOMAD_UNREACHABLE: infra(502, 'safe'),
  /** Nomad may or may not have done it: read back before trying again. */
  NOMAD_UNKNOWN_OUTCOME: infra(502),
  NOMAD_FORBIDDEN: infra(502),
  NOMAD_REJECTED: infra(502),
  NOMAD_NOT_FOUND: infra(404),
  STORE_FAILED: infra(500),
  DOCKER_FAILED: infra(502),
  AWS_UNREACHABLE: infra(502, 'safe'),
  /** AWS may or may not have done it: read back before trying again. */
  AWS_UNKNOWN_OUTCOME: infra(502),
  /** Too many calls, or another change of the same group is under way. */
  AWS_THROTTLED: infra(502, 'safe'),
  AWS_FORBIDDEN: infra(502),
  AWS_REJECTED: infra(502),
  /** The fleet: another controller acts. */
  FLEET_LEASED: infra(409),
  /** A deadline of ours passed. */
  TIMED_OUT: infra(504),
  INTERNAL: infra(500),
} as const satisfies Record<string, ErrorEntry>

export type ErrorCode = keyof typeof ERRORS

export interface CaravanErrorOptions {
  cause?: unknown
  /** Plain data for logs and API clients; never a secret. */
  detail?: Record<string, unknown>
}

export class CaravanError extends Error {
  override readonly name = 'CaravanError'
  readonly code: ErrorCode
  readonly detail: Record<string, unknown>

  constructor(code: ErrorCode, message: string, options: CaravanErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.code = code
    this.detail = options.detail ?? {}
  }

  get retry(): 'never' | 'safe' {
    return ERRORS[this.code].retry
  }
}

export function isCaravanError(error: unknown, code?: ErrorCode): error is CaravanError {
  return error instanceof CaravanError && (code === undefined || error.code === code)
}

/** One thing wrong with what people wrote. Lines and columns count from 1. */
export interface Problem {
  /** A file, or the flag or environment variable that it is about; those have line 0. */
  file: string
  line: number
  column?: number
  /** Dotted path of the key, such as `jobs.test.docker`. */
  path?: string
  message: string
}

/** `file:line: message`, the form that editors and terminals turn into links. */
export function formatProblem(problem: Problem): string {
  if (problem.line === 0) return `${problem.file}: ${problem.message}`
  const column = problem.column === undefined ? '' : `:${problem.column}`
  return `${problem.file}:${problem.line}${column}: ${problem.message}`
}
