/** Who may use the API: bearer tokens, or nobody but this machine when there are none. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { isIPv4 } from 'node:net'
import { CaravanError } from '../model/index.ts'

/** The headers that say who calls, as node delivers them. */
export interface CallerHeaders {
  authorization?: string | undefined
  host?: string | undefined
  origin?: string | undefined
}

/** @throws CaravanError UNAUTHORIZED or FORBIDDEN */
export type AccessCheck = (headers: CallerHeaders) => void

/**
 * With tokens, a caller must name one of them. Without, the server is reachable from this machine
 * only, and what is left to fear is a web page in a browser on it.
 */
export function createAccessCheck(tokens: readonly string[]): AccessCheck {
  if (tokens.length === 0) return checkLocalCaller
  const known = tokens.map(hash)
  return ({ authorization }) => {
    const token = readBearer(authorization)
    if (token === null) throw new CaravanError('UNAUTHORIZED', 'this server needs a bearer token')
    const given = hash(token)
    // All are compared, so that the time tells nothing of which one came close.
    const matchCount = known.filter((each) => timingSafeEqual(each, given)).length
    if (matchCount === 0)
      throw new CaravanError('UNAUTHORIZED', 'this server does not know the token')
  }
}

export function readBearer(authorization: string | undefined): string | null {
  return /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1] ?? null
}

/** @param host a name or address without a port. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  if (address === '::1' || address === 'localhost' || address.endsWith('.localhost')) return true
  const v4 = address.replace(/^::ffff:/, '')
  return isIPv4(v4) && v4.startsWith('127.')
}

function checkLocalCaller({ host, origin }: CallerHeaders): void {
  // A page from anywhere may point a name of its own at 127.0.0.1, but the browser says that name here.
  const name = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d+)?$/i.exec(host ?? '')?.[1]
  if (name === undefined || !isLoopback(name)) {
    throw new CaravanError(
      'FORBIDDEN',
      `without tokens this server answers to localhost only, not to "${host ?? ''}": configure a token`,
    )
  }
  if (origin !== undefined && URL.parse(origin)?.host !== host?.toLowerCase()) {
    throw new CaravanError(
      'FORBIDDEN',
      `a web page of ${origin} may not use a server that has no tokens: configure a token`,
    )
  }
}

/** Equal lengths on both sides, whatever the caller sends. */
function hash(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
