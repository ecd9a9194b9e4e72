/**
 * The controller: look, plan, store, act, and again. One acts at a time; the others wait for its lease.
 *
 * What can not be taken back is stored before it is done. A controller that dies at any point leaves a state
 * from which the next one goes on: what is seen decides, and what is remembered only saves time.
 */
import { CaravanError, isCaravanError } from '../model/index.ts'
import type { Clock, Log, MetricSink, RandomSource, Timer } from '../platform/index.ts'
import { adoptMemory } from './adopt.ts'
import { beginChanges, type Act } from './changes.ts'
import { beatEarly } from './early-beats.ts'
import { createHeartbeats, type Beat, type Heartbeats } from './heartbeats.ts'
import { inParts, isIrreversible, type Intent } from './intents.ts'
import { learn, type Outcome } from './learn.ts'
import { emptyMemory, type PoolMemory } from './memory.ts'
import { Observer } from './observe/observer.ts'
import { decide, survey, type Plan } from './plan/plan.ts'
import type { PoolPolicy } from './policy.ts'
import type { Draft } from './plan/draft.ts'
import type { DemandSource, FleetGroups, FleetNomad, FleetStore, Lease } from './ports.ts'
import { shareDemand } from './plan/sharing.ts'
import { Teller } from './teller.ts'
import type { PoolView } from './view.ts'

export interface ControllerDeps {
  policies: readonly PoolPolicy[]
  /** Of a region. */
  awsOf: (region: string) => FleetGroups
  nomad: FleetNomad
  demand: DemandSource
  store: FleetStore
  clock: Clock
  /** The steady time, see steady-clock.ts. */
  now: () => number
  random: RandomSource
  log: Log
  metrics: MetricSink
  /** Names this process to the others. */
  holder: string
  /** Something happened that the next tick should not wait for. */
  wake: () => void
}

export type Tick =
  | {
      kind: 'acted'
      plans: ReadonlyMap<string, Plan>
      views: ReadonlyMap<string, PoolView>
      done: { intent: Intent; outcome: Outcome }[]
      faults: string[]
    }
  /** Another controller acts. */
  | { kind: 'leased'; by: Lease | null }

export interface Controller {
  /** One step. @param options.dryRun looks and plans, and neither stores nor acts. */
  tick(signal: AbortSignal, options?: { dryRun?: boolean }): Promise<Tick>
  beats(): Beat[]
  /** Returns when all beats that are due have been made. */
  settled(): Promise<void>
  /** Ends the heartbeats and the lease; hooks that are open go on waiting for their timeout. */
  close(): Promise<void>
}

/**
 * Renewed on a timer of its own, however long a tick takes: a controller that is killed is followed within
 * seconds, also beside the 30 s that the shortest hook waits.
 */
const LEASE_MS = 5000
const RENEWALS_PER_LEASE = 3

export function createController(deps: ControllerDeps): Controller {
  return new OneController(deps)
}

class OneController implements Controller {
  readonly #deps: ControllerDeps
  readonly #observer: Observer
  readonly #beats: Heartbeats
  readonly #regions: ReadonlyMap<string, string>
  #lease: Lease | null = null
  #renewal: Timer | null = null
  #memory = new Map<string, PoolMemory>()
  readonly #teller: Teller

  constructor(deps: ControllerDeps) {
    this.#deps = deps
    this.#observer = new Observer(deps)
    this.#teller = new Teller(deps)
    this.#regions = new Map(deps.policies.map(({ name, region }) => [name, region]))
    this.#beats = createHeartbeats({ ...deps, awsOf: this.#awsOfPool, onGone: deps.wake })
  }

  readonly #awsOfPool = (pool: string): FleetGroups =>
    this.#deps.awsOf(this.#regions.get(pool) ?? '')

