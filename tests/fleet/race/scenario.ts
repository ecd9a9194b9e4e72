/**
 * One run of a whole cluster under everything that may go wrong, all of it from one seed: some forty minutes
 * of trouble, then calm, in which all that was begun must come to its end.
 */
import { Refusal, type AwsIntercept } from '../../../src/dev/aws/index.ts'
import { disturb, type Disturbance } from '../../../src/dev/aws/disturbance.ts'
import { aCluster, seeded, type Cluster, type Running } from '../support/cluster.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const TROUBLE_MS = 40 * MINUTE
const CALM_MS = 4 * 60 * MINUTE

export interface Verdict {
  seed: number
  /** Empty when all that must hold has held. */
  violations: string[]
  slices: number
  troubles: number
}

/** @param look at the cluster before it runs, for who follows a seed. */
export async function runScenario(
  seed: number,
  look: (cluster: Cluster) => void = () => undefined,
): Promise<Verdict> {
  const source = seeded(seed)
  const random = () => source.number()
  const between = (from: number, to: number) => Math.round(from + random() * (to - from))
  const trouble = { rate: 0 }
  const cluster = await aCluster({
    seed,
    policy: {
      min: between(0, 2),
      max: between(5, 14),
      idleOffMs: between(20, 180) * SECOND,
      maxAgeMs: random() < 0.3 ? between(10, 20) * MINUTE : null,
      budget: random() < 0.5 ? { percent: between(10, 100) } : { count: between(1, 4) },
    },
    group: { min: 0, max: 15, zones: random() < 0.5 ? ['a'] : ['a', 'b'] },
    hook: { timeoutS: between(60, 600) },
    bootMs: between(15, 120) * SECOND,
    lagMs: random() < 0.5 ? 0 : between(1, 20) * SECOND,
    intercept: faulty(random, trouble),
  })
  look(cluster)
  cluster.nomad.before = () => {
    if (random() < trouble.rate / 2) throw new Error('Nomad answers 500, by chance')
  }
  try {
    const world = new Trouble(cluster, random, trouble)
    await world.run()
    await world.calm()
    return { seed, violations: cluster.violations, slices: world.slices, troubles: world.count }
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return { seed, violations: [...cluster.violations, text], slices: 0, troubles: 0 }
  } finally {
    await cluster.close()
  }
}

/** Some calls are refused, some are lost on the way, and of some only the answer is. */
function faulty(random: () => number, trouble: { rate: number }): AwsIntercept {
  return async (_call, next) => {
    if (random() >= trouble.rate) return next()
    const kind = random()
    if (kind < 0.5) throw new Refusal('Throttling', 'Rate exceeded, by chance')
    if (kind < 0.75) return 'cut'
    await next()
    return 'cut'
  }
}

class Trouble {
  slices = 0
  count = 0
  readonly #cluster: Cluster
  readonly #random: () => number
  readonly #trouble: { rate: number }
  #controllers: Running[] = []
  #silentUntilMs = 0

  constructor(cluster: Cluster, random: () => number, trouble: { rate: number }) {
    this.#cluster = cluster
    this.#random = random
    this.#trouble = trouble
  }

  async run(): Promise<void> {
    const cluster = this.#cluster
    const end = cluster.clock.monotonic() + TROUBLE_MS
    this.#trouble.rate = this.#random() < 0.3 ? 0 : this.#random() * 0.15
    while (cluster.clock.monotonic() < end) {
      this.#revive()
      if (this.#random() < 0.3) this.#addSlices()
      if (this.#random() < 0.35) this.#disturb()
      cluster.queue.isSilent = cluster.clock.monotonic() < this.#silentUntilMs
      await cluster.pass(this.#between(1, 30) * SECOND)
    }
  }

  /** Nobody disturbs any more: everything must come to its end, and nothing may be left over. */
  async calm(): Promise<void> {
    const cluster = this.#cluster
    this.#trouble.rate = 0
    cluster.queue.isSilent = false
    for (const { mortal } of this.#controllers) mortal.diesAt = null
    this.#revive()
    cluster.call('ResumeProcesses', { AutoScalingGroupName: 'clients' })
    disturb(cluster.aws.world, { do: 'mend-launches' })
    cluster.aws.change((world) => void (world.conditions.brokenBoots = 0))
    for (const node of cluster.nomad.nodes.values()) {
      // What a person has taken out, a person gives back.
      if (node.Status === 'ready') cluster.nomad.giveBack(node)
    }
    await this.#settles('all slices have run', () => cluster.queue.slices.size === 0)
    await this.#settles('the pool is at its minimum', () => {
      const states = [...cluster.group.members.values()].map((member) => member.state.value)
      return (
        states.length === cluster.policy.min &&
        cluster.group.desired === cluster.policy.min &&
        states.every((state) => state === 'InService')
      )
    })
    await this.#settles('no node is left ineligible', () =>
      [...cluster.nomad.nodes.values()].every(
        ({ Status, SchedulingEligibility }) =>
          Status !== 'ready' || SchedulingEligibility === 'eligible',
      ),
    )
    await cluster.pass(MINUTE)
    this.#inspect()
  }

  async #settles(what: string, isSo: () => boolean): Promise<void> {
    const cluster = this.#cluster
    const end = cluster.clock.monotonic() + CALM_MS
    while (!isSo()) {
      if (cluster.clock.monotonic() >= end) {
        const states = [...cluster.group.members.values()].map(
          ({ machine, state }) => `${machine.id} ${state.value}`,
        )
        const [last] = cluster.store.readTicks({ limit: 1 })
        const why = JSON.stringify(last?.why)
        cluster.violations.push(
          `it never came that ${what}: desired ${cluster.group.desired}, ${states.join(', ')}; ${why}`,
        )
        return
      }
      await cluster.pass(5 * SECOND)
    }
  }

