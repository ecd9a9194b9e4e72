/**
 * Lines on their way to a DogStatsD server.
 *
 * Sending never fails and never waits long: what can not be sent now is dropped and counted, since the
 * next gauges come in a few seconds and nobody wants old ones.
 */
import { isIP } from 'node:net'
import { getSystemErrorName } from 'node:util'
import type { Clock, Resolve } from '../platform/index.ts'
import { packLines, UDP_BYTES_MAX, UDP_BYTES_SAFE, UNIX_BYTES_MAX } from './datagrams.ts'
import { openChannel, type Channel, type Destination, type OpenChannel } from './statsd.ts'

export type StatsdTarget =
  | { kind: 'udp'; host: string; port: number }
  | { kind: 'unix'; path: string }

export interface SenderOptions {
  target: StatsdTarget
  /** Of a datagram; what suits the target when absent. */
  bytesMax?: number
  resolve: Resolve
  clock: Clock
  /** Told whenever lines could not be sent, in words that stay the same while the reason does. */
  onFault: (what: string) => void
  open?: OpenChannel
}

export interface SenderCounts {
  datagrams: number
  bytes: number
  /** Lines that were never sent. */
  dropped: number
}

export interface Sender {
  /** Settles when the kernel has the lines, or when they are given up. */
  send(lines: readonly string[]): Promise<void>
  /** Since the start. */
  readonly counts: Readonly<SenderCounts>
  /** Lets what is under way finish. */
  close(): Promise<void>
}

/** A server that moves keeps its name: looked up as often as its name may change. */
const ADDRESS_AGE_MAX_MS = 60_000
/** After a lookup that failed. */
const LOOKUP_PAUSE = { firstMs: 1000, maxMs: 30_000 }
/** Sends that wait for the one before; more means that the receiver takes nothing any more. */
const WAITING_MAX = 16
/** What the add-on for Unix sockets has in place of a code when the reader's buffer is full. */
const CONGESTION = 1

const NOT_FAILED = { failures: 0, notBeforeMs: 0, fault: null }

export function createSender(options: SenderOptions): Sender {
  return new StatsdSender(options)
}

class StatsdSender implements Sender {
  readonly counts: SenderCounts = { datagrams: 0, bytes: 0, dropped: 0 }
  readonly #options: SenderOptions
  readonly #open: OpenChannel
  #bytesMax: number
  #channel: Channel | null = null
  #address: { text: string; knownMs: number } | null = null
  #lookup: { failures: number; notBeforeMs: number; fault: Error | null } = NOT_FAILED
  #last: Promise<void> = Promise.resolve()
  #waiting = 0

  constructor(options: SenderOptions) {
    this.#options = options
    this.#open = options.open ?? openChannel
    this.#bytesMax =
      options.bytesMax ?? (options.target.kind === 'unix' ? UNIX_BYTES_MAX : UDP_BYTES_MAX)
  }

  send(lines: readonly string[]): Promise<void> {
    if (this.#waiting >= WAITING_MAX) {
      this.#drop(lines.length, 'it takes nothing any more')
      return Promise.resolve()
    }
    this.#waiting += 1
    this.#last = this.#last.then(async () => {
      this.#waiting -= 1
      await this.#sendNow(lines)
    })
    return this.#last
  }

  async close(): Promise<void> {
    await this.#last
    this.#forgetChannel()
  }

  async #sendNow(lines: readonly string[]): Promise<void> {
    const channel = await this.#reach()
    if (typeof channel === 'string') return this.#drop(lines.length, channel)
    const { datagrams, tooLong } = packLines(lines, this.#bytesMax)
    if (tooLong.length > 0) {
      this.#drop(tooLong.length, `a line is longer than ${this.#bytesMax} bytes`)
    }
    for (const [place, datagram] of datagrams.entries()) {
      const failure = await this.#put(channel, datagram)
      if (failure === null) continue
      const rest = datagrams.slice(place).join('\n').split('\n')
      if (isTooLarge(failure) && this.#bytesMax > UDP_BYTES_SAFE) {
        this.#bytesMax = UDP_BYTES_SAFE
        return this.#sendNow(rest)
      }
      this.#forgetChannel()
      return this.#drop(rest.length, reasonOf(failure))
    }
  }

  async #put(channel: Channel, datagram: string): Promise<Error | null> {
    try {
      await channel.send(datagram)
    } catch (cause) {
      return cause instanceof Error ? cause : new Error(String(cause))
    }
    this.counts.datagrams += 1
    this.counts.bytes += Buffer.byteLength(datagram)
    return null
  }

  /** @returns why not, when there is no way to it. */
  async #reach(): Promise<Channel | string> {
    const { target } = this.#options
    try {
      if (target.kind === 'unix') return await this.#openChannel(target)
      const before = this.#address?.text
      const address = await this.#lookUp(target.host)
      if (before !== address) this.#forgetChannel()
      return await this.#openChannel({ kind: 'udp', address, port: target.port })
    } catch (cause) {
      return reasonOf(cause)
    }
  }

  async #openChannel(destination: Destination): Promise<Channel> {
    this.#channel ??= await this.#open(destination)
    return this.#channel
  }

  /** @throws Error when the address is not known and not to be had. */
  async #lookUp(host: string): Promise<string> {
    if (isIP(host) !== 0) return host
    const { clock, resolve } = this.#options
    const nowMs = clock.monotonic()
    const known = this.#address
    if (known !== null && nowMs - known.knownMs < ADDRESS_AGE_MAX_MS) return known.text
    if (nowMs >= this.#lookup.notBeforeMs) {
      try {
        const text = await resolve(host)
        this.#lookup = NOT_FAILED
        this.#address = { text, knownMs: clock.monotonic() }
        return text
      } catch (cause) {
        const { firstMs, maxMs } = LOOKUP_PAUSE
        const pauseMs = Math.min(maxMs, firstMs * 2 ** this.#lookup.failures)
        const failures = Math.min(this.#lookup.failures + 1, 10)
        const fault = cause instanceof Error ? cause : new Error(String(cause))
        this.#lookup = { failures, notBeforeMs: clock.monotonic() + pauseMs, fault }
        // The old address is better than none: a name server that is away is no server that moved.
        if (known === null) throw fault
      }
    }
    if (known !== null) return known.text
    // In the words of the last look-up: what stays the same is told once.
    throw this.#lookup.fault ?? new Error(`${host} has no address`)
  }

  #forgetChannel(): void {
    this.#channel?.close()
    this.#channel = null
  }

  #drop(lines: number, reason: string): void {
    this.counts.dropped += lines
    const { target } = this.#options
    const where = target.kind === 'unix' ? target.path : `${target.host}:${target.port}`
    this.#options.onFault(`cannot send metrics to ${where}: ${reason}`)
  }
}

function isTooLarge(error: Error): boolean {
  return codeOf(error) === 'EMSGSIZE'
}

function reasonOf(error: unknown): string {
  const code = codeOf(error)
  const message = error instanceof Error ? error.message : String(error)
  return code === null || message.includes(code) ? message : `${message} (${code})`
}

/** The add-on for Unix sockets tells codes as negative numbers. */
function codeOf(error: unknown): string | null {
  const code = (error as { code?: unknown }).code
  if (typeof code === 'string') return code
  if (typeof code !== 'number') return null
  if (code === CONGESTION) return 'EAGAIN'
  return getSystemErrorName(code < 0 ? code : -code)
}
