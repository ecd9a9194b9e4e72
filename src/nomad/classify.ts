/**
 * What an answer of Nomad that is no success means. Nomad tells most faults as status 500 and differs
 * only in the text, so the texts are the contract: one table, first match wins.
 */
import type { ErrorCode } from '../model/index.ts'

/** Stands as `problem` in the detail of every error of this room. */
export type NomadProblem =
  | 'conflict'
  | 'not_found'
  | 'no_such_path'
  | 'registration_disabled'
  | 'permission_denied'
  | 'unknown_token'
  | 'nonexistent_namespace'
  | 'nonexistent_node_pool'
  | 'node_draining'
  | 'invalid'
  | 'connection_limit'
  | 'no_leader'
  | 'server_error'
  | 'unreachable'
  | 'malformed_answer'
  | 'answer_too_large'

/**
 * What happened to the call: `refused` for good; `not_done` and worth repeating; `unknown`: done, not
 * done, or still to be done by a server that lost its leader meanwhile.
 */
export type Effect = 'refused' | 'not_done' | 'unknown'

export interface Verdict {
  problem: NomadProblem
  effect: Effect
  /** Null unless refused: the others depend on whether it was a read. */
  code: ErrorCode | null
}

interface Row {
  status?: number
  text?: RegExp
  problem: NomadProblem
  effect: Effect
  code?: ErrorCode
}

const ROWS: readonly Row[] = [
  { status: 429, problem: 'connection_limit', effect: 'not_done' },
  {
    status: 500,
    text: /^Enforcing job modify index \d+: /,
    problem: 'conflict',
    effect: 'refused',
  },
  // The entry may be in the replicated log already and be applied by the next leader.
  {
    status: 500,
    text: /No cluster leader|Not ready to serve consistent reads|leadership lost/,
    problem: 'no_leader',
    effect: 'unknown',
  },
  {
    status: 403,
    text: /registration, dispatch, and scale are disabled/,
    problem: 'registration_disabled',
    effect: 'refused',
    code: 'NOMAD_FORBIDDEN',
  },
  // With 500 for a token that is no UUID.
  {
    text: /ACL token not found|ACL token expired/,
    problem: 'unknown_token',
    effect: 'refused',
    code: 'NOMAD_FORBIDDEN',
  },
  { status: 403, problem: 'permission_denied', effect: 'refused', code: 'NOMAD_FORBIDDEN' },
  { status: 401, problem: 'permission_denied', effect: 'refused', code: 'NOMAD_FORBIDDEN' },
  // Reads say it with 404, writes with 500.
  {
    text: /^(?:rpc error: )?(?:job|eval|alloc|allocation|node) not found$/,
    problem: 'not_found',
    effect: 'refused',
    code: 'NOMAD_NOT_FOUND',
  },
  // A 404 in other words comes from a path that this version has not, or from no Nomad at all. Taking
  // it for a missing job would declare live slices vanished.
  { status: 404, problem: 'no_such_path', effect: 'refused' },
  { text: /in nonexistent namespace/, problem: 'nonexistent_namespace', effect: 'refused' },
  { text: /in nonexistent node pool/, problem: 'nonexistent_node_pool', effect: 'refused' },
  { status: 500, text: /while it is draining/, problem: 'node_draining', effect: 'refused' },
  // The list form of a failed validation.
  {
    status: 500,
    text: /^(?:rpc error: )?\d+ errors? occurred:/,
    problem: 'invalid',
    effect: 'refused',
  },
  { status: 500, text: /UUID must be|must be even length/, problem: 'invalid', effect: 'refused' },
]

const OTHERWISE: Row = { problem: 'invalid', effect: 'refused' }

/** @param text the body of the answer. */
export function classify(status: number, text: string): Verdict {
  const words = text.trim()
  const row = ROWS.find(
    (each) => (each.status ?? status) === status && (each.text?.test(words) ?? true),
  )
  if (row === undefined && status >= 500) {
    return { problem: 'server_error', effect: 'unknown', code: null }
  }
  const { problem, effect, code = 'NOMAD_REJECTED' } = row ?? OTHERWISE
  return { problem, effect, code: effect === 'refused' ? code : null }
}
