/** What lies between controllers and the world: refusals, lost answers, slow ones, silence. */
import { Refusal, type AwsIntercept } from '../../../src/dev/aws/index.ts'
import type { FleetNomad } from '../../../src/fleet/index.ts'
import { CaravanError } from '../../../src/model/index.ts'
import { sleep, type Clock } from '../../../src/platform/index.ts'
import type { Dice } from '../../faults/search/random.ts'

export class Weather {
  /** Share of the calls that go wrong. */
  rate = 0
  /** How long a call may take on its way there, and as long on its way back. */
  slowMs = 0
  /** Until then Nomad answers nothing at all, or nothing but errors. */
  nomad = { silentUntilMs: -1, hangs: false }
  readonly #clock: Clock
  readonly #dice: Dice

  constructor(clock: Clock, dice: Dice) {
    this.#clock = clock
    this.#dice = dice
  }

  calm(): void {
    this.rate = 0
    this.slowMs = 0
    this.nomad = { silentUntilMs: -1, hangs: false }
  }

  /** Some calls are refused, some are lost on the way, and of some only the answer is. */
  readonly aws: AwsIntercept = async (_call, next) => {
    await this.#travel()
    if (this.#dice.chance(this.rate)) {
      const kind = this.#dice.number()
      if (kind < 0.5) throw new Refusal('Throttling', 'Rate exceeded, by chance')
      if (kind < 0.75) return 'cut'
      await next()
      return 'cut'
    }
    const answer = await next()
    await this.#travel()
    return answer
  }

  readonly nomadOf = (nomad: FleetNomad): FleetNomad => {
    const reach = (signal: AbortSignal | undefined) => this.#reach(signal)
    const pages = async function* <Page>(
      list: AsyncIterable<Page>,
      signal: AbortSignal | undefined,
    ): AsyncGenerator<Page> {
      await reach(signal)
      for await (const page of list) {
        yield page
        await reach(signal)
      }
    }
    return {
      listNodes: (options) => pages(nomad.listNodes(options), options?.signal),
      listAllocations: (options) => pages(nomad.listAllocations(options), options?.signal),
      events: (subscription, signal) => nomad.events(subscription, signal),
      readNode: (id, options) => this.#read(() => nomad.readNode(id, options), options?.signal),
      nodeAllocations: (id, options) =>
        this.#read(() => nomad.nodeAllocations(id, options), options?.signal),
      drainNode: (id, drain, options) =>
        this.#write(() => nomad.drainNode(id, drain, options), options?.signal),
      setEligibility: (id, eligibility, options) =>
        this.#write(() => nomad.setEligibility(id, eligibility, options), options?.signal),
      purgeNode: (id, options) => this.#write(() => nomad.purgeNode(id, options), options?.signal),
    }
  }

  async #read<Answer>(read: () => Promise<Answer>, signal?: AbortSignal): Promise<Answer> {
    await this.#reach(signal)
    const answer = await read()
    await this.#travel(signal)
    return answer
  }

  async #write<Answer>(write: () => Promise<Answer>, signal?: AbortSignal): Promise<Answer> {
    await this.#reach(signal)
    const answer = await write()
    await this.#travel(signal)
    if (this.#dice.chance(this.rate / 4)) {
      throw new CaravanError('NOMAD_UNKNOWN_OUTCOME', 'the answer of Nomad is lost, by chance')
    }
    return answer
  }

  /** @throws Error when Nomad is not reached, or not in time. */
  async #reach(signal: AbortSignal | undefined): Promise<void> {
    await this.#travel(signal)
    const { silentUntilMs, hangs } = this.nomad
    const leftMs = silentUntilMs - this.#clock.monotonic()
    if (leftMs > 0 && hangs) {
      await sleep(this.#clock, leftMs, signal)
      signal?.throwIfAborted()
    } else if (leftMs > 0 || this.#dice.chance(this.rate / 2)) {
      throw new Error('Nomad answers 500, by chance')
    }
  }

  /** @throws what the signal says, when it comes first: the client of Nomad waits no longer either. */
  async #travel(signal?: AbortSignal): Promise<void> {
    if (this.slowMs > 0) await sleep(this.#clock, this.#dice.number() ** 2 * this.slowMs, signal)
    signal?.throwIfAborted()
  }
}
