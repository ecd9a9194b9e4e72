/**
 * A whole cluster on one virtual clock: the AWS emulator, Nomad, a scheduler's queue, and controllers that can
 * be killed. It watches over what must never happen.
 */
import {
  AwsEmulator,
  createInProcessClient,
  type AwsIntercept,
  type AwsOptions,
  type WorldEvent,
} from '../../../src/dev/aws/index.ts'
import {
  createSteadyTime,
  openFleetStore,
  startFleet,
  type FleetLoop,
  type FleetStore,
  type PoolPolicy,
} from '../../../src/fleet/index.ts'
import {
  createAws,
  createLog,
  TestClock,
  type LogWriter,
  type RandomSource,
} from '../../../src/platform/index.ts'
import { Mortal } from './mortal.ts'
import { FakeNomad } from './nomad.ts'
import { Queue } from './queue.ts'
import { aPolicy } from './views.ts'
import { createDice } from '../../faults/search/random.ts'

export interface ClusterOptions {
  policy?: Partial<PoolPolicy>
  /** A second pool, whose group is `spare`, for what the first one has no place for. */
  standIn?: Partial<PoolPolicy>
  group?: { min?: number; max?: number; desired?: number; zones?: string[] }
  hook?: { timeoutS?: number } | null
  bootMs?: number
  lagMs?: number
  /** What the region is like besides. */
  aws?: Partial<Pick<AwsOptions, 'rate' | 'skewMs'>>
  /** Where it begins. */
  clock?: TestClock
  seed?: number
  /** Around every call to AWS of every controller. */
  intercept?: AwsIntercept
  log?: LogWriter
}

interface Line {
  at: number
  level: string
  message: string
  fields: Record<string, unknown>
}

export interface Running {
  mortal: Mortal
  fleet: FleetLoop
}

type Client = NonNullable<NonNullable<Parameters<typeof createAws>[0]['clients']>['ec2']>
type GroupClient = NonNullable<Parameters<typeof createAws>[0]['clients']>['autoScaling']

export class Cluster {
  readonly clock: TestClock
  readonly aws: AwsEmulator
  readonly nomad: FakeNomad
  readonly queue: Queue
  readonly store: FleetStore
  readonly policy: PoolPolicy
  /** Of those that start from now on. */
  policies: PoolPolicy[]
  readonly random: RandomSource
  /** What must never happen, and did. */
  readonly violations: string[] = []
  readonly events: WorldEvent[] = []
  readonly calls: string[] = []
  /** Of all controllers. */
  readonly lines: Line[] = []
  readonly metrics: { name: string; value: number }[] = []
  readonly #options: ClusterOptions
  readonly #running: Running[] = []

