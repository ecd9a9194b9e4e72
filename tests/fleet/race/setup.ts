/** The cluster of a seed: how large, how many pools, how slow, how precise its clocks are. */
import type { TestClock } from '../../../src/platform/index.ts'
import type { Dice } from '../../faults/search/random.ts'
import type { ClusterOptions, PoolSetup } from '../support/cluster.ts'
import { HOOK } from './moves/index.ts'
import { MINUTE, SECOND } from './scene.ts'
import type { Weather } from './weather.ts'

/** Of a hook that is somebody else's. */
export const OTHER_HOOK = 'of-others'

export interface Setup {
  cluster: ClusterOptions
  hasOtherHook: boolean
}

export function aSetup(seed: number, dice: Dice, clock: TestClock, weather: Weather): Setup {
  const others = dice.chance(0.3) ? [{ ...aPool(dice), name: 'second' }] : []
  return {
    hasOtherHook: dice.chance(0.2),
    cluster: {
      ...aPool(dice),
      others,
      seed,
      clock,
      bootMs: dice.whole(15, 120) * SECOND,
      lagMs: dice.chance(0.5) ? 0 : dice.whole(1, 20) * SECOND,
      intercept: weather.aws,
      nomadOf: weather.nomadOf,
      logLevel: 'info',
    },
  }
}

function aPool(dice: Dice): PoolSetup {
  const isFixed = dice.chance(0.1)
  const min = isFixed ? dice.whole(1, 4) : dice.whole(0, 2)
  const max = isFixed ? min : dice.whole(5, 14)
  return {
    policy: {
      min,
      max,
      idleOffMs: dice.whole(20, 180) * SECOND,
      maxAgeMs: dice.chance(0.3) ? dice.whole(10, 20) * MINUTE : null,
      budget: dice.chance(0.5) ? { percent: dice.whole(10, 100) } : { count: dice.whole(1, 4) },
    },
    group: {
      min: isFixed ? min : 0,
      max: isFixed ? max : 15,
      desired: min,
      zones: dice.chance(0.5) ? ['a'] : ['a', 'b'],
    },
    fields: {
      NewInstancesProtectedFromScaleIn: dice.chance(0.3),
      CapacityRebalance: dice.chance(0.3),
      ...(dice.chance(0.3) && {
        InstanceLifecyclePolicy: { RetentionTriggers: { TerminateHookAbandon: 'retain' } },
      }),
    },
    hook: { timeoutS: dice.whole(60, 600), name: HOOK },
  }
}
