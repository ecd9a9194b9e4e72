/** How a warm pool is told. */
import type { WarmPool } from '../../core/world.ts'

export function toWarmPoolView(pool: WarmPool) {
  return {
    MaxGroupPreparedCapacity: pool.maxPrepared ?? undefined,
    MinSize: pool.min,
    PoolState: pool.state,
    InstanceReusePolicy: pool.reusesOnScaleIn ? { ReuseOnScaleIn: true } : undefined,
  }
}