  constructor(options: ClusterOptions, store: FleetStore) {
    this.#options = options
    this.clock = options.clock ?? new TestClock()
    this.store = store
    this.random = seeded(options.seed ?? 1)
    this.policy = aPolicy({ budget: { percent: 100 }, ...options.policy })
    this.policies = [this.policy]
    this.aws = new AwsEmulator({
      clock: this.clock,
      random: this.random,
      bootMs: options.bootMs ?? 60_000,
      lag: { groupMs: options.lagMs ?? 0 },
      rate: null,
      ...options.aws,
    })
    this.nomad = new FakeNomad(this.clock)
    this.queue = new Queue(this.nomad, this.clock)
    this.aws.subscribe((event) => this.#watch(event))
    const { min = 0, max = 20, desired = min, zones = ['us-east-1a'] } = options.group ?? {}
    const makeGroup = (name: string) => {
      this.call('CreateAutoScalingGroup', {
        AutoScalingGroupName: name,
        LaunchTemplate: { LaunchTemplateName: 'client', Version: '1' },
        MinSize: min,
        MaxSize: max,
        DesiredCapacity: desired,
        AvailabilityZones: zones,
      })
      if (options.hook !== null)
        this.putHook(options.hook?.timeoutS ?? 1800, 'drain', 'TERMINATING', name)
    }
    makeGroup('clients')
    if (options.standIn === undefined) return
    this.policies.push(
      aPolicy({ budget: { percent: 100 }, ...options.standIn, name: 'spare', group: 'spare' }),
    )
    this.queue.standIns = ['spare']
    makeGroup('spare')
  }

  /** As somebody else: a person, or another program. */
  call(action: string, input: object): unknown {
    return this.aws.call('autoscaling', action, input)
  }

  putHook(
    timeoutS: number,
    name = 'drain',
    transition: 'TERMINATING' | 'LAUNCHING' = 'TERMINATING',
    group = 'clients',
  ): void {
    this.call('PutLifecycleHook', {
      LifecycleHookName: name,
      AutoScalingGroupName: group,
      DefaultResult: transition === 'LAUNCHING' ? 'ABANDON' : 'CONTINUE',
      LifecycleTransition: `autoscaling:EC2_INSTANCE_${transition}`,
      HeartbeatTimeout: timeoutS,
    })
  }

  start(holder = `controller-${this.#running.length}`): Running {
    const mortal = new Mortal()
    const clock = mortal.clock(this.clock)
    const { intercept } = this.#options
    const around: AwsIntercept = (call, next) => {
      this.calls.push(call.action)
      return mortal.intercept(call, async () => {
        const answer = intercept === undefined ? next() : intercept(call, next)
        return answer as ReturnType<typeof next>
      })
    }
    const client = (service: 'autoscaling' | 'ec2') =>
      createInProcessClient(this.aws, service, around) as unknown
    const aws = createAws({
      region: 'us-east-1',
      clock,
      clients: { autoScaling: client('autoscaling') as GroupClient, ec2: client('ec2') as Client },
    })
    const fleet = startFleet({
      policies: this.policies,
      awsOf: () => aws,
      clock,
      now: createSteadyTime(clock),
      nomad: mortal.nomad(this.nomad),
      demand: this.queue,
      store: mortal.store(this.store),
      random: this.random,
      metrics: {
        count: (name, times = 1) => void this.metrics.push({ name, value: times }),
        measure: (name, value) => void this.metrics.push({ name, value }),
      },
      holder,
      log: createLog((level, message, fields) => {
        this.lines.push({ at: this.clock.monotonic(), level, message, fields })
        this.#options.log?.(level, message, { at: this.clock.monotonic(), ...fields })
      }, 'debug'),
    })
    const running = { mortal, fleet }
    this.#running.push(running)
    return running
  }

  /** Lets time pass. */
  async pass(ms: number): Promise<void> {
    await this.clock.tick(ms)
  }

  /** Lets time pass until it is so. @throws Error when it takes longer than `mostMs`. */
  async until(what: string, isSo: () => boolean, mostMs = 3_600_000): Promise<void> {
    const end = this.clock.monotonic() + mostMs
    while (!isSo()) {
      if (this.clock.monotonic() >= end) throw new Error(`it never came that ${what}`)
      await this.pass(500)
    }
  }

  get group() {
    const group = this.aws.world.groups.get('clients')
    if (group === undefined) throw new Error('the group is gone')
    return group
  }

  /** By lifecycle state. */
  members(state: string): string[] {
    return [...this.group.members.values()]
      .filter((member) => member.state.value === state)
      .map(({ machine }) => machine.id)
  }

  eligible(): number {
    return [...this.nomad.nodes.values()].filter(
      ({ Status, SchedulingEligibility }) =>
        Status === 'ready' && SchedulingEligibility === 'eligible',
    ).length
  }

  async close(): Promise<void> {
    const closing = this.#running
      .filter(({ mortal }) => mortal.isAlive)
      .map(({ fleet }) => fleet.close())
    // What was begun ends with its timers.
    await this.pass(1000)
    await Promise.all(closing)
    this.aws.close()
    this.store.close()
  }

  #watch(event: WorldEvent): void {
    this.events.push(event)
    if (event.type === 'booted') this.nomad.add({ instanceId: event.instance })
    if (event.type === 'desired') {
      const { min, max } = this.aws.world.groups.get(event.group) ?? this.group
      if (event.to < min || event.to > max) {
        this.violations.push(
          `desired went from ${event.from} to ${event.to}, outside ${min}..${max}`,
        )
      }
    }
    if (event.type === 'action-closed') this.#judge(event)
    if (event.type !== 'machine' || event.state === 'pending' || event.state === 'running') return
    const node = this.nomad.nodeOf(event.instance)
    if (node === undefined || node.Status === 'down') return
    this.queue.lose(node.ID)
    this.nomad.lose(node.ID)
  }

  #judge({ instance, hook, result, by }: Extract<WorldEvent, { type: 'action-closed' }>): void {
    // A machine whose node is ready takes slices, also while its launch waits.
    if (this.group.hooks.get(hook)?.transition === 'autoscaling:EC2_INSTANCE_LAUNCHING') return
    // It stays, with all that runs on it.
    if (result === 'ABANDON' && this.group.retainsAbandoned) return
    const node = this.nomad.nodeOf(instance)
    // An agent that has ended has sent all it had: what the scheduler still takes in is safe.
    const running = node?.Status === 'ready' ? this.nomad.liveOn(node.ID).length : 0
    if (by === 'complete' && running > 0) {
      this.violations.push(`the hook of ${instance} was completed while ${running} slices ran`)
    }
    if (by === 'timeout' && node?.Status === 'ready') {
      this.violations.push(`the hook of ${instance} lapsed`)
    }
    const isTold = this.lines.some(
      ({ level, message }) =>
        level === 'error' && message.startsWith(`Auto Scaling ends ${instance}`),
    )
    if (by === 'cap' && !isTold) this.violations.push(`nobody was told of the cap of ${instance}`)
  }
}

export async function aCluster(options: ClusterOptions = {}): Promise<Cluster> {
  // Loaded before the clock counts: what comes from the disk takes no virtual time.
  await Promise.all([import('@aws-sdk/client-auto-scaling'), import('@aws-sdk/client-ec2')])
  return new Cluster(options, await openFleetStore(':memory:'))
}

/** The same numbers for the same seed. */
export function seeded(seed: number): RandomSource {
  const dice = createDice(seed)
  const number = () => dice.number()
  return {
    number,
    bytes: (size) => Uint8Array.from({ length: size }, () => Math.floor(number() * 256)),
  }
}
