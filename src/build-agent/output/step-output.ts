/** The way of a step's bytes: mask, spool, upload. */
import { join } from 'node:path'
import type { Clock, Log, RandomSource } from '../../platform/index.ts'
import type { EventLog } from '../event-log.ts'
import type { Session } from '../session.ts'
import type { AgentTimings } from '../timings.ts'
import { type Mask, MaskFilter } from './mask-filter.ts'
import { Spool } from './spool.ts'
import type { DropReason, SpoolTotals } from './spool-end.ts'
import { Uploader } from './uploader.ts'

export interface OutputsOptions {
  folder: string
  mask: Mask
  session: Session
  events: EventLog
  chunkBytes: number
  limitBytes: number
  /** What all spools together may take of the disk, roughly. */
  spoolBytes: number
  clock: Clock
  log: Log
  random: RandomSource
  timings: AgentTimings
  /** Aborts when no further try is wanted. */
  signal: AbortSignal
  /** Aborts when no step may be held back any more. */
  hurry: AbortSignal
  onFenced: (why: string) => void
}

/** Even when nothing is left of it, the end of a step's output has to go somewhere. */
const ROOM_SHARE_MIN = 1 / 64

export function toSpoolName({ step, attempt }: { step: number; attempt: number }): string {
  return `step-${step}.${attempt}.out`
}

/** @returns null for the name of anything else. */
export function parseSpoolName(name: string): { step: number; attempt: number } | null {
  const [, step, attempt] = /^step-(\d+)\.(\d+)\.out$/.exec(name) ?? []
  return step === undefined ? null : { step: Number(step), attempt: Number(attempt) }
}

/** The outputs of all steps of a slice. */
export class Outputs {
  readonly #options: OutputsOptions
  readonly #uploads = new Map<Uploader, { spool: Spool; over: Promise<void> }>()
  #left = 0
  #peakBacklog = 0

  constructor(options: OutputsOptions) {
    this.#options = options
  }

  async open(step: number): Promise<StepOutput> {
    const { folder, limitBytes, clock, timings, mask, hurry } = this.#options
    const place = { step, attempt: 1 }
    let output: StepOutput | null = null
    let uploader: Uploader | null = null
    const spool = await Spool.open({
      path: join(folder, toSpoolName(place)),
      limitBytes,
      roomBytes: this.#roomBytes(),
      clock,
      fullMs: timings.spoolFullMs,
      hurry,
      onDrop: (why, cause) => this.#tellDrop(step, why, cause),
      onChange: () => {
        this.#peakBacklog = Math.max(this.#peakBacklog, this.backlog)
        uploader?.notify()
        output?.onRoom()
      },
    })
    uploader = new Uploader({ ...this.#options, spool, place })
    this.#follow(spool, uploader)
    output = new StepOutput(spool, mask)
    return output
  }

  /** Waits until every byte is with the server or given up. @returns whether all of it arrived. */
  async settle(): Promise<boolean> {
    while (this.#uploads.size > 0)
      await Promise.all(Array.from(this.#uploads.values(), ({ over }) => over))
    return this.#left === 0
  }

  /** How many bytes the server lacks. */
  get backlog(): number {
    let backlog = 0
    for (const { spool } of this.#uploads.values()) backlog += spool.backlog
    return backlog
  }

  /** The most that it ever lacked, as far as the disk had it. */
  get peakBacklog(): number {
    return this.#peakBacklog
  }

  /** The server wants another pace. */
  repace(): void {
    for (const uploader of this.#uploads.keys()) uploader.notify()
  }

  /** What others have not sent yet leaves less for a new one. */
  #roomBytes(): number {
    const { spoolBytes } = this.#options
    return Math.max(Math.floor(spoolBytes * ROOM_SHARE_MIN), spoolBytes - this.backlog)
  }

  #follow(spool: Spool, uploader: Uploader): void {
    const over = uploader.done
      .catch((cause: unknown) => {
        this.#options.log.error('the upload of a step ended', { cause })
        return false
      })
      .then(async (complete) => {
        if (!complete) this.#left += 1
        // What did not arrive stays for whoever finds the spool.
        await spool.close({ remove: complete })
      })
      .catch((cause: unknown) => {
        this.#options.log.warn('what is left of an output could not be put in order', { cause })
      })
      .finally(() => this.#uploads.delete(uploader))
    this.#uploads.set(uploader, { spool, over })
  }

  #tellDrop(step: number, why: DropReason, cause: unknown): void {
    const { events, log, limitBytes } = this.#options
    const text = {
      limit: `Step ${step} wrote more than ${limitBytes} bytes: the middle of its output is left out.`,
      server: `The server took no output for too long: the middle of that of step ${step} is left out.`,
      disk: `The disk of the allocation takes no more output of step ${step}: a part is left out.`,
    }[why]
    log.warn('output is left out', { step, why, ...(cause === undefined ? {} : { cause }) })
    events.notice(text, step)
  }
}

/** What a step, and the agent on its behalf, writes to. */
export class StepOutput {
  readonly #spool: Spool
  readonly #filter: MaskFilter
  #atLineStart = true
  /** Called when the spool may take more again. */
  onRoom: () => void = () => undefined

  constructor(spool: Spool, mask: Mask) {
    this.#spool = spool
    this.#filter = new MaskFilter(mask)
  }

  /** Takes the bytes. @returns false when the writer should be held back until `onRoom`. */
  write(bytes: Buffer): boolean {
    for (const piece of this.#filter.push(bytes)) this.#spool.append(piece)
    if (bytes.length > 0) this.#atLineStart = bytes.at(-1) === NEWLINE
    return !this.isFull
  }

  get isFull(): boolean {
    return this.#spool.isFull
  }

  /** A line of the agent's own, which never lands in the middle of one of the step's. */
  line(text: string): void {
    this.write(Buffer.from(`${this.#atLineStart ? '' : '\n'}${text}\n`))
  }

  async close(): Promise<SpoolTotals> {
    for (const piece of this.#filter.end()) this.#spool.append(piece)
    return await this.#spool.end()
  }
}

const NEWLINE = 0x0a
