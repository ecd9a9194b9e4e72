/**
 * A whole cluster on one virtual clock: the AWS emulator, Nomad, a scheduler's queue, and controllers that can
 * be killed. It watches over what must never happen.
 */
import { AwsEmulator, type AwsIntercept, type WorldEvent } from '../../../src/dev/aws/index.ts'
import {
  createSteadyTime,
  openFleetStore,
  startFleet,
  type FleetLoop,
  type FleetStore,
  type PoolPolicy,
} from '../../../src/fleet/index.ts'
import { createLog, TestClock, type RandomSource } from '../../../src/platform/index.ts'
import type { ClusterOptions, PoolSetup } from './cluster-options.ts'
import { Mortal, type Skew } from './mortal.ts'
import { FakeNomad } from './nomad.ts'
import { classOf, Queue } from './queue.ts'
import { regionOf } from './region.ts'
import { seeded } from './seeded.ts'
import { aPolicy } from './views.ts'
import { Watch, type Line } from './watch.ts'

export { seeded } from './seeded.ts'
export type { ClusterOptions, PoolSetup } from './cluster-options.ts'

export interface Running {
  mortal: Mortal
  fleet: FleetLoop
}

const FIRST = { pool: 'linux', group: 'clients' } as const

export class Cluster {
  readonly clock: TestClock
  readonly aws: AwsEmulator
  readonly nomad: FakeNomad
  readonly queue: Queue
  readonly store: FleetStore
  /** One for each pool, in the order in which they were given: of controllers that start from now on. */
  policies: PoolPolicy[] = []
  readonly random: RandomSource
  readonly watch: Watch
  readonly events: WorldEvent[] = []
  readonly calls: string[] = []
  /** Of all controllers. */
  readonly lines: Line[] = []
  readonly metrics: { name: string; value: number }[] = []
  readonly #options: ClusterOptions
  readonly #running: Running[] = []
  readonly #hooks = new Set<string>()

