/** What the settings say of a pool, in the words of the plan. */
import { MHZ_PER_VCPU, type Settings } from '../model/index.ts'
import type { Room } from './ports.ts'

export interface PoolPolicy {
  name: string
  group: string
  region: string
  min: number
  max: number
  /** `auto`: by what a boot costs, see idle.ts. */
  idleOffMs: number | 'auto'
  maxAgeMs: number | null
  isSpot: boolean
  /** What a new node has for slices. */
  shape: Room
  /** How many nodes may go at once by our own will. */
  budget: { percent: number } | { count: number }
  schedules: readonly Schedule[]
}

/** From each time of the cron line on, for so long, at least so many nodes. */
export interface Schedule {
  name: string
  cron: string
  zone: string
  forMs: number
  floor: number
}

export function toPolicies(settings: Pick<Settings, 'pool'>): PoolPolicy[] {
  return settings.pool.map((pool) => ({
    name: pool.name,
    group: pool.group,
    region: pool.region,
    min: pool.min,
    max: pool.max,
    idleOffMs: pool.idle_off,
    maxAgeMs: pool.max_age ?? null,
    isSpot: pool.spot,
    shape: {
      cpuMhz: Math.round((pool.instance.vcpu - pool.reserve.vcpu) * MHZ_PER_VCPU),
      memoryMiB: pool.instance.memory - pool.reserve.memory,
    },
    budget:
      pool.budget.count === undefined
        ? { percent: pool.budget.percent ?? 10 }
        : { count: pool.budget.count },
    schedules: pool.schedule.map(({ for: forMs, ...schedule }) => ({ ...schedule, forMs })),
  }))
}

/** At least one: a budget of less than a node would never let a pool change. */
export function budgetOf({ budget }: Pick<PoolPolicy, 'budget'>, size: number): number {
  return 'count' in budget ? budget.count : Math.max(1, Math.floor((size * budget.percent) / 100))
}
