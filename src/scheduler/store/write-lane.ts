/**
 * Group commit: transactions one after the other on one connection, several of them in one commit.
 *
 * A commit costs far more than a row. So whoever waits for a turn while another transaction runs is
 * taken into the same database transaction, behind a savepoint of its own: its failure takes back what
 * it did and nothing else. Nobody hears how it went before the commit that they share: what one saw may be another's.
 */
import { CaravanError } from '../../model/index.ts'
import type { Clock } from '../../platform/index.ts'
import type { Connection, Dialect } from './connection.ts'
import type { Writer } from './index.ts'
import { OpenTransaction } from './transaction.ts'

/** Does its part, nothing else, and may be run once more when the database asks for it. */
export type Work<T> = (writer: Writer) => Promise<T>

export interface WriteLane {
  /** @throws what the work throws, or CaravanError STORE_FAILED. */
  write<T>(work: Work<T>): Promise<T>
  /** Takes no new work, and returns when all that was taken is done. */
  close(): Promise<void>
}

export interface WriteLaneOptions {
  /** The connection to write on, opened again when it was lost. @throws CaravanError STORE_FAILED. */
  connect: () => Promise<Connection>
  dialect: Dialect
  clock: Pick<Clock, 'monotonic'>
  waitingMax?: number
  groupMs?: number
}

/** How long the first of a group may wait for the others: no more than a disk takes for its sync. */
const GROUP_MS = 5

/** Transactions of one group: what is lost and has to be done again when its commit fails. */
const GROUP_MAX = 500

/** More than all loops and agents of a large cluster have under way at the same time. */
const WAITING_MAX = 20_000

/** A deadlock with somebody at the database's own prompt. */
const TRIES_MAX = 3

interface Member {
  work: Work<unknown>
  resolve: (value: unknown) => void
  reject: (cause: unknown) => void
}

export function createWriteLane(options: WriteLaneOptions): WriteLane {
  const { waitingMax = WAITING_MAX } = options
  const waiting: Member[] = []
  let running: Promise<void> | null = null
  let isClosed = false

  const run = async (): Promise<void> => {
    while (waiting.length > 0) await runGroup(options, waiting)
    running = null
  }

  return {
    write<T>(work: Work<T>): Promise<T> {
      if (isClosed) return Promise.reject(new CaravanError('STORE_FAILED', 'the store is closed'))
      if (waiting.length >= waitingMax) {
        const message = `the store is overloaded: ${waiting.length} changes wait for their turn`
        return Promise.reject(new CaravanError('STORE_FAILED', message))
      }
      return new Promise<T>((resolve, reject) => {
        waiting.push({ work, resolve: resolve as Member['resolve'], reject })
        // A moment later, so that whoever writes in the same moment is in the same group.
        running ??= Promise.resolve().then(run)
      })
    },
    async close() {
      isClosed = true
      await running
    },
  }
}

async function runGroup(options: WriteLaneOptions, waiting: Member[]): Promise<void> {
  let connection: Connection
  try {
    connection = await options.connect()
  } catch (cause) {
    for (const member of waiting.splice(0)) member.reject(cause)
    return
  }
  const group = new Group(options, connection)
  const untilMs = options.clock.monotonic() + (options.groupMs ?? GROUP_MS)
  do {
    const member = waiting.shift()
    if (member === undefined) break
    await group.run(member)
  } while (group.size < GROUP_MAX && !group.isBroken && options.clock.monotonic() < untilMs)
  await group.commit()
}

const SAVEPOINT = 'SAVEPOINT member'
const RELEASE = 'RELEASE SAVEPOINT member'
const TAKE_BACK = `ROLLBACK TO SAVEPOINT member; ${RELEASE}`

/** One database transaction. */
class Group {
  readonly #options: WriteLaneOptions
  readonly #connection: Connection
  /** What each comes to when all is committed, and nobody learns before: it may rest on the others. */
  readonly #done: { member: Member; settle: () => void }[] = []
  /** The first statement of its own that failed: then none of the group is to be trusted. */
  #failure: { cause: unknown } | null = null
  /** What has to be said before the next statement. */
  readonly #pending: string[]

  constructor(options: WriteLaneOptions, connection: Connection) {
    this.#options = options
    this.#connection = connection
    this.#pending = [options.dialect.begin]
  }

  get size(): number {
    return this.#done.length
  }

  get isBroken(): boolean {
    return this.#failure !== null || this.#connection.lost() !== null
  }

  async run(member: Member): Promise<void> {
    for (let tries = 1; ; tries++) {
      const transaction = new OpenTransaction(this.#options.dialect, this.#connectionOf())
      this.#say(SAVEPOINT)
      try {
        const value = await member.work(transaction.writer)
        await transaction.settle()
        this.#say(RELEASE)
        this.#done.push({ member, settle: () => member.resolve(value) })
        return
      } catch (cause) {
        await transaction.settle().catch(() => undefined)
        this.#say(TAKE_BACK)
        if (!this.isBroken && tries < TRIES_MAX && this.#options.dialect.isTransient(cause))
          continue
        this.#done.push({ member, settle: () => member.reject(cause) })
        return
      } finally {
        transaction.end()
      }
    }
  }

  async commit(): Promise<void> {
    const isSent = !this.isBroken
    try {
      if (isSent) await this.#connection.control([...this.#pending, 'COMMIT'].join('; '))
      if (this.#failure !== null) throw this.#failure.cause
      const lost = this.#connection.lost()
      if (lost !== null) throw lost
    } catch (cause) {
      if (this.#connection.lost() === null) {
        // Whether there is anything to take back, nobody knows for sure.
        await this.#connection.control('ROLLBACK').catch(() => undefined)
      }
      const failure = toCommitFailure(cause, isSent && this.#connection.lost() !== null)
      for (const { member } of this.#done) member.reject(failure)
      return
    }
    for (const { settle } of this.#done) settle()
  }

  /** The connection of all, which says what is left to say before a member's first statement. */
  #connectionOf(): Pick<Connection, 'send'> {
    return {
      send: (statement) => {
        this.#sayPending()
        return this.#connection.send(statement)
      },
    }
  }

  #say(sql: string): void {
    this.#pending.push(sql)
  }

  /** Sent together with the statement behind it: each message costs. */
  #sayPending(): void {
    if (this.#pending.length === 0) return
    const sql = this.#pending.splice(0).join('; ')
    void this.#connection.control(sql).catch((cause: unknown) => {
      this.#failure ??= { cause }
    })
  }
}

/** @param isUnknown the commit may have gone through before the connection was lost. */
function toCommitFailure(cause: unknown, isUnknown: boolean): CaravanError {
  return new CaravanError(
    'STORE_FAILED',
    isUnknown
      ? 'the store went away during a commit: the change may have been kept'
      : 'the store could not commit a change',
    { cause, detail: { outcome: isUnknown ? 'unknown' : 'not_kept' } },
  )
}