  async tick(signal: AbortSignal, { dryRun = false } = {}): Promise<Tick> {
    if (!dryRun && !this.#takeLease()) return { kind: 'leased', by: this.#deps.store.readLease() }
    if (dryRun) this.#memory = this.#deps.store.loadMemory()
    const orders = this.#deps.store.readOrders(this.#deps.now())
    const { views, faults } = await this.#observer.look(orders, signal, (...seen) =>
      dryRun ? undefined : beatEarly(this.#beats, this.#deps, this.#memory, ...seen),
    )
    const plans = this.#planAll(views, faults)
    const done: { intent: Intent; outcome: Outcome }[] = []
    if (dryRun) return { kind: 'acted', plans, views, done, faults }
    try {
      await this.#carryOutAll(plans, done, signal)
    } catch (error) {
      if (!isCaravanError(error, 'FLEET_LEASED')) throw error
      this.#deps.log.warn('another controller has taken over', { cause: error })
      this.#lease = null
      return { kind: 'leased', by: this.#deps.store.readLease() }
    }
    return { kind: 'acted', plans, views, done, faults }
  }

  beats(): Beat[] {
    return this.#beats.list()
  }

  settled(): Promise<void> {
    return this.#beats.settled()
  }

  async close(): Promise<void> {
    await this.#beats.stop()
    this.#renewal?.cancel()
    if (this.#lease !== null) this.#deps.store.releaseLease(this.#lease)
    this.#lease = null
  }

  #takeLease(): boolean {
    const { store, holder, now, log } = this.#deps
    const before = this.#lease
    const previous = before === null ? store.readLease() : null
    this.#lease = store.takeLease(holder, now(), LEASE_MS)
    if (this.#lease === null) {
      if (before !== null) log.warn('another controller has taken over')
      // The other one beats as well; two beats do no harm, but ours would never end.
      for (const { name } of this.#deps.policies) this.#beats.set(name, [])
      return false
    }
    if (before?.fence !== this.#lease.fence) this.#takeOver(this.#lease, previous)
    this.#renewal ??= this.#renewLater()
    return true
  }

  #renewLater(): Timer {
    const { clock, log } = this.#deps
    return clock.after(LEASE_MS / RENEWALS_PER_LEASE, () => {
      this.#renewal = null
      try {
        this.#holdLease()
        this.#renewal = this.#renewLater()
      } catch (cause) {
        // The tick that runs finds out as well, before it does anything.
        log.warn('the lease could not be renewed', { cause })
      }
    })
  }

  /** What the one before us left is seen in AWS and Nomad; what it remembered is read. */
  #takeOver(lease: Lease, previous: Lease | null): void {
    const { store, log, now } = this.#deps
    // Renewed in our future, it was by a clock that is ahead.
    const aheadMs = Math.max(0, (previous?.untilMs ?? 0) - LEASE_MS - now())
    const left = [...store.loadMemory()]
    this.#memory = new Map(
      left.map(([pool, memory]) => [pool, adoptMemory(memory, aheadMs, now())]),
    )
    const open = store.openIntents()
    log.info('this controller acts', { fence: lease.fence, openIntents: open.length })
    for (const { id } of open) store.endIntent(lease, id, 'unknown: the controller ended', now())
  }

  #planAll(views: ReadonlyMap<string, PoolView>, faults: string[]): Map<string, Plan> {
    const { policies, clock, log, metrics, now } = this.#deps
    const plans = new Map<string, Plan>()
    const startedMs = clock.monotonic()
    // One pool that can not be planned must not hold up the others.
    const attempt = <T>(pool: string, step: () => T): T | null => {
      try {
        return step()
      } catch (cause) {
        log.error('a pool could not be planned', { pool, cause })
        faults.push(`pool ${pool}: ${cause instanceof Error ? cause.message : String(cause)}`)
        return null
      }
    }
    const drafts = policies.flatMap((policy): Draft[] => {
      const { name } = policy
      const view = views.get(name)
      if (view === undefined) return []
      const memory = this.#memory.get(name) ?? emptyMemory(name)
      const draft = attempt(name, () => survey(view, policy, memory, now()))
      return draft === null ? [] : [draft]
    })
    shareDemand(drafts)
    for (const draft of drafts) {
      const decided = attempt(draft.policy.name, () => decide(draft))
      if (decided !== null) plans.set(draft.policy.name, decided)
    }
    metrics.measure('circle.fleet.decision.duration', (clock.monotonic() - startedMs) / 1000)
    return plans
  }

  async #carryOutAll(
    plans: ReadonlyMap<string, Plan>,
    done: { intent: Intent; outcome: Outcome }[],
    signal: AbortSignal,
  ): Promise<void> {
    // Before all that may take long.
    for (const [pool, { hooks }] of plans) this.#beats.set(pool, hooks)
    for (const [pool, { memory }] of plans) this.#memory.set(pool, memory)
    const { now } = this.#deps
    const intents = [...plans.values()].flatMap((each) => each.intents)
    // A tick that does nothing needs no newer lease: what it stores is refused when the fence is an old one.
    const isQuiet = intents.length === 0
    const lease = isQuiet && this.#lease !== null ? this.#lease : this.#holdLease()
    const stored = new Map(
      intents.filter(isIrreversible).map((intent) => [intent, this.#newId(lease)] as const),
    )
    const entries = [...stored].map(([intent, id]) => {
      return { id, fence: lease.fence, atMs: now(), intent }
    })
    this.#teller.commit(lease, [...this.#memory.values()], entries, [...plans.values()])
    const act = beginChanges({ ...this.#deps, awsOf: this.#awsOfPool }, signal)
    try {
      for (const part of inParts(intents)) {
        const ends = await Promise.allSettled(
          part.map(async (intent) => done.push(await this.#carryOut(intent, act, stored))),
        )
        for (const end of ends) if (end.status === 'rejected') throw end.reason
      }
    } finally {
      this.#teller.giveUp(lease, [...stored.values()])
    }
    if (done.length > 0) {
      this.#teller.commit(this.#holdLease(), [...this.#memory.values()], [], [])
    }
  }

  async #carryOut(
    intent: Intent,
    act: Act,
    stored: Map<Intent, string>,
  ): Promise<{ intent: Intent; outcome: Outcome }> {
    const { store, now } = this.#deps
    this.#holdLease()
    const hook = intent.kind === 'complete' || intent.kind === 'abandon' ? intent : null
    if (hook !== null) this.#beats.ending(intent.pool, hook)
    const outcome = await act(intent)
    if (hook !== null && outcome.kind === 'done') this.#beats.end(intent.pool, hook)
    const memory = this.#memory.get(intent.pool)
    if (memory !== undefined) learn(memory, intent, outcome, now())
    this.#observer.forget()
    this.#teller.tell(intent, outcome)
    const id = stored.get(intent)
    if (id !== undefined) {
      store.endIntent(this.#holdLease(), id, `${outcome.kind}: ${outcome.text}`, now())
      stored.delete(intent)
    }
    return { intent, outcome }
  }

  /**
   * Renews the lease, right before something is done: whoever was stopped for longer than it lasts must not
   * act on what was true before.
   *
   * @throws CaravanError FLEET_LEASED when another one has it.
   */
  #holdLease(): Lease {
    const { store, holder, now } = this.#deps
    const lease = store.takeLease(holder, now(), LEASE_MS)
    if (lease === null || lease.fence !== this.#lease?.fence) {
      throw new CaravanError('FLEET_LEASED', 'another controller has taken over')
    }
    this.#lease = lease
    return lease
  }

  #newId({ fence }: Lease): string {
    return `${fence}-${Buffer.from(this.#deps.random.bytes(8)).toString('hex')}`
  }
}
