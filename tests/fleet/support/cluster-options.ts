/** What a cluster of the tests is made of. */
import type { AwsIntercept, AwsOptions } from '../../../src/dev/aws/index.ts'
import type { FleetNomad, LoopTimes, PoolPolicy } from '../../../src/fleet/index.ts'
import type { LogLevel, LogWriter, TestClock } from '../../../src/platform/index.ts'

export interface PoolSetup {
  policy?: Partial<PoolPolicy>
  group?: { min?: number; max?: number; desired?: number; zones?: string[] }
  /** Fields of CreateAutoScalingGroup besides. */
  fields?: object
  hook?: { timeoutS?: number; name?: string } | null
}

export interface ClusterOptions extends PoolSetup {
  /** Where it begins. */
  clock?: TestClock
  /** A second pool, whose group is `spare`, for what the first one has no place for. */
  standIn?: Partial<PoolPolicy>
  /** Further pools, each with a group of its own: `clients-NAME`. */
  others?: readonly (PoolSetup & { name: string })[]
  bootMs?: number
  lagMs?: number
  /** What the region is like besides. */
  aws?: Partial<Pick<AwsOptions, 'rate' | 'skewMs'>>
  seed?: number
  /** Around every call to AWS of every controller. */
  intercept?: AwsIntercept
  /** What controllers see of Nomad. */
  nomadOf?: (nomad: FleetNomad) => FleetNomad
  log?: LogWriter
  logLevel?: LogLevel
  /** How often controllers look. */
  times?: LoopTimes
}
