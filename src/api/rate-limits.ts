/**
 * How often somebody may call.
 *
 * People and agents have budgets of their own, so that neither can starve the other; and each token and
 * each slice has one of its own, so that a script gone wild holds up itself.
 */
import { isIPv6 } from 'node:net'
import { CaravanError, type Settings } from '../model/index.ts'
import type { Clock } from '../platform/index.ts'
import { createTokenBuckets } from './token-buckets.ts'

/** Each throws CaravanError RATE_LIMITED when it is too often. */
export interface RateLimits {
  /** Nobody has proven anything, nor has to. */
  stranger(address: string): void
  /** @param token id of a token, or another name of whoever proved to have one. */
  member(token: string): void
  agent(slice: string): void
  /** A token was wrong. */
  failed(address: string): void
  /**
   * Before a token is looked at: an address that guesses is not told any more whether it was right. A
   * token that was right from there before is let through, for whoever shares the address.
   */
  attempt(address: string, secret: string): void
  /** A token was right. */
  succeeded(address: string, secret: string): void
}

export type RateSettings = Pick<
  Settings['limits'],
  'requests_per_second' | 'agent_requests_per_second' | 'failed_logins_per_minute'
>

/** Some 100 bytes each. */
const KEYS_MAX = 10_000

const BURST_SECONDS = 5

export function createRateLimits(settings: RateSettings, clock: Clock): RateLimits {
  const perSecond = (rate: number) =>
    createTokenBuckets({ perSecond: rate, burst: rate * BURST_SECONDS, keysMax: KEYS_MAX, clock })
  const strangers = perSecond(settings.requests_per_second)
  const members = perSecond(settings.requests_per_second)
  const agents = perSecond(settings.agent_requests_per_second)
  const perMinute = settings.failed_logins_per_minute
  const failures = createTokenBuckets({
    perSecond: perMinute / 60,
    burst: perMinute,
    keysMax: KEYS_MAX,
    clock,
  })
  const welcome = createRecent(KEYS_MAX)

  return {
    stranger: (address) => check(strangers.take(toPlace(address)), 'too many requests'),
    member: (token) => check(members.take(token), 'too many requests with this token'),
    agent: (slice) => check(agents.take(slice), 'too many requests of this agent'),
    failed: (address) => check(failures.take(toPlace(address)), GUESSES),
    attempt(address, secret) {
      if (welcome.has(`${toPlace(address)} ${secret}`)) return
      check(failures.waitMs(toPlace(address)), GUESSES)
    },
    succeeded: (address, secret) => welcome.add(`${toPlace(address)} ${secret}`),
  }
}

const GUESSES = 'too many wrong tokens from this address'

function check(waitMs: number, what: string): void {
  if (waitMs === 0) return
  const seconds = Math.ceil(waitMs / 1000)
  throw new CaravanError('RATE_LIMITED', `${what}: try again in ${seconds} s`, {
    detail: { retry_after_ms: waitMs },
  })
}

/** Whoever has one address of version 6 has a /64 of them. */
function toPlace(address: string): string {
  if (!isIPv6(address) || address.startsWith('::ffff:')) return address
  const [head = '', tail] = address.split('::')
  const left = head.split(':').filter(Boolean)
  const right = tail === undefined ? [] : tail.split(':').filter(Boolean)
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length)
  const groups = [...left, ...Array<string>(zeros).fill('0'), ...right]
  return groups.slice(0, 4).join(':')
}

/** The last so many. */
function createRecent(max: number) {
  const keys = new Set<string>()
  return {
    has: (key: string) => keys.has(key),
    add(key: string): void {
      keys.delete(key)
      keys.add(key)
      const [oldest] = keys.size > max ? keys : []
      if (oldest !== undefined) keys.delete(oldest)
    },
  }
}