  constructor(options: ClusterOptions, store: FleetStore) {
    this.#options = options
    this.clock = options.clock ?? new TestClock()
    this.store = store
    this.random = seeded(options.seed ?? 1)
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
    this.watch = new Watch({
      clock: this.clock,
      nomad: this.nomad,
      lines: this.lines,
      boundsOf: (group) => this.#boundsOf(group),
      isOurHook: (hook) => this.#hooks.has(hook),
      retains: (group) => this.aws.world.groups.get(group)?.retainsAbandoned ?? false,
    })
    this.aws.subscribe((event) => this.#follow(event))
    this.#addPool(FIRST.pool, FIRST.group, options)
    for (const { name, ...setup } of options.others ?? []) {
      this.#addPool(name, `clients-${name}`, setup)
    }
    if (options.standIn === undefined) return
    this.#addPool('spare', 'spare', { ...options, policy: options.standIn })
    this.queue.standIns = ['spare']
  }

  /** What must never happen, and did. */
  get violations(): string[] {
    return this.watch.violations
  }

  /** Of the first pool. */
  get policy(): PoolPolicy {
    const [first] = this.policies
    if (first === undefined) throw new Error('there is no pool')
    return first
  }

  /** As somebody else: a person, or another program. */
  call(action: string, input: object): unknown {
    return this.aws.call('autoscaling', action, input)
  }

  /** Those for terminating instances are what controllers wait by. */
  putHook(
    timeoutS: number,
    name = 'drain',
    transition: 'TERMINATING' | 'LAUNCHING' = 'TERMINATING',
    group: string = FIRST.group,
  ): void {
    if (transition === 'TERMINATING') this.#hooks.add(name)
    this.call('PutLifecycleHook', {
      LifecycleHookName: name,
      AutoScalingGroupName: group,
      DefaultResult: transition === 'LAUNCHING' ? 'ABANDON' : 'CONTINUE',
      LifecycleTransition: `autoscaling:EC2_INSTANCE_${transition}`,
      HeartbeatTimeout: timeoutS,
    })
  }

  start(holder = `controller-${this.#running.length}`, skew?: Skew): Running {
    const mortal = new Mortal(skew)
    const clock = mortal.clock(this.clock)
    const { nomadOf = (nomad) => nomad, log, logLevel = 'debug', times } = this.#options
    const aws = regionOf(this.aws, clock, this.#around(mortal, holder))
    const deps: Parameters<typeof startFleet>[0] = {
      policies: this.policies,
      awsOf: () => aws,
      clock,
      now: createSteadyTime(clock),
      nomad: mortal.nomad(nomadOf(this.nomad)),
      demand: this.queue,
      store: mortal.store(this.store),
      random: this.random,
      metrics: {
        count: (name, times = 1) => void this.metrics.push({ name, value: times }),
        measure: (name, value) => void this.metrics.push({ name, value }),
      },
      holder,
      log: createLog((level, message, fields) => {
        const at = this.clock.monotonic()
        this.lines.push({ at, level, message, fields: { ...fields, holder } })
        log?.(level, message, { at, ...fields })
      }, logLevel),
    }
    const fleet = startFleet(deps, times === undefined ? {} : { times })
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

  /** That of the first pool. */
  get group() {
    return this.groupOf(this.policy)
  }

  groupOf({ group: name }: Pick<PoolPolicy, 'group'>) {
    const group = this.aws.world.groups.get(name)
    if (group === undefined) throw new Error('the group is gone')
    return group
  }

  /** By lifecycle state, in the first group. */
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
    let left = 0
    for (const { mortal, fleet } of this.#running) {
      if (!mortal.isAlive) continue
      left += 1
      void fleet.close().finally(() => (left -= 1))
    }
    // What was begun ends with its timers.
    await this.until('all controllers are closed', () => left === 0)
    this.aws.close()
    this.store.close()
  }

  #addPool(name: string, group: string, setup: PoolSetup): void {
    const { min = 0, max = 20, desired = min, zones = ['us-east-1a'] } = setup.group ?? {}
    this.policies.push(aPolicy({ budget: { percent: 100 }, ...setup.policy, name, group }))
    this.call('CreateAutoScalingGroup', {
      AutoScalingGroupName: group,
      LaunchTemplate: { LaunchTemplateName: 'client', Version: '1' },
      MinSize: min,
      MaxSize: max,
      DesiredCapacity: desired,
      AvailabilityZones: zones,
      ...setup.fields,
    })
    if (setup.hook === null) return
    const { timeoutS = 1800, name: hook = 'drain' } = setup.hook ?? {}
    this.putHook(timeoutS, hook, 'TERMINATING', group)
  }

  /** Calls of a controller: what disturbs them, what may kill it in the middle, and who is told to have acted. */
  #around(mortal: Mortal, holder: string): AwsIntercept {
    const { intercept } = this.#options
    return (call, next) => {
      this.calls.push(call.action)
      this.watch.onCall(holder, call)
      const asHolder = () => {
        // What is due by now, such as a scheduled action, is nobody's.
        this.aws.catchUp()
        // The emulator does it, and tells of it, before it returns.
        this.watch.actor = holder
        try {
          return next()
        } finally {
          this.watch.actor = null
        }
      }
      return mortal.intercept(call, async () => {
        const answer = await (intercept === undefined ? asHolder() : intercept(call, asHolder))
        if (answer !== 'cut') this.watch.onAnswer(call, answer)
        return answer as Awaited<ReturnType<typeof next>>
      })
    }
  }

  #boundsOf(group: string): { min: number; max: number } {
    const policy = this.policies.find((each) => each.group === group) ?? this.policy
    const { min, max } = this.groupOf(policy)
    return { min: Math.max(min, policy.min), max: Math.min(max, policy.max) }
  }

  #follow(event: WorldEvent): void {
    this.events.push(event)
    this.watch.onEvent(event)
    if (event.type === 'booted') {
      const node = this.nomad.add({ instanceId: event.instance })
      const pool = this.policies.find(({ group }) => group === event.group)
      node.NodeClass = classOf(pool?.name ?? FIRST.pool)
    }
    if (event.type !== 'machine' || event.state === 'pending' || event.state === 'running') return
    const node = this.nomad.nodeOf(event.instance)
    if (node === undefined || node.Status === 'down') return
    this.queue.lose(node.ID)
    this.nomad.lose(node.ID)
  }
}

export async function aCluster(options: ClusterOptions = {}): Promise<Cluster> {
  // Loaded before the clock counts: what comes from the disk takes no virtual time.
  await Promise.all([import('@aws-sdk/client-auto-scaling'), import('@aws-sdk/client-ec2')])
  return new Cluster(options, await openFleetStore(':memory:'))
}
