/** What the API refuses, in AWS's words: programs match on the code, and some on the text. */

export type Service = 'autoscaling' | 'ec2'

const STATUS: Readonly<Record<string, number>> = {
  ResourceContention: 500,
  ServiceLinkedRoleFailure: 500,
  InternalFailure: 500,
  InternalError: 500,
  ServiceUnavailable: 503,
  Unavailable: 503,
  RequestLimitExceeded: 503,
  ExpiredToken: 403,
  RequestExpired: 400,
  AuthFailure: 401,
  UnauthorizedOperation: 403,
  AccessDenied: 403,
}

export class Refusal extends Error {
  readonly code: string
  readonly status: number

  constructor(code: string, message: string) {
    super(message)
    this.name = code
    this.code = code
    this.status = STATUS[code] ?? 400
  }
}

export function invalid(message: string): Refusal {
  return new Refusal('ValidationError', message)
}
