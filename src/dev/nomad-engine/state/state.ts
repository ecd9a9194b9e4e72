/**
 * The engine's memory: tables that change only by commits, each under the next index.
 *
 * Nothing here reads a clock, a file or a socket. Whoever wants to know of changes listens; listeners
 * hear of commits in order, also when one of them commits something itself.
 */
import { deriveJobStatuses } from './job-status.ts'
import { Indexes } from './indexes.ts'
import { Table } from './table.ts'
import { TABLE_NAMES } from './rows.ts'
import type { Commit, CommitType, RowChange, Rows, TableName, Write } from './rows.ts'

type Tables = { readonly [T in TableName]: Table<Rows[T]> }

/** What a reader of the state may use. */
export type View = Pick<State, 'index' | 'tables' | 'indexes'>

/** Writes down what was decided, before anybody hears of it. */
export type Recorder = (index: number, writes: readonly Write[]) => void

export class State {
  index = 0
  readonly tables: Tables = {
    job: new Table(),
    submission: new Table(),
    evaluation: new Table(),
    allocation: new Table(),
    node: new Table(),
    pool: new Table(),
    setting: new Table(),
    task: new Table(),
  }
  readonly indexes = new Indexes()
  readonly #listeners: ((commit: Commit) => void)[] = []
  readonly #undelivered: Commit[] = []
  #recorder: Recorder = () => undefined
  #delivering = false

  /** @returns the new index. Job statuses that follow from the writes change with them. */
  commit(type: CommitType, writes: readonly Write[]): number {
    const index = this.index + 1
    const stamped = writes.map((write) => stamp(write, index))
    const changes = this.apply(index, stamped)
    const statuses = deriveJobStatuses(this, changes).map((write) => stamp(write, index))
    changes.push(...this.apply(index, statuses))
    this.#recorder(index, [...stamped, ...statuses])
    this.#deliver({ index, type, changes })
    return index
  }

  /** Applies writes as they were recorded; for `commit`, and for reading a record back. */
  apply(index: number, writes: readonly Write[]): RowChange[] {
    this.index = Math.max(this.index, index)
    return writes.map((write) => this.#applyOne(index, write))
  }

  recordWith(recorder: Recorder): void {
    this.#recorder = recorder
  }

  onCommit(listener: (commit: Commit) => void): () => void {
    this.#listeners.push(listener)
    return () => {
      const position = this.#listeners.indexOf(listener)
      if (position >= 0) this.#listeners.splice(position, 1)
    }
  }

  #applyOne<T extends TableName>(index: number, write: Write<T>): RowChange {
    const table: Table<Rows[T]> = this.tables[write.table]
    const { before, after } = table.write(index, write)
    const change = { table: write.table, key: write.key, before, after } as RowChange
    this.indexes.note(index, change)
    return change
  }

  #deliver(commit: Commit): void {
    this.#undelivered.push(commit)
    if (this.#delivering) return
    this.#delivering = true
    try {
      for (let next = this.#undelivered.shift(); next; next = this.#undelivered.shift()) {
        for (const listener of this.#listeners) listener(next)
      }
    } finally {
      this.#delivering = false
    }
  }
}

/** Every row that is alive, as writes that build the same state again. */
export function* toWrites(view: View): Iterable<Write> {
  for (const key of view.tables.job.rows.keys()) {
    const oldestFirst = view.indexes.versions(key).toReversed()
    for (const put of oldestFirst) yield { table: 'job', key, put }
  }
  for (const table of TABLE_NAMES) {
    if (table === 'job') continue
    for (const [key, put] of view.tables[table].rows) yield { table, key, put } as Write
  }
}

const UNSTAMPED: ReadonlySet<TableName> = new Set(['task', 'submission'])

function stamp(write: Write, index: number): Write {
  if (UNSTAMPED.has(write.table) || write.drop) return write
  if (write.patch !== undefined) {
    return { ...write, patch: { ModifyIndex: index, ...write.patch } } as Write
  }
  const put = write.put as { CreateIndex: number } | undefined
  const stamps = { CreateIndex: put?.CreateIndex || index, ModifyIndex: index }
  return { ...write, put: { ...put, ...stamps } } as Write
}
