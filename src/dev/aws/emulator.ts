/**
 * The emulated region on a clock: lets time pass in the world, answers calls, tells what happened.
 *
 * There is one timer at most, for the next thing that falls due. Between two calls nothing runs.
 */
import type { Clock, RandomSource, Timer } from '../../platform/index.ts'
import type { Output } from './actions/action.ts'
import { isAction, perform } from './actions/index.ts'
import type { Service } from './actions/refusal.ts'
import { advance } from './core/advance.ts'
import type { WorldEvent } from './core/events.ts'
import { completeSettings } from './core/settings.ts'
import type { WorldSettingsInput } from './core/settings.ts'
import { createWorld } from './core/world.ts'
import type { World } from './core/world.ts'
import { disturb } from './disturbance.ts'
import type { Disturbance } from './disturbance.ts'
import { DEFAULT_RATE, Throttle } from './throttle.ts'
import type { Rate } from './throttle.ts'

export interface AwsOptions extends WorldSettingsInput {
  clock: Clock
  random: RandomSource
  /** Per action; `null` for no limit at all. Default: 100 at once, 20 a second. */
  rate?: Rate | null
  /** The region's clock against ours, in milliseconds. */
  skewMs?: number
}

export class AwsEmulator {
  readonly #clock: Clock
  readonly #world: World
  readonly #throttle: Throttle
  readonly #listeners = new Set<(event: WorldEvent) => void>()
  readonly #wallOffset: number
  #timer: Timer | null = null
  #timerAt: number | null = null
  #closed = false

  constructor(options: AwsOptions) {
    const { clock, random, rate = DEFAULT_RATE, skewMs = 0, ...settings } = options
    this.#clock = clock
    // The region's clock does not jump when ours is corrected.
    this.#wallOffset = clock.now() - clock.monotonic() + skewMs
    this.#world = createWorld({ now: this.now(), settings: completeSettings(settings), random })
    this.#throttle = new Throttle(() => rate)
  }

  /** The state itself, for tests and scripts: read it, and change it only through `change`. */
  get world(): Readonly<World> {
    return this.#world
  }

  /** By the region's own clock. */
  now(): number {
    return Math.floor(this.#wallOffset + this.#clock.monotonic())
  }

  /**
   * One call of the API, in the names of the SDK.
   *
   * @throws Refusal
   */
  call(service: Service, action: string, input: unknown): Output {
    return this.change((world) => {
      if (isAction(service, action)) this.#throttle.take(service, action, world.now)
      return perform(world, { service, action, input })
    })
  }

  /** The same from outside of the account's limits: for scripts and for the set-up of tests. */
  order(service: Service, action: string, input: unknown): Output {
    return this.change((world) => perform(world, { service, action, input }))
  }

  /** Lets something befall the region. @throws Refusal when it names what is not there. */
  disturb(disturbance: Disturbance): void {
    this.change((world) => disturb(world, disturbance))
  }

  /** Runs a change at the present moment of the region, with everything before it done. */
  change<Result>(run: (world: World) => Result): Result {
    this.catchUp()
    try {
      return run(this.#world)
    } finally {
      this.catchUp()
    }
  }

  /** Lets happen what is due, and tells of it. */
  catchUp(): void {
    if (this.#closed) return
    advance(this.#world, this.now())
    this.#tellAll()
    this.#setTimer()
  }

  /** @returns what ends it. Listeners are called in order, while the world stands still. */
  subscribe(listener: (event: WorldEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#listeners.clear()
  }

  #tellAll(): void {
    const events = this.#world.outbox
    this.#world.outbox = []
    for (const event of events) for (const listener of this.#listeners) listener(event)
  }

  #setTimer(): void {
    const nextAt = this.#world.agenda.nextAt
    if (nextAt === this.#timerAt && this.#timer !== null) return
    this.#timer?.cancel()
    this.#timer = null
    this.#timerAt = nextAt
    if (nextAt === null) return
    const wait = () => {
      this.#timer = null
      this.catchUp()
    }
    this.#timer = this.#clock.after(nextAt - this.now(), wait).unref()
  }
}
