/** Token buckets by key: so many calls in a while, so many at once, and a bound on how many keys. */
import type { Clock } from '../platform/index.ts'

export interface TokenBuckets {
  /** Takes one. @returns how long to wait for the next one, in milliseconds; 0 when it was there. */
  take(key: string): number
  /** The same without taking. */
  waitMs(key: string): number
  /** How many keys are remembered. */
  readonly size: number
}

export interface BucketOptions {
  perSecond: number
  /** How many may come at once. */
  burst: number
  keysMax: number
  clock: Pick<Clock, 'monotonic'>
}

interface Bucket {
  left: number
  atMs: number
}

/**
 * When there are too many keys, the one that was asked for longest ago is forgotten: mostly, it is full
 * again, and nothing is lost.
 */
export function createTokenBuckets(options: BucketOptions): TokenBuckets {
  const { perSecond, burst, keysMax, clock } = options
  // A Map keeps the order in which its keys were set.
  const buckets = new Map<string, Bucket>()

  const fill = (key: string): Bucket => {
    const atMs = clock.monotonic()
    const known = buckets.get(key)
    if (known === undefined) return { left: burst, atMs }
    const gained = ((atMs - known.atMs) / 1000) * perSecond
    return { left: Math.min(burst, known.left + gained), atMs }
  }
  const lackMs = ({ left }: Bucket): number =>
    left >= 1 ? 0 : Math.ceil(((1 - left) / perSecond) * 1000)

  return {
    get size() {
      return buckets.size
    },
    take(key) {
      const bucket = fill(key)
      const waitMs = lackMs(bucket)
      if (waitMs === 0) bucket.left -= 1
      buckets.delete(key)
      buckets.set(key, bucket)
      const [oldest] = buckets.size > keysMax ? buckets.keys() : []
      if (oldest !== undefined) buckets.delete(oldest)
      return waitMs
    },
    waitMs: (key) => lackMs(fill(key)),
  }
}
