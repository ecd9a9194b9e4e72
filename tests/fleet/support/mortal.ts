/**
 * A process that can be killed at any point, in this one: from its death on nothing that it has begun goes
 * on, and nothing it asks for is answered. One that is only stopped, as by a machine that has no time for it,
 * does all of that later.
 */
import type { FleetNomad, FleetStore } from '../../../src/fleet/index.ts'
import type { AwsIntercept } from '../../../src/dev/aws/index.ts'
import type { Clock } from '../../../src/platform/index.ts'

const never = () => new Promise<never>(() => undefined)

export class Mortal {
  isAlive = true
  /** How many calls it has made: each of them is a point to be killed at. */
  calls = 0
  /** Dies at this call, before or after it has its effect. */
  diesAt: { call: number; when: 'before' | 'after' } | null = null
  onDeath: () => void = () => undefined
  #stopped: PromiseWithResolvers<void> | null = null

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

  clock(clock: Clock): Clock {
    return {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
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

  store(store: FleetStore): FleetStore {
    return new Proxy(store, {
      get: (target, name) => {
        const call: unknown = Reflect.get(target, name)
        return (...args: unknown[]): unknown => {
          if (!this.isAlive) throw new Error('this process is dead')
          // The file outlives the process.
          return name === 'close' ? undefined : Reflect.apply(call as () => unknown, target, args)
        }
      },
    })
  }

  #whenItRuns(run: () => void): void {
    if (this.#stopped === null) {
      if (this.isAlive) run()
    } else void this.#stopped.promise.then(() => this.#whenItRuns(run))
  }

  async #around<Result>(next: () => Promise<Result>): Promise<Result> {
    if (!this.isAlive) return never()
    this.calls += 1
    const dies = this.diesAt?.call === this.calls ? this.diesAt.when : null
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
}
