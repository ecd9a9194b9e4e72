/** What the emulated region is like: how long things take, how far answers lag, what is allowed. */

export interface WorldSettings {
  region: string
  accountId: string
  /** Used when a group or a launch names none. */
  instanceType: string
  /** From launch to the EC2 state `running`. */
  launchMs: number
  /** From launch to the machine's own software being up: a Nomad node registers then. */
  bootMs: number
  /** From `shutting-down` to `terminated`, and from `stopping` to `stopped`. */
  shutdownMs: number
  /** A lifecycle state that is only passed through lasts this long. */
  passMs: number
  /** How long a terminated instance can still be described. */
  terminatedVisibleMs: number
  /** From the death of a machine to the group's health check seeing it. */
  healthCheckMs: number
  /** From a spot notice to the end of the machine: two minutes, by EC2's promise. */
  spotNoticeMs: number
  /** How often a group with several zones looks whether they are even. */
  zoneRebalanceMs: number
  lag: LagSettings
}

/** Eventual consistency: how old each kind of answer is. All zero by default. */
export interface LagSettings {
  /** DescribeAutoScalingGroups: the list of instances and their states, not the desired capacity. */
  groupMs: number
  /** DescribeAutoScalingInstances: the same states, seen by another index. */
  instanceMs: number
  /** From launch until EC2 knows the id; before it, the id is not found. */
  ec2Ms: number
  activityMs: number
  /** Instance metadata: target state, spot notice, rebalance recommendation. */
  imdsMs: number
}

const SECOND = 1000
const MINUTE = 60 * SECOND

/** Long enough to be seen by who polls once a second, short enough to rehearse with. */
const BOOT_MS = 2 * SECOND

const NO_LAG: LagSettings = { groupMs: 0, instanceMs: 0, ec2Ms: 0, activityMs: 0, imdsMs: 0 }

const DEFAULTS: WorldSettings = {
  region: 'us-east-1',
  accountId: '123456789012',
  instanceType: 'm5.large',
  launchMs: BOOT_MS / 2,
  bootMs: BOOT_MS,
  shutdownMs: SECOND,
  passMs: 100,
  // EC2 shows them for about an hour.
  terminatedVisibleMs: 60 * MINUTE,
  healthCheckMs: 10 * SECOND,
  spotNoticeMs: 2 * MINUTE,
  zoneRebalanceMs: MINUTE,
  lag: NO_LAG,
}

export type WorldSettingsInput = Partial<Omit<WorldSettings, 'lag'>> & {
  lag?: Partial<LagSettings>
}

/** An instance is in service before its software is up, as with the real one: half way, when not told. */
export function completeSettings(input: WorldSettingsInput = {}): WorldSettings {
  const bootMs = input.bootMs ?? DEFAULTS.bootMs
  return {
    ...DEFAULTS,
    launchMs: bootMs / 2,
    ...input,
    lag: { ...NO_LAG, ...input.lag },
  }
}
