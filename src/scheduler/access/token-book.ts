/**
 * The tokens of the API, in memory and in the store.
 *
 * One server has the store, so what it holds in memory is what counts, and a token that is revoked is
 * gone with the same call: there is no other cache that could outlive it.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import {
  CaravanError,
  parseDurationMs,
  TOKEN_PREFIX,
  type CreatedToken,
  type TokenRequest,
  type TokenView,
} from '../../model/index.ts'
import type { Clock, Log, RandomSource } from '../../platform/index.ts'
import {
  deleteToken,
  insertToken,
  noteTokenUse,
  readTokens,
  type Store,
  type TokenRow,
} from '../store/index.ts'

/** Tokens for people, scripts and machines of the fleet. */
export interface TokenBook {
  /** How many there are, expired ones too. */
  readonly size: number
  /** @throws CaravanError CONFLICT when there are too many. */
  create(request: TokenRequest): Promise<CreatedToken>
  /** Oldest first. @param cursor as handed out by the page before. */
  list(page: { cursor?: string; limit: number }): {
    tokens: TokenView[]
    next_cursor: string | null
  }
  /** From now on nobody gets in with it, and who is in is let go. @returns null when there is none. */
  revoke(id: string): Promise<TokenView | null>
  /** Notes that it was used. @returns null for one that is not known, or has expired. */
  find(token: string): TokenView | null
  /** Calls back when the token is revoked. @returns a function that ends that. */
  onRevoked(id: string, callback: () => void): () => void
}

export interface TokenBookDeps {
  store: Store
  clock: Clock
  random: RandomSource
  log: Log
}

/** Each is a row in memory; an installation with more wants another way to say who somebody is. */
const TOKENS_MAX = 10_000

/** A write for each token and so long, whatever it is used for. */
const USE_NOTED_EVERY_MS = 10 * 60_000

export async function openTokenBook(deps: TokenBookDeps): Promise<TokenBook> {
  const { store, clock, random, log } = deps
  const rows = new Map<string, TokenRow>()
  for (const row of await readTokens(store.read, TOKENS_MAX)) rows.set(row.hash, row)
  const revoked = new Map<string, Set<() => void>>()

  const noteUse = (row: TokenRow, nowMs: number): void => {
    if (row.used_ms !== null && nowMs - row.used_ms < USE_NOTED_EVERY_MS) return
    row.used_ms = nowMs
    store
      .write((writer) => noteTokenUse(writer, row.id, nowMs))
      .catch((cause: unknown) => log.warn('the use of a token was not noted', { cause }))
  }

  return {
    get size() {
      return rows.size
    },
    async create(request) {
      if (rows.size >= TOKENS_MAX) {
        const message = `there are ${TOKENS_MAX} tokens already: revoke some first`
        throw new CaravanError('CONFLICT', message)
      }
      const { token, row } = makeToken(request, { random, nowMs: clock.now() })
      await store.write((writer) => insertToken(writer, row))
      rows.set(row.hash, row)
      log.info('a token was created', { token: row.id, role: row.role, name: row.name })
      return { ...toTokenView(row), token }
    },
    list({ cursor, limit }) {
      const all = [...rows.values()].toSorted(byAge)
      const start = cursor === undefined ? 0 : all.findIndex((row) => sortKey(row) > cursor)
      const page = start < 0 ? [] : all.slice(start, start + limit)
      const last = page.at(-1)
      const isMore = last !== undefined && all.at(-1) !== last
      return {
        tokens: page.map(toTokenView),
        next_cursor: isMore ? sortKey(last) : null,
      }
    },
    async revoke(id) {
      const row = [...rows.values()].find((each) => each.id === id)
      if (row === undefined) return null
      await store.write((writer) => deleteToken(writer, id))
      rows.delete(row.hash)
      revoked.get(id)?.forEach((callback) => callback())
      log.info('a token was revoked', { token: id, role: row.role, name: row.name })
      return toTokenView(row)
    },
    find(token) {
      const hash = hashToken(token)
      const row = rows.get(hash)
      if (row === undefined || !isSameHash(row.hash, hash)) return null
      const nowMs = clock.now()
      if (isExpired(row, nowMs)) return null
      noteUse(row, nowMs)
      return toTokenView(row)
    },
    onRevoked(id, callback) {
      const callbacks = revoked.get(id) ?? new Set()
      revoked.set(id, callbacks.add(callback))
      return () => {
        callbacks.delete(callback)
        if (callbacks.size === 0) revoked.delete(id)
      }
    },
  }
}

/** @returns the token, to be shown once, and the row that is kept of it. */
export function makeToken(
  { role, name, expires }: TokenRequest,
  { random, nowMs }: { random: RandomSource; nowMs: number },
): { token: string; row: TokenRow } {
  const token = TOKEN_PREFIX + Buffer.from(random.bytes(32)).toString('hex')
  const lifeMs = expires === undefined ? null : parseDurationMs(expires)
  const row: TokenRow = {
    id: Buffer.from(random.bytes(6)).toString('hex'),
    name,
    role,
    hash: hashToken(token),
    created_ms: nowMs,
    expires_ms: lifeMs === null ? null : nowMs + lifeMs,
    used_ms: null,
  }
  return { token, row }
}

export function toTokenView(row: TokenRow): TokenView {
  return {
    id: row.id,
    name: row.name,
    role: row.role,
    created_at: new Date(row.created_ms).toISOString(),
    expires_at: toTime(row.expires_ms),
    last_used_at: toTime(row.used_ms),
  }
}

export function isExpired(row: TokenRow, nowMs: number): boolean {
  return row.expires_ms !== null && row.expires_ms <= nowMs
}

/** Random tokens have 256 bits: no hash however slow makes them harder to guess. */
function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

function isSameHash(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(a, 'hex'), Buffer.from(b, 'hex'))
}

function toTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}

function sortKey(row: TokenRow): string {
  return `${String(row.created_ms).padStart(15, '0')}-${row.id}`
}

function byAge(a: TokenRow, b: TokenRow): number {
  return sortKey(a) < sortKey(b) ? -1 : 1
}
