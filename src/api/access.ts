/** Who calls: a token of the store or of the settings file, or this machine where there are no tokens. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { isIPv4 } from 'node:net'
import { CaravanError, type Role, type TokenView } from '../model/index.ts'
import type { TokenBook } from '../scheduler/index.ts'

/** The headers that say who calls, as node delivers them. */
export interface CallerHeaders {
  authorization?: string | undefined
  host?: string | undefined
  origin?: string | undefined
}

/** Somebody who may do what the role may. */
export interface Member {
  role: Role
  /** Of the store; null for a token of the settings file, and without tokens. */
  token: TokenView | null
  /** Tells the callers apart whose requests are counted. */
  name: string
}

export interface Access {
  /** Whether anybody needs a token. */
  readonly needsToken: boolean
  /** Who has this token; null for nobody. */
  findMember(token: string): Member | null
  /** @throws CaravanError FORBIDDEN for a caller that may be a web page. */
  checkLocalCaller(headers: CallerHeaders): Member
}

export interface AccessOptions {
  /** Of the settings file: their bearers are admins. */
  tokens: readonly string[]
  book: Pick<TokenBook, 'size' | 'find'>
  /** Whether only this machine reaches the server. */
  isLocal: boolean
}

/**
 * With tokens, a caller must name one of them. Without, the server is reachable from this machine
 * only, and what is left to fear is a web page in a browser on it. A server that others reach, too,
 * needs a token also when the last one was revoked.
 */
export function createAccess({ tokens, book, isLocal }: AccessOptions): Access {
  const known = tokens.map(hash)
  return {
    get needsToken() {
      return !isLocal || known.length > 0 || book.size > 0
    },
    findMember(token) {
      const given = hash(token)
      // All are compared, so that the time tells nothing of which one came close.
      const matches = known.map((each) => timingSafeEqual(each, given))
      const index = matches.indexOf(true)
      if (index >= 0) return { role: 'admin', token: null, name: `settings/${index}` }
      const found = book.find(token)
      return found && { role: found.role, token: found, name: found.id }
    },
    checkLocalCaller(headers) {
      checkLocalCaller(headers)
      return { role: 'admin', token: null, name: 'local' }
    },
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
