/**
 * SQLite in a thread of its own.
 *
 * Its calls return when the disk has answered; in the main thread every commit would hold up agents,
 * streams and timers. Orders go over in the order in which they were sent and are carried out so.
 */
import { Worker } from 'node:worker_threads'
import { CaravanError } from '../../../model/index.ts'
import { type Clock, ownProgram, type Timer } from '../../../platform/index.ts'
import type { Connection } from '../connection.ts'
import { toFailure, toResult, type Success } from './answers.ts'
import type { Order, Reply, Role, ThreadOptions } from './protocol.ts'

export interface SqliteThread {
  readonly writer: Connection
  readonly reader: Connection
  /** For how long the oldest order has been waiting for its answer, in ms. */
  silentMs(): number
  /** Ends it when it has carried out what was sent. */
  close(): Promise<void>
}

/** A disk that has not answered by then will not: whoever waits is told so. */
const ANSWER_MAX_MS = 300_000

const WATCH_MS = 10_000

/** So many orders cross at once: with more, the thread would idle until the last of them is made. */
const ORDERS_MAX = 32

const WORKER = ownProgram('scheduler/store/sqlite/worker')

/** @throws CaravanError STORE_FAILED, or what SQLite throws, when the file cannot be opened. */
export async function startSqliteThread(
  options: ThreadOptions,
  clock: Clock,
  entry: URL = WORKER,
): Promise<SqliteThread> {
  const worker = new Worker(entry, {
    name: 'caravan-store',
    workerData: options,
    // Flags of this process, such as a loader's, are not for a thread that runs three files.
    execArgv: [],
  })
  const calls = new Calls(worker, clock)
  await calls.opened
  return {
    writer: connectionOf(calls, 'writer'),
    reader: connectionOf(calls, 'reader'),
    silentMs: () => calls.silentMs(),
    close: () => calls.close(),
  }
}

function connectionOf(calls: Calls, role: Role): Connection {
  return {
    async send({ sql, parameters }) {
      return toResult(await calls.call(role, sql, parameters))
    },
    async control(sql) {
      await calls.call(role, sql, null)
    },
    lost: () => calls.failure,
  }
}

interface Call {
  sql: string
  sentMs: number
  resolve: (reply: Success) => void
  reject: (cause: CaravanError) => void
}

/** Orders under way. */
class Calls {
  readonly opened: Promise<unknown>
  failure: CaravanError | null = null
  readonly #worker: Worker
  readonly #clock: Clock
  readonly #calls = new Map<number, Call>()
  readonly #ended: Promise<void>
  #orders: Order[] = []
  #lastId = -1
  #isClosing = false
  #watch: Timer | null = null

  constructor(worker: Worker, clock: Clock) {
    this.#worker = worker
    this.#clock = clock
    this.opened = this.#register('open')
    worker.on('message', (replies: Reply[]) => {
      for (const reply of replies) this.#answer(reply)
    })
    worker.on('error', (cause) => this.#fail('the thread of the store failed', cause))
    this.#ended = new Promise((resolve) => {
      worker.on('exit', (code) => {
        this.#fail(`the thread of the store ended with code ${code}`)
        resolve()
      })
    })
  }

  call(role: Role, sql: string, parameters: readonly unknown[] | null) {
    if (this.failure !== null) return Promise.reject(this.failure)
    if (this.#isClosing) {
      return Promise.reject(new CaravanError('STORE_FAILED', 'the store is closed'))
    }
    const answer = this.#register(sql)
    const order: Order = { id: this.#lastId, role, sql, parameters }
    // What is sent in the same moment crosses in one message: each costs more than a statement.
    if (this.#orders.length === 0) queueMicrotask(() => this.#post())
    this.#orders.push(order)
    if (this.#orders.length >= ORDERS_MAX) this.#post()
    return answer
  }

  silentMs(): number {
    const [oldest] = this.#calls.values()
    return oldest === undefined ? 0 : this.#clock.monotonic() - oldest.sentMs
  }

  async close(): Promise<void> {
    if (!this.#isClosing && this.failure === null) {
      this.#isClosing = true
      this.#worker.ref()
      this.#post()
      this.#send('close')
    }
    await this.#ended
  }

  #post(): void {
    if (this.#orders.length === 0) return
    this.#send(this.#orders)
    this.#orders = []
  }

  #send(message: Order[] | 'close'): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
    this.#worker.postMessage(message)
  }

  #register(sql: string): Promise<Success> {
    // A process may end while its store idles, not while it waits for an answer.
    if (this.#calls.size === 0) this.#worker.ref()
    this.#lastId += 1
    const sentMs = this.#clock.monotonic()
    this.#watch ??= this.#startWatch()
    return new Promise((resolve, reject) => {
      this.#calls.set(this.#lastId, { sql, sentMs, resolve, reject })
    })
  }

  #answer(reply: Reply): void {
    const call = this.#calls.get(reply.id)
    // Given up before: whoever closes a thread that failed waits for its end, which has to hold the process.
    if (call === undefined) return
    this.#calls.delete(reply.id)
    if (this.#calls.size === 0 && !this.#isClosing) this.#worker.unref()
    if ('failure' in reply) call.reject(toFailure(reply, call.sql))
    else call.resolve(reply)
  }

  /** One timer for all: one for each statement would cost more than the statement. */
  #startWatch(): Timer {
    return this.#clock
      .after(WATCH_MS, () => {
        this.#watch = null
        if (this.silentMs() > ANSWER_MAX_MS) {
          this.#fail(`the store has not answered for ${ANSWER_MAX_MS / 1000} s`)
        } else if (this.#calls.size > 0) {
          this.#watch = this.#startWatch()
        }
      })
      .unref()
  }

  /** The first failure is the one that tells something. */
  #fail(message: string, cause?: unknown): void {
    this.#watch?.cancel()
    this.#watch = null
    if (this.#isClosing && this.#calls.size === 0) return
    this.failure ??= new CaravanError(
      'STORE_FAILED',
      `${message}: restart the server`,
      cause === undefined ? {} : { cause },
    )
    for (const call of this.#calls.values()) call.reject(this.failure)
    this.#calls.clear()
    void this.#worker.terminate()
  }
}
