/** What a server has received of one slice, and everything about it that no agent may do. */
import { createHash, type Hash } from 'node:crypto'
import type { AgentEvent } from '../../../src/model/index.ts'

/** Of an output that is too large to be kept. */
interface Digest {
  hash: Hash
  length: number
}

type EventOf<Type> = Extract<AgentEvent, { type: Type }>

export class ReceivedSlice {
  readonly violations: string[] = []
  readonly events: AgentEvent[] = []
  readonly #outputs = new Map<number, Buffer[]>()
  /** Instead of the bytes, for tests that are about their number. */
  readonly #digests = new Map<number, Digest>()
  readonly #keepsBytes: boolean
  #hasForgotten = false

  constructor(options: { keepsBytes: boolean }) {
    this.#keepsBytes = options.keepsBytes
  }

  /** The slice is given to another agent: nothing of the first one counts. */
  reset(): void {
    this.events.length = 0
    this.#outputs.clear()
  }

  output(step: number): Buffer {
    return Buffer.concat(this.#outputs.get(step) ?? [])
  }

  /** Forgets the end of an output, like a server that was restored from a backup. */
  forgetOutput(step: number, keep: number): void {
    this.#outputs.set(step, [this.output(step).subarray(0, keep)])
    this.#hasForgotten = true
  }

  /** Somebody else writes to the same stream. */
  addForeignOutput(step: number, text: string): void {
    this.#outputs.set(step, [...(this.#outputs.get(step) ?? []), Buffer.from(text)])
  }

  started(step: number): EventOf<'step_started'> | undefined {
    return this.#ofType('step_started').find((event) => event.step === step)
  }

  finished(step: number): EventOf<'step_finished'> | undefined {
    return this.#ofType('step_finished').find((event) => event.step === step)
  }

  get sliceFinished(): EventOf<'slice_finished'> | undefined {
    return this.#ofType('slice_finished')[0]
  }

  get notices(): string[] {
    return this.#ofType('notice').map((event) => event.text)
  }

  /** Names every output whose bytes are not those that the agent announced. */
  checkOutputs(): string[] {
    return this.#ofType('step_finished').flatMap((event) => {
      const { length, sha256 } = this.#totals(event.step)
      const isSame = length === event.output.length && sha256 === event.output.sha256
      return isSame ? [] : [`step ${event.step}: ${length} of ${event.output.length} bytes`]
    })
  }

  /** @returns the last event that is applied. */
  applyEvents(events: readonly AgentEvent[]): number {
    for (const event of events) {
      const expected = this.events.length + 1
      if (event.seq < expected) this.#checkRepetition(event)
      else if (event.seq === expected) this.events.push(event)
      else this.violate(`event ${event.seq} where ${expected} was next`)
      const last = this.sliceFinished?.seq ?? Number.POSITIVE_INFINITY
      if (event.seq > last) this.violate(`event ${event.type} after the end of the slice`)
    }
    return this.events.length
  }

  /** @returns how much of the stream there is. */
  takeOutput(step: number, offset: number, bytes: Buffer): number {
    if (bytes.length === 0) this.violate('a chunk is empty')
    if (!this.#keepsBytes) return this.#digest(step, offset, bytes)
    const chunks = this.#outputs.get(step) ?? []
    const have = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    if (offset > have) {
      // An agent can not know what a server has forgotten, until it is told.
      if (!this.#hasForgotten) this.violate(`output from ${offset} where ${have} was next`)
      return have
    }
    if (offset + bytes.length > have) {
      this.#outputs.set(step, [...chunks, bytes.subarray(have - offset)])
    }
    return Math.max(have, offset + bytes.length)
  }

  violate(what: string): void {
    this.violations.push(what)
  }

  #digest(step: number, offset: number, bytes: Buffer): number {
    const digest = this.#digests.get(step) ?? { hash: createHash('sha256'), length: 0 }
    this.#digests.set(step, digest)
    const known = digest.length - offset
    if (known < 0) this.violate(`output from ${offset} where ${digest.length} was next`)
    else if (known < bytes.length) {
      digest.hash.update(bytes.subarray(known))
      digest.length = offset + bytes.length
    }
    return digest.length
  }

  #totals(step: number): { length: number; sha256: string } {
    const digest = this.#digests.get(step)
    if (digest) return { length: digest.length, sha256: digest.hash.copy().digest('hex') }
    const bytes = this.output(step)
    return { length: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
  }

  #checkRepetition(event: AgentEvent): void {
    const first = JSON.stringify(this.events[event.seq - 1])
    if (first !== JSON.stringify(event)) this.violate(`event ${event.seq} changed on the way`)
  }

  #ofType<Type extends AgentEvent['type']>(type: Type): EventOf<Type>[] {
    return this.events.filter((event): event is EventOf<Type> => event.type === type)
  }
}
