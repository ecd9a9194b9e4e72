/** A region on a clock that only moves when told to, and short ways to use it. */
import { AwsEmulator } from '../../../src/dev/index.ts'
import type { AwsOptions, WorldEvent } from '../../../src/dev/index.ts'
import { TestClock } from '../../../src/platform/index.ts'
import type { RandomSource } from '../../../src/platform/index.ts'

export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE

/** Passed through quickly enough that a test need not count it. */
const PASS_MS = 100

export const GROUP = 'clients'
export const TERMINATING = 'autoscaling:EC2_INSTANCE_TERMINATING'
export const LAUNCHING = 'autoscaling:EC2_INSTANCE_LAUNCHING'

interface Teardown {
  teardown(run: () => void): unknown
}

type Fields = Record<string, unknown>

export interface SeenInstance {
  InstanceId: string
  LifecycleState: string
  HealthStatus: string
  AvailabilityZone: string
  ProtectedFromScaleIn: boolean
  LaunchTemplate?: { Version: string }
}

export interface SeenActivity {
  ActivityId: string
  StatusCode: string
  StatusMessage?: string
  Cause: string
  Description: string
  Progress: number
}

export interface Region {
  aws: AwsEmulator
  clock: TestClock
  events: WorldEvent[]
  /** An action of Auto Scaling; throws what it refuses. */
  call(action: string, input?: Fields): Fields
  ec2(action: string, input?: Fields): Fields
  group(name?: string): Fields & { DesiredCapacity: number; Instances: SeenInstance[] }
  instances(name?: string): SeenInstance[]
  /** `InService`, ... sorted. */
  states(name?: string): string[]
  stateOf(instance: string): string | undefined
  /** Newest first. */
  activities(name?: string): SeenActivity[]
  machineState(instance: string): string
  terminate(instance: string, decrement?: boolean): Fields
  complete(instance: string, result?: 'CONTINUE' | 'ABANDON', hook?: string): Fields
  beat(instance: string, hook?: string): Fields
}

/** Bytes that look random and are the same in every run. */
export function countingRandom(seed = 1): RandomSource {
  let state = seed >>> 0
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state >>> 24
  }
  return {
    number: () => next() / 256,
    bytes: (size) => Uint8Array.from({ length: size }, next),
  }
}

export function aRegion(t: Teardown, options: Partial<AwsOptions> = {}): Region {
  const clock = new TestClock()
  const aws = new AwsEmulator({
    clock,
    random: countingRandom(),
    passMs: PASS_MS,
    rate: null,
    ...options,
  })
  t.teardown(() => aws.close())
  const events: WorldEvent[] = []
  aws.subscribe((event) => events.push(event))
  const call = (action: string, input: Fields = {}) => aws.call('autoscaling', action, input)
  const ec2 = (action: string, input: Fields = {}) => aws.call('ec2', action, input)
  const group = (name = GROUP) => {
    const groups = call('DescribeAutoScalingGroups', { AutoScalingGroupNames: [name] })
    const [found] = groups['AutoScalingGroups'] as ReturnType<Region['group']>[]
    if (found === undefined) throw new Error(`there is no group ${name}`)
    return found
  }
  const instances = (name = GROUP) => group(name).Instances
  const action = (instance: string, hook: string) => ({
    AutoScalingGroupName: aws.world.machines.get(instance)?.group ?? GROUP,
    LifecycleHookName: hook,
    InstanceId: instance,
  })
  return {
    aws,
    clock,
    events,
    call,
    ec2,
    group,
    instances,
    states: (name) =>
      instances(name)
        .map(({ LifecycleState }) => LifecycleState)
        .sort(),
    stateOf: (instance) =>
      instances().find(({ InstanceId }) => InstanceId === instance)?.LifecycleState,
    activities: (name = GROUP) =>
      call('DescribeScalingActivities', { AutoScalingGroupName: name })[
        'Activities'
      ] as SeenActivity[],
    machineState: (instance) => aws.world.machines.get(instance)?.state.value ?? 'unknown',
    terminate: (InstanceId, ShouldDecrementDesiredCapacity = true) =>
      call('TerminateInstanceInAutoScalingGroup', { InstanceId, ShouldDecrementDesiredCapacity }),
    complete: (instance, LifecycleActionResult = 'CONTINUE', hook = 'drain') =>
      call('CompleteLifecycleAction', { ...action(instance, hook), LifecycleActionResult }),
    beat: (instance, hook = 'drain') =>
      call('RecordLifecycleActionHeartbeat', action(instance, hook)),
  }
}

/** Two instances in two zones, unless told otherwise. */
export function makeGroup(region: Region, fields: Fields = {}): void {
  region.call('CreateAutoScalingGroup', {
    AutoScalingGroupName: GROUP,
    MinSize: 0,
    MaxSize: 10,
    DesiredCapacity: 2,
    AvailabilityZones: ['us-east-1a', 'us-east-1b'],
    LaunchTemplate: { LaunchTemplateName: 'client' },
    ...fields,
  })
}

export function putHook(region: Region, fields: Fields = {}): void {
  region.call('PutLifecycleHook', {
    AutoScalingGroupName: GROUP,
    LifecycleHookName: 'drain',
    LifecycleTransition: TERMINATING,
    HeartbeatTimeout: 30,
    DefaultResult: 'CONTINUE',
    ...fields,
  })
}

/** A group whose instances serve and have booted. */
export async function aServingGroup(
  t: Teardown,
  options: { group?: Fields; region?: Partial<AwsOptions>; hook?: Fields | null } = {},
): Promise<Region & { ids: string[] }> {
  const region = aRegion(t, options.region)
  makeGroup(region, options.group)
  if (options.hook !== null) putHook(region, options.hook)
  await region.clock.tick(3 * SECOND)
  return { ...region, ids: region.instances().map(({ InstanceId }) => InstanceId) }
}

/** The code and text of what a call refuses. */
export function refusalOf(run: () => unknown): { code: string; message: string } | null {
  try {
    run()
    return null
  } catch (cause) {
    const { code, message } = cause as { code: string; message: string }
    return { code, message }
  }
}
