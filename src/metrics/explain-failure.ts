/** Why a poll failed, in one line that says what to do about it. */
import { isCaravanError } from '../model/index.ts'
import { problemOf } from '../nomad/index.ts'
import { describeCause } from '../platform/index.ts'

export type Mode = 'server' | 'client' | 'fleet'

/** What a token needs for the calls of each mode. */
const RIGHTS: Readonly<Record<Mode, string>> = {
  server: 'namespace:list-jobs (and agent:read to learn the version)',
  client: 'agent:read, node:read and namespace:read-job',
  fleet: 'node:read',
}

const HINTS: readonly { pattern: RegExp; hint: string }[] = [
  { pattern: /HTTP request to an HTTPS server/i, hint: 'write https:// in --nomad-uri' },
  {
    pattern: /wrong.version.number|packet.length.too.long/i,
    hint: 'this port speaks plain HTTP: write http:// in --nomad-uri',
  },
  {
    pattern: /UNABLE_TO_VERIFY|SELF_SIGNED|UNABLE_TO_GET_ISSUER/,
    hint: 'name the CA of the cluster with NOMAD_CACERT',
  },
  { pattern: /ERR_TLS_CERT_ALTNAME_INVALID/, hint: 'see NOMAD_TLS_SERVER_NAME' },
  { pattern: /CERT_HAS_EXPIRED/, hint: "renew the agent's certificate" },
]

/** Holds no token: those travel in headers, of which no error tells. */
export function explainFailure(mode: Mode, cause: unknown): string {
  const told = describeCause(cause)
  const rights = isCaravanError(cause, 'NOMAD_FORBIDDEN')
    ? `the token (NOMAD_TOKEN) needs ${RIGHTS[mode]}`
    : undefined
  const hint = rights ?? HINTS.find(({ pattern }) => pattern.test(told))?.hint
  return `poll for --${mode} failed: ${told}${hint === undefined ? '' : `; ${hint}`}`
}

/** A server that has too many connections says when to come again. */
const PAUSE_MAX_S = 60

/** @returns milliseconds; 0 when the next poll may come as usual. */
export function pauseAfter(cause: unknown): number {
  if (!isCaravanError(cause) || problemOf(cause) !== 'connection_limit') return 0
  const asked = cause.detail['retry_after_s']
  return typeof asked === 'number' ? Math.min(asked, PAUSE_MAX_S) * 1000 : 0
}
