/** A group on the emulator whose machines are nodes of the embedded engine, and commands that meet them. */
import type { Test } from 'tap'
import {
  connectCluster,
  startAwsEmulator,
  type AwsEmulatorOptions,
} from '../../../src/dev/index.ts'
import { silentLog, systemClock, systemRandom } from '../../../src/platform/index.ts'
import {
  aSimulatedJob,
  eventually,
  startTestEngine,
  untilStatus,
} from '../../dev/nomad-engine/support.ts'
import { startCaravan, type Ended, type Started } from '../../support/caravan.ts'

export const GROUP = 'nomad-clients'
export const HOOK = 'caravan-drain'

export interface FarmOptions {
  machines?: number
  /** Seconds between heartbeats; 30 at least. */
  heartbeat?: number
  aws?: Partial<AwsEmulatorOptions>
  /** Whether a machine's node registers at all. */
  registers?: boolean
}

export async function startFarm(t: Test, options: FarmOptions = {}) {
  const { machines = 1, heartbeat = 30, registers = true } = options
  const engine = await startTestEngine(t, { nodes: [] })
  const emulator = await startAwsEmulator({
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    bootMs: 50,
    shutdownMs: 100,
    passMs: 20,
    // The tests look at it many times a second.
    rate: null,
    ...options.aws,
  })
  t.teardown(() => emulator.close())
  const { aws } = emulator
  const cluster = registers ? connectCluster({ aws, engine: engine.engine }) : null
  aws.call('autoscaling', 'CreateAutoScalingGroup', {
    AutoScalingGroupName: GROUP,
    MinSize: 0,
    MaxSize: 10,
    DesiredCapacity: machines,
    LaunchTemplate: { LaunchTemplateName: 'clients', Version: '1' },
    AvailabilityZones: ['us-east-1a'],
  })
  aws.call('autoscaling', 'PutLifecycleHook', {
    AutoScalingGroupName: GROUP,
    LifecycleHookName: HOOK,
    LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
    HeartbeatTimeout: heartbeat,
    DefaultResult: 'CONTINUE',
  })
  const instances = () => [...aws.world.machines.keys()]
  const stateOf = (instance: string): string | null => {
    const { AutoScalingInstances: [found] = [] } = aws.call(
      'autoscaling',
      'DescribeAutoScalingInstances',
      { InstanceIds: [instance] },
    ) as { AutoScalingInstances?: { LifecycleState: string }[] }
    return found?.LifecycleState ?? null
  }
  await eventually(() => instances().length === machines, 'the machines')
  await eventually(
    () => instances().every((each) => stateOf(each) === 'InService'),
    'their service',
  )
  if (registers) {
    await eventually(
      () => instances().every((each) => cluster?.nodeOf(each) !== undefined),
      'their nodes',
    )
  }
  const env = (instance = instances()[0] ?? '') => ({
    AWS_ENDPOINT_URL: emulator.endpoint,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_REGION: 'us-east-1',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_EC2_METADATA_SERVICE_ENDPOINT: `${emulator.imds}/${instance}`,
    NOMAD_ADDR: engine.engine.url,
  })
  const start = (args: readonly string[], more: Record<string, string> = {}): Started => {
    const started = startCaravan(['fleet', ...args], engine.dataDir, { env: { ...env(), ...more } })
    t.teardown(async () => {
      started.child.kill('SIGKILL')
      await started.ended
    })
    return started
  }
  return {
    ...engine,
    ...emulator,
    env,
    instances,
    stateOf,
    nodeOf: (instance: string) => cluster?.nodeOf(instance) ?? '',
    start,
    fleet: (...args: string[]): Promise<Ended> => start(args).ended,
    terminate: (instance: string) =>
      aws.call('autoscaling', 'TerminateInstanceInAutoScalingGroup', {
        InstanceId: instance,
        ShouldDecrementDesiredCapacity: true,
      }),
    untilState: (instance: string, state: string | null) =>
      eventually(() => stateOf(instance) === state, `${instance} to be ${state}`, 30_000),
  }
}

/** A farm of one machine, on which the job `build` runs. */
export async function startBusyFarm(t: Test) {
  const farm = await startFarm(t)
  const [instance = ''] = farm.instances()
  await farm.register(aSimulatedJob('build'))
  await untilStatus(farm, 'build', 'running')
  return { farm, instance }
}

/** What a command printed with `--json`, a value for each line. */
export function lines<Line = Record<string, unknown>>({ stdout }: Pick<Ended, 'stdout'>): Line[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)
}
