/**
 * One request and its answer, as the callbacks that the dispatcher of undici calls.
 *
 * Two things are wanted that its ready-made calls do not give: to know whether a request was written at
 * all, and to let go at once of one that still waits for a connection.
 */
import { Readable } from 'node:stream'
import type { Clock, Timer } from './clock.ts'

/**
 * `unreachable`: no connection. `cut`: it broke. `timeout`, `aborted`, `closed`: our side gave up.
 * `too_large`, `malformed`: the server answered with something we can not take. `busy`: too many wait.
 */
export type HttpFault =
  | 'unreachable'
  | 'cut'
  | 'timeout'
  | 'aborted'
  | 'closed'
  | 'too_large'
  | 'malformed'
  | 'busy'

export class HttpError extends Error {
  override readonly name = 'HttpError'
  readonly fault: HttpFault
  /** False: nothing of the request was written. True: the server may have acted. */
  readonly sent: boolean

  constructor(fault: HttpFault, options: { sent: boolean; message: string; cause?: unknown }) {
    super(options.message, options.cause === undefined ? {} : { cause: options.cause })
    this.fault = fault
    this.sent = options.sent
  }
}

export interface HttpHead {
  status: number
  /** @param name in lower case. */
  header: (name: string) => string | undefined
}

export interface ExchangeOptions {
  /** Method and address, for messages. */
  target: string
  upload: unknown
  signal: AbortSignal | undefined
  clock: Clock
  /** From now to the end of a gathered answer, to the headers of a streamed one. */
  timeoutMs: number
  /** Called once, when the request does not wait for a connection any more. */
  onDequeued: () => void
}

interface Controller {
  abort(reason: Error): void
  pause(): void
  resume(): void
}

abstract class Exchange<Answer> {
  readonly answer: Promise<Answer>
  protected readonly settle: PromiseWithResolvers<Answer>
  protected readonly options: ExchangeOptions
  protected over = false
  readonly #onAbort: () => void
  #controller: Controller | null = null
  #timer: Timer
  #dequeued = false

  constructor(options: ExchangeOptions) {
    this.options = options
    this.settle = Promise.withResolvers()
    this.answer = this.settle.promise
    const { signal, timeoutMs, clock } = options
    this.#timer = clock.after(timeoutMs, () =>
      this.fail('timeout', `had no answer within ${timeoutMs} ms`),
    )
    this.#onAbort = () => this.fail('aborted', 'was aborted', signal?.reason)
    signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  protected abstract takeHead(head: HttpHead, controller: Controller): void
  protected abstract takeChunk(chunk: Buffer, controller: Controller): void
  protected abstract takeEnd(): void

  onRequestStart(controller: Controller): void {
    this.#leaveQueue()
    // Given up while it waited: ended here, before a byte is written.
    if (this.over) controller.abort(new Error('the caller gave up'))
    else this.#controller = controller
  }

  onResponseStart(
    controller: Controller,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    if (this.over || status < 200) return
    this.takeHead({ status, header: (name) => [headers[name] ?? []].flat()[0] }, controller)
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (!this.over) this.takeChunk(chunk, controller)
  }

  onResponseEnd(): void {
    if (this.over) return
    this.finish()
    this.takeEnd()
  }

  onResponseError(_controller: unknown, cause: Error & { code?: string }): void {
    this.#leaveQueue()
    if (this.over) return
    if (cause.code === 'UND_ERR_DESTROYED') this.fail('closed', 'was ended by our side')
    else if (this.#controller === null) this.fail('unreachable', 'could not be sent', cause)
    else if (cause.name === 'HTTPParserError') this.fail('malformed', 'answered no HTTP', cause)
    else this.fail('cut', 'lost its connection', cause)
  }

  protected fail(fault: HttpFault, what: string, cause?: unknown): void {
    const sent = this.#controller !== null
    const message = `${this.options.target} ${what}`
    this.abandon()
    this.takeFailure(new HttpError(fault, { sent, message, cause }))
  }

  protected takeFailure(error: HttpError): void {
    this.settle.reject(error)
  }

  /** Lets go of the connection, unless the exchange is over. */
  protected abandon(): void {
    if (this.over) return
    this.finish()
    this.#controller?.abort(new Error('the caller gave up'))
    if (this.options.upload instanceof Readable) this.options.upload.destroy()
  }

  protected startTimer(ms: number, onLate: () => void): void {
    this.#timer.cancel()
    if (!this.over) this.#timer = this.options.clock.after(ms, onLate)
  }

  protected stopTimer(): void {
    this.#timer.cancel()
  }

  protected finish(): void {
    this.over = true
    this.#timer.cancel()
    this.options.signal?.removeEventListener('abort', this.#onAbort)
  }

  #leaveQueue(): void {
    if (this.#dequeued) return
    this.#dequeued = true
    this.options.onDequeued()
  }
}

/** An answer that is read as a whole, up to a limit. */
export class GatheredExchange extends Exchange<{ head: HttpHead; bytes: Buffer }> {
  readonly #bytesMax: number
  #head: HttpHead = { status: 0, header: () => undefined }
  #chunks: Buffer[] = []
  #length = 0

  constructor(options: ExchangeOptions, bytesMax: number) {
    super(options)
    this.#bytesMax = bytesMax
  }

  protected override takeHead(head: HttpHead): void {
    this.#head = head
  }

  protected override takeChunk(chunk: Buffer): void {
    this.#length += chunk.length
    if (this.#length > this.#bytesMax) {
      this.fail('too_large', `answered more than ${this.#bytesMax} bytes`)
    } else {
      this.#chunks.push(chunk)
    }
  }

  protected override takeEnd(): void {
    const [first] = this.#chunks
    const isOne = first !== undefined && this.#chunks.length === 1
    const bytes = isOne ? first : Buffer.concat(this.#chunks)
    this.settle.resolve({ head: this.#head, bytes })
  }
}

/** An answer whose body is read as it comes. A body that its reader holds up is never late. */
export class StreamedExchange extends Exchange<{ head: HttpHead; body: Readable }> {
  readonly #idleTimeoutMs: number | undefined
  #body: Readable | null = null

  constructor(options: ExchangeOptions, idleTimeoutMs: number | undefined) {
    super(options)
    this.#idleTimeoutMs = idleTimeoutMs
  }

  protected override takeHead(head: HttpHead, controller: Controller): void {
    this.stopTimer()
    this.#body = new Readable({
      read: () => {
        controller.resume()
        this.#expectChunk()
      },
      destroy: (error, done) => {
        this.abandon()
        done(error)
      },
    })
    this.settle.resolve({ head, body: this.#body })
  }

  protected override takeChunk(chunk: Buffer, controller: Controller): void {
    if (this.#body?.push(chunk)) {
      this.#expectChunk()
      return
    }
    this.stopTimer()
    controller.pause()
  }

  protected override takeEnd(): void {
    this.#body?.push(null)
  }

  protected override takeFailure(error: HttpError): void {
    super.takeFailure(error)
    this.#body?.destroy(error)
  }

  #expectChunk(): void {
    const limitMs = this.#idleTimeoutMs
    if (limitMs === undefined) return
    this.startTimer(limitMs, () => this.fail('timeout', `was silent for ${limitMs} ms`))
  }
}
