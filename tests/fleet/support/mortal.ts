/**
 * A process that can be killed at any point, in this one: from its death on nothing that it has begun goes
 * on, and nothing it asks for is answered. One that is only stopped, as by a machine that has no time for it,
 * does all of that later.
 */
import type { FleetNomad, FleetStore } from '../../../src/fleet/index.ts'
import type { AwsIntercept } from '../../../src/dev/aws/index.ts'
import type { Clock } from '../../../src/platform/index.ts'

const never = () => new Promise<never>(() => undefined)

/** The clock of its machine, against that of the others. */
export interface Skew {
  wallMs: number
  /** What its steady clock showed when that of the world showed nothing. */
  originMs: number
}

export type Death = { when: 'before' | 'after' } & ({ call: number } | { write: number })

export class Mortal {
  isAlive = true
  /** How many calls it has made, to AWS and to Nomad: each of them is a point to be killed at. */
  calls = 0
  /** And how many writes to its store. */
  writes = 0
  /** Dies at this call or write, before or after it has its effect. */
  diesAt: Death | null = null
  onDeath: () => void = () => undefined
  readonly #skew: Skew
  #stopped: PromiseWithResolvers<void> | null = null

  constructor(skew: Skew = { wallMs: 0, originMs: 0 }) {
    this.#skew = { ...skew }
  }

  stop(): void {
    this.#stopped ??= Promise.withResolvers()
  }

  resume(): void {
    this.#stopped?.resolve()
    this.#stopped = null
  }

  die(): void {
    if (!this.isAlive) return
    this.isAlive = false
    this.onDeath()
  }

  /** Its wall clock is corrected. */
  jump(ms: number): void {
    this.#skew.wallMs += ms
  }

  clock(clock: Clock): Clock {
    const skew = this.#skew
    return {
      now: () => clock.now() + skew.wallMs,
      monotonic: () => clock.monotonic() + skew.originMs,
      after: (delayMs, run) => clock.after(delayMs, () => this.#whenItRuns(run)),
    }
  }

  readonly intercept: AwsIntercept = (_call, next) => this.#around(next)

  nomad(nomad: FleetNomad): FleetNomad {
    const around = this.#around.bind(this)
    const inTurn = async function* <Item>(list: () => AsyncIterable<Item>): AsyncGenerator<Item> {
      await around(async () => undefined)
      for await (const item of list()) yield item
    }
    return {
      listNodes: (options) => inTurn(() => nomad.listNodes(options)),
      listAllocations: (options) => inTurn(() => nomad.listAllocations(options)),
      events: (subscription, signal) => nomad.events(subscription, signal),
      readNode: (...args) => around(() => nomad.readNode(...args)),
      nodeAllocations: (...args) => around(() => nomad.nodeAllocations(...args)),
      drainNode: (...args) => around(() => nomad.drainNode(...args)),
      setEligibility: (...args) => around(() => nomad.setEligibility(...args)),
      purgeNode: (...args) => around(() => nomad.purgeNode(...args)),
    }
  }

  /** The file outlives the process. */
  store(store: FleetStore): FleetStore {
    return {
      ...store,
      ...this.#reads(store),
      takeLease: (...args) => this.#write(() => store.takeLease(...args)),
      releaseLease: (...args) => this.#write(() => store.releaseLease(...args)),
      commitTick: (...args) => this.#write(() => store.commitTick(...args)),
      endIntent: (...args) => this.#write(() => store.endIntent(...args)),
      close: () => undefined,
    }
  }

  #reads(
    store: FleetStore,
  ): Pick<FleetStore, 'readLease' | 'loadMemory' | 'openIntents' | 'readOrders'> {
    const alive = <Result>(read: () => Result): Result => {
      if (!this.isAlive) throw new Error(DEAD)
      return read()
    }
    return {
      readLease: () => alive(() => store.readLease()),
      loadMemory: () => alive(() => store.loadMemory()),
      openIntents: () => alive(() => store.openIntents()),
      readOrders: (nowMs) => alive(() => store.readOrders(nowMs)),
    }
  }

  #write<Result>(write: () => Result): Result {
    if (!this.isAlive) throw new Error(DEAD)
    this.writes += 1
    const dies = this.#dies('write', this.writes)
    if (dies !== 'before') {
      const result = write()
      if (dies === null) return result
    }
    this.die()
    throw new Error(DEAD)
  }

  #whenItRuns(run: () => void): void {
    if (this.#stopped === null) {
      if (this.isAlive) run()
    } else void this.#stopped.promise.then(() => this.#whenItRuns(run))
  }

  async #around<Result>(next: () => Promise<Result>): Promise<Result> {
    if (!this.isAlive) return never()
    this.calls += 1
    const dies = this.#dies('call', this.calls)
    if (dies === 'before') {
      this.die()
      return never()
    }
    try {
      return await next()
    } finally {
      if (dies === 'after') this.die()
      if (this.#stopped !== null) await this.#stopped.promise
      // eslint-disable-next-line no-unsafe-finally
      if (!this.isAlive) await never()
    }
  }

  #dies(what: 'call' | 'write', count: number): Death['when'] | null {
    const death = this.diesAt
    if (death === null) return null
    const at = 'call' in death ? ['call', death.call] : ['write', death.write]
    return at[0] === what && at[1] === count ? death.when : null
  }
}

/** What runs on until its next call only finds this. */
const DEAD = 'this process is dead'