  #inspect(): void {
    const { group, aws, violations, store } = this.#cluster
    for (const machine of aws.world.machines.values()) {
      const state = machine.state.value
      const lives = state === 'running' || state === 'pending'
      if (lives && !group.members.has(machine.id)) violations.push(`${machine.id} is leaked`)
    }
    const open = store.openIntents()
    if (open.length > 0) violations.push(`${open.length} intents are left open`)
  }

  /** There is at least one controller; it comes back within seconds, as whatever starts it again does. */
  #revive(): void {
    this.#controllers = this.#controllers.filter(({ mortal }) => mortal.isAlive)
    const wanted = this.#random() < 0.3 ? 2 : 1
    while (this.#controllers.length < wanted) {
      const running = this.#cluster.start(`controller-${this.count}-${this.#controllers.length}`)
      running.mortal.onDeath = () => void this.#cluster.clock.after(5000, () => this.#revive())
      this.#controllers.push(running)
    }
  }

  #addSlices(): void {
    const count = this.#between(1, 12)
    this.slices += count
    this.#cluster.queue.add(count, () => this.#between(5, 400) * SECOND)
  }

  #disturb(): void {
    this.count += 1
    const all = [...this.#moves()]
    all[Math.floor(this.#random() * all.length)]?.()
  }

  /** What controllers, AWS, Nomad and people do to each other. */
  *#moves(): Generator<() => void> {
    const cluster = this.#cluster
    const { clock, nomad, aws } = cluster
    const controller = this.#controllers[0]?.mortal
    yield () => controller?.die()
    yield () => {
      if (controller === undefined) return
      const when = this.#random() < 0.5 ? 'before' : 'after'
      controller.diesAt = { call: controller.calls + this.#between(1, 30), when }
    }
    yield () => clock.jump(this.#between(-10, 10) * MINUTE)
    yield () => void (this.#silentUntilMs = clock.monotonic() + this.#between(10, 180) * SECOND)
    yield () => void (this.#trouble.rate = this.#random() * 0.3)
    yield () =>
      this.#asSomebodyElse('TerminateInstanceInAutoScalingGroup', {
        InstanceId: this.#anyMember(),
        ShouldDecrementDesiredCapacity: this.#random() < 0.5,
      })
    yield () =>
      this.#asSomebodyElse('SetDesiredCapacity', {
        AutoScalingGroupName: 'clients',
        DesiredCapacity: this.#between(0, 15),
      })
    yield () =>
      this.#asSomebodyElse('SetInstanceHealth', {
        InstanceId: this.#anyMember(),
        HealthStatus: 'Unhealthy',
      })
    yield () =>
      this.#asSomebodyElse('SuspendProcesses', {
        AutoScalingGroupName: 'clients',
        ScalingProcesses: [this.#random() < 0.5 ? 'Terminate' : 'Launch'],
      })
    yield () => this.#asSomebodyElse('ResumeProcesses', { AutoScalingGroupName: 'clients' })
    yield () =>
      this.#asSomebodyElse('UpdateAutoScalingGroup', {
        AutoScalingGroupName: 'clients',
        LaunchTemplate: { LaunchTemplateName: 'client', Version: String(this.#between(1, 3)) },
      })
    yield () => this.#befall({ do: 'machine-failure', instance: this.#anyMember() })
    yield () => this.#befall({ do: 'self-shutdown', instance: this.#anyMember() })
    yield () => this.#befall({ do: 'fail-launches', times: this.#between(1, 4) })
    yield () => this.#befall({ do: 'break-boots', times: 1 })
    yield () => {
      // A person gives a node back that was cordoned, or takes one out.
      const nodes = [...nomad.nodes.values()].filter(({ Status }) => Status === 'ready')
      const node = nodes[Math.floor(this.#random() * nodes.length)]
      if (node === undefined) return
      if (node.SchedulingEligibility === 'ineligible') nomad.giveBack(node)
      else node.SchedulingEligibility = 'ineligible'
    }
    yield () => aws.change(() => undefined)
  }

  /** What is refused to others is their business. */
  #asSomebodyElse(action: string, input: object): void {
    try {
      this.#cluster.call(action, input)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
    }
  }

  #befall(what: Disturbance): void {
    try {
      this.#cluster.aws.change((world) => disturb(world, what))
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
    }
  }

  #anyMember(): string {
    const ids = [...this.#cluster.group.members.keys()]
    return ids[Math.floor(this.#random() * ids.length)] ?? 'i-00000000000000000'
  }

  #between(from: number, to: number): number {
    return Math.round(from + this.#random() * (to - from))
  }
}
