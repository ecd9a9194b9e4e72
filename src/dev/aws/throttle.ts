/** Token buckets, one per action: who asks too often is told `Throttling`. */
import { Refusal } from './actions/refusal.ts'
import type { Service } from './actions/refusal.ts'

export interface Rate {
  /** Calls at once. */
  burst: number
  perSecond: number
}

/**
 * Auto Scaling publishes no sizes. EC2's published example for a reading call serves for both: a client
 * that lives within it lives within what is known.
 */
export const DEFAULT_RATE: Rate = { burst: 100, perSecond: 20 }

export class Throttle {
  readonly #rate: (service: Service, action: string) => Rate | null
  readonly #buckets = new Map<string, { tokens: number; at: number }>()

  /** @param rate null for an action that is never throttled. */
  constructor(rate: (service: Service, action: string) => Rate | null) {
    this.#rate = rate
  }

  /** @throws Refusal when the bucket is empty. */
  take(service: Service, action: string, now: number): void {
    const rate = this.#rate(service, action)
    if (rate === null) return
    const key = `${service}:${action}`
    const bucket = this.#buckets.get(key) ?? { tokens: rate.burst, at: now }
    const earned = ((now - bucket.at) / 1000) * rate.perSecond
    const tokens = Math.min(rate.burst, bucket.tokens + earned)
    this.#buckets.set(key, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now })
    if (tokens >= 1) return
    throw service === 'ec2'
      ? new Refusal('RequestLimitExceeded', 'Request limit exceeded.')
      : new Refusal('Throttling', 'Rate exceeded')
  }
}
