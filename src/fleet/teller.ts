/** What the controller writes down and says: memory and reasons in the store, alarms in the log, counts. */
import type { Log, MetricSink } from '../platform/index.ts'
import type { Departure } from './plan/departures.ts'
import type { Intent } from './intents.ts'
import type { Outcome } from './learn.ts'
import type { PoolMemory } from './memory.ts'
import type { Plan } from './plan/plan.ts'
import type { FleetStore, Lease, PoolWhy, StoredIntent } from './ports.ts'

export interface TellerDeps {
  store: FleetStore
  /** The steady time. */
  now: () => number
  log: Log
  metrics: MetricSink
}

/** A tick that changed nothing is stored all the same now and then, so that one can see it was made. */
const QUIET_MS = 60_000

export class Teller {
  readonly #deps: TellerDeps
  /** By pool, as they were stored last. */
  readonly #reasons = new Map<string, string>()
  readonly #saidMs = new Map<string, number>()
  #alarms = new Set<string>()

  constructor(deps: TellerDeps) {
    this.#deps = deps
  }

  /**
   * Stores what changed.
   *
   * @throws CaravanError FLEET_LEASED when another controller has taken over.
   */
  commit(
    lease: Lease,
    memories: readonly PoolMemory[],
    intents: readonly StoredIntent[],
    plans: readonly Plan[],
  ): void {
    const { store, now } = this.#deps
    const nowMs = now()
    const why = plans.map((each) => each.why).filter((each) => this.#isNews(each, nowMs))
    store.commitTick(lease, { atMs: nowMs, memory: memories, intents, why })
    if (plans.length > 0) this.#sayAlarms(plans)
    for (const each of plans) {
      for (const departure of each.departures) this.#sayDeparture(each.why.pool, departure)
    }
  }

  /** Intents of a tick that ended before it came to them, or before they were over. */
  giveUp(lease: Lease, ids: readonly string[]): void {
    const { store, now, log } = this.#deps
    try {
      for (const id of ids) store.endIntent(lease, id, 'unknown: the tick ended', now())
    } catch (cause) {
      // Whoever takes over ends them.
      log.debug('intents are left open', { ids, cause })
    }
  }

  /** What came of an intent. */
  tell(intent: Intent, outcome: Outcome): void {
    const { log, metrics } = this.#deps
    const fields = { ...intent, outcome: outcome.kind, ...(outcome.text && { text: outcome.text }) }
    if (outcome.kind === 'done') log.info('the fleet changes', fields)
    else log.warn('the fleet does not change', fields)
    if (outcome.kind !== 'done') return
    const { pool } = intent
    if (intent.kind === 'terminate' && intent.decrement) {
      metrics.count('circle.fleet.scale', 1, { pool, direction: 'in' })
    }
    if (intent.kind === 'set_desired')
      metrics.count('circle.fleet.scale', 1, { pool, direction: 'out' })
  }

  #sayDeparture(pool: string, departure: Departure): void {
    const { log, metrics } = this.#deps
    if (departure.kind === 'drained') {
      metrics.measure('circle.fleet.drain.duration', departure.drainMs / 1000, { pool })
      return
    }
    const { instanceId, jobs } = departure
    log.error('a machine goes, and slices still run on it', { pool, about: instanceId, jobs })
    metrics.count('circle.fleet.hooks.abandoned', 1, { pool })
  }

  #isNews(why: PoolWhy, nowMs: number): boolean {
    const text = JSON.stringify(why)
    const isSame = this.#reasons.get(why.pool) === text
    if (isSame && nowMs - (this.#saidMs.get(why.pool) ?? -Infinity) < QUIET_MS) return false
    this.#reasons.set(why.pool, text)
    this.#saidMs.set(why.pool, nowMs)
    return true
  }

  /** Each once, as long as it lasts. */
  #sayAlarms(plans: readonly Plan[]): void {
    const now = plans.flatMap(({ alarms, why: { pool } }) =>
      alarms.map(({ key, ...alarm }) => ({ id: `${pool} ${key}`, pool, ...alarm })),
    )
    for (const { id, pool, text, about } of now) {
      if (!this.#alarms.has(id)) this.#deps.log.error(text, { pool, about })
    }
    this.#alarms = new Set(now.map(({ id }) => id))
  }
}
