/**
 * Auto Scaling and EC2 in one region, as little of them as the fleet needs.
 *
 * What a caller has to expect is a value: a hook that is not open any more, a group at its minimum.
 * Everything else is a CaravanError whose detail holds `problem`, see failure.ts: AWS_UNREACHABLE (nothing
 * was done, or a read: try again), AWS_THROTTLED (so was nothing), AWS_FORBIDDEN, AWS_REJECTED (with the
 * words of AWS) and AWS_UNKNOWN_OUTCOME (a write that may or may not have happened: read back first).
 *
 * Durations are milliseconds, times milliseconds since 1970.
 */

export interface AwsRegion {
  readonly region: string

  /** With their instances; all pages, a hundred names to a call. Groups that are not there are left out. */
  readGroups(names: readonly string[], options?: AwsCall): Promise<AwsGroup[]>
  /** Which group an instance is in, and in which state; those in no group are left out. */
  readMembers(instanceIds: readonly string[], options?: AwsCall): Promise<AwsMember[]>
  readHooks(group: string, options?: AwsCall): Promise<AwsHook[]>
  /** Newest first, at most `limit`, up to 100. */
  readActivities(group: string, limit: number, options?: AwsCall): Promise<AwsActivity[]>
  /** Whether a refresh of the group's instances is under way in any of its states. */
  isRefreshing(group: string, options?: AwsCall): Promise<boolean>
  /** Cooldowns are not honoured: what the queue asks for does not wait for them. */
  setDesired(group: string, desired: number, options?: AwsCall): Promise<SetDesiredOutcome>
  updateGroup(group: string, sizes: GroupSizes, options?: AwsCall): Promise<void>
  /**
   * Through the group, so that its hooks are honoured.
   * @param decrement false: the group launches another one in its place.
   */
  terminateInGroup(
    instanceId: string,
    decrement: boolean,
    options?: AwsCall,
  ): Promise<TerminateOutcome>
  /** In batches of 50. @returns those that could not be changed in the state they are in. */
  setProtection(
    group: string,
    instanceIds: readonly string[],
    isProtected: boolean,
    options?: AwsCall,
  ): Promise<string[]>
  /** Not repeated inside: whoever beats decides when to beat again. */
  heartbeat(action: LifecycleAction, options?: AwsCall): Promise<ActionOutcome>
  completeAction(
    action: LifecycleAction,
    result: 'CONTINUE' | 'ABANDON',
    options?: AwsCall,
  ): Promise<ActionOutcome>

  /** By filter, so that an id which EC2 does not know spoils nothing. Unknown ones are left out. */
  readInstances(instanceIds: readonly string[], options?: AwsCall): Promise<AwsInstance[]>
  /** Everything that was launched for these groups and still runs, in the group or not any more. */
  findInstances(groups: readonly string[], options?: AwsCall): Promise<AwsInstance[]>
  /** Past all groups and hooks. @returns false when there is no such instance. */
  terminateInstance(instanceId: string, options?: AwsCall): Promise<boolean>
  /** What `$Latest` or `$Default` stands for now; null when there is no such template or version. */
  readTemplateVersion(
    template: string,
    version: string,
    options?: AwsCall,
  ): Promise<{ version: string; imageId: string | null } | null>
  /** The text of a secret of Secrets Manager. */
  readSecret(name: string, options?: AwsCall): Promise<string>

  close(): void
}

export interface AwsCall {
  signal?: AbortSignal
}

export interface AwsGroup {
  name: string
  min: number
  max: number
  desired: number
  instances: AwsMember[]
  /** Names of processes: `Launch`, `Terminate`, `AZRebalance`, ... */
  suspended: string[]
  /** `Delete in progress` while somebody deletes it. */
  status: string | null
  /** New instances are protected from scale-in from their start. */
  protectsNew: boolean
  /** What new instances are made from; null when it can not be told. */
  template: AwsTemplate | null
  maxLifetimeMs: number | null
  hasWarmPool: boolean
  /** It launches another one by itself when EC2 recommends to replace an instance, or takes it back. */
  rebalances: boolean
  /** Instances whose terminating hook is abandoned are kept, outside of the size, until they are ended by name. */
  retains: boolean
}

export interface AwsTemplate {
  /** Id of the launch template, or name of the launch configuration. */
  id: string
  /** A number, `$Latest` or `$Default`; empty for a launch configuration. */
  version: string
}

export interface AwsMember {
  instanceId: string
  group: string
  zone: string
  type: string
  /** `InService`, `Terminating:Wait`, ...: new ones may appear at any time. */
  lifecycle: string
  isHealthy: boolean
  isProtected: boolean
  template: AwsTemplate | null
}

export interface AwsHook {
  name: string
  transition: 'launching' | 'terminating'
  /** Without a heartbeat for so long, the default result comes. */
  timeoutMs: number
  /** With heartbeats, so long at most. */
  capMs: number
  defaultResult: 'CONTINUE' | 'ABANDON'
}

export interface AwsActivity {
  id: string
  status: string
  /** Why it failed, in words. */
  message: string
  cause: string
  description: string
  startedMs: number
  endedMs: number | null
}

export interface AwsInstance {
  instanceId: string
  state: 'pending' | 'running' | 'shutting-down' | 'terminated' | 'stopping' | 'stopped' | 'unknown'
  launchedMs: number
  /** As its tag tells, also after it left the group. */
  group: string | null
  zone: string
  privateIp: string | null
  imageId: string
  isSpot: boolean
  /** Of the metadata service. */
  hopLimit: number | null
  requiresTokens: boolean
}

/** Named by its instance: the token is only known to those who saw the event. */
export interface LifecycleAction {
  group: string
  hook: string
  instanceId: string
  token?: string
}

export interface GroupSizes {
  min?: number
  max?: number
  desired?: number
}

/** `no_action`: it was completed, has lapsed, or never was. */
export type ActionOutcome = 'done' | 'no_action'
/** `refused`: outside of the group's bounds; `busy`: another activity is in the way. */
export type SetDesiredOutcome = { kind: 'set' } | { kind: 'busy' | 'refused'; text: string }
export type TerminateOutcome =
  | { kind: 'terminating'; activity: string | null }
  /** One less would be below the minimum. */
  | { kind: 'at_minimum'; text: string }
  /** The group does not have it, or not any more. */
  | { kind: 'gone' }
  | { kind: 'busy'; text: string }
