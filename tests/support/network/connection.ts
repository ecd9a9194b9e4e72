/** One connection through the proxy: two sockets, and what the weather does to the bytes between them. */
import { connect, type Socket } from 'node:net'

/** A URL, such as `http://127.0.0.1:4646`, a host and port, or a socket's path. */
export type Target = string | { port: number; host?: string } | { path: string }

/** Which answer gets lost. */
export interface Answer {
  /** Bytes in the request it belongs to; any request when absent. */
  to?: string
  /** Bytes without which the answer is not complete: the server is done when they have come. */
  until?: string
  /** So many bytes of the answer still reach the client. */
  afterBytes?: number
}

export interface Armed {
  answer: Answer
  onLost: () => void
}

/** What all connections of one proxy share. */
export interface Weather {
  isBlackhole: boolean
  delayMs: number
  armed: Armed[]
}

export class Connection {
  hasLostBytes = false
  readonly #near: Socket
  readonly #far: Socket
  readonly #weather: Weather
  /** The answer that this connection is about to lose, and what still may pass of it. */
  #losing: (Armed & { bytesLeft: number }) | null = null
  /** What is delayed, the oldest first, and the timer of the first. */
  readonly #late: { dueMs: number; run: () => void }[] = []
  #timer: NodeJS.Timeout | undefined
  #onEnd: () => void = () => undefined
  #isOver = false

  constructor(near: Socket, target: Target, weather: Weather) {
    this.#near = near
    this.#weather = weather
    this.#far = connect({ allowHalfOpen: true, ...toAddress(target) })
    for (const socket of [near, this.#far]) {
      socket.setNoDelay(true)
      socket.on('error', () => this.reset()).on('close', () => this.#end())
    }
    near.on('data', (bytes: Buffer) => this.#request(bytes))
    near.on('end', () => this.#pass(() => this.#far.end()))
    this.#far.on('data', (bytes: Buffer) => this.#answer(bytes))
    this.#far.on('end', () => this.#pass(() => near.end()))
  }

  onEnd(run: () => void): void {
    this.#onEnd = run
  }

  /** Ends both sides as a machine does that has forgotten them. */
  reset(): void {
    for (const socket of [this.#near, this.#far]) {
      if (socket.destroyed) continue
      // Unix sockets know no reset. One whose end is on its way refuses it, is never closed, and Node.js 26 then
      // waits for it in a busy loop when the process is to end.
      const isEnding = socket.writableEnded && !socket.writableFinished
      if (socket.remoteFamily === undefined || isEnding) socket.destroy()
      else socket.resetAndDestroy()
    }
    this.#end()
  }

  #request(bytes: Buffer): void {
    const { armed } = this.#weather
    const index = armed.findIndex(({ answer }) => bytes.includes(answer.to ?? ''))
    const [hit] = index >= 0 && this.#losing === null ? armed.splice(index, 1) : []
    if (hit !== undefined) this.#losing = { ...hit, bytesLeft: hit.answer.afterBytes ?? 0 }
    this.#pass(() => this.#write(this.#near, this.#far, bytes))
  }

  #answer(bytes: Buffer): void {
    if (this.#losing === null) {
      this.#pass(() => this.#write(this.#far, this.#near, bytes))
      return
    }
    const { answer, bytesLeft, onLost } = this.#losing
    const kept = bytes.subarray(0, bytesLeft)
    this.#losing.bytesLeft -= kept.length
    if (kept.length > 0) this.#write(this.#far, this.#near, kept)
    const isDone = this.#losing.bytesLeft === 0 && bytes.includes(answer.until ?? '')
    if (!isDone) return
    // What was to arrive does: a reset would take it back.
    if (answer.afterBytes) this.#end()
    else this.reset()
    onLost()
  }

  /** Now, later or never; never before what came earlier. */
  #pass(run: () => void): void {
    const { isBlackhole, delayMs } = this.#weather
    if (isBlackhole) {
      this.hasLostBytes = true
      return
    }
    if (delayMs === 0 && this.#late.length === 0) {
      run()
      return
    }
    const lastMs = this.#late.at(-1)?.dueMs ?? 0
    this.#late.push({ dueMs: Math.max(lastMs, performance.now() + delayMs), run })
    if (this.#late.length === 1) this.#waitForNext()
  }

  #waitForNext(): void {
    const [next] = this.#late
    if (next === undefined || this.#isOver) return
    this.#timer = setTimeout(
      () => {
        next.run()
        this.#late.shift()
        this.#waitForNext()
      },
      Math.max(0, next.dueMs - performance.now()),
    )
  }

  #write(from: Socket, to: Socket, bytes: Buffer): void {
    if (to.destroyed || to.write(bytes)) return
    from.pause()
    to.once('drain', () => from.resume())
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#timer)
    // What was written before the end still arrives.
    this.#near.destroySoon()
    this.#far.destroySoon()
    this.#onEnd()
  }
}

function toAddress(target: Target): { port: number; host: string } | { path: string } {
  if (typeof target === 'string') {
    const { hostname, port } = new URL(target)
    return { host: hostname, port: Number(port) }
  }
  return 'path' in target ? target : { host: target.host ?? '127.0.0.1', port: target.port }
}
