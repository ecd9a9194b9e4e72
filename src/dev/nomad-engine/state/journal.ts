/**
 * The state on disk: one snapshot file, and a journal of every write since.
 *
 * Commits of one turn are written together, before anybody outside hears of them, and without waiting
 * for the disk: they survive the death of this process, not that of the machine, on which the tasks
 * would be gone too.
 */
import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { CaravanError } from '../../../model/index.ts'
import type { Log } from '../../../platform/index.ts'
import type { Allocation } from '../objects/allocation.ts'
import { jobKeyOf, TABLE_NAMES } from './rows.ts'
import type { Write } from './rows.ts'
import { toWrites } from './state.ts'
import type { State, View } from './state.ts'

export interface Journal {
  /** Writes what was put off. Called before every answer. */
  flush(): void
  /** Calls back after every flush: what was committed until now may be told. */
  onFlush(run: () => void): void
  close(): void
}

/** A journal that is shorter than this is read back in well under a second: never worth compacting. */
const COMPACT_BYTES_MIN = 32 * 1024 * 1024

/** Rows of a snapshot that are written in one go. */
const SNAPSHOT_LINE_WRITES = 256

const FORMAT = 1

const line = z.object({
  i: z.number().int(),
  w: z.array(z.looseObject({ table: z.enum(TABLE_NAMES), key: z.string() })),
})
const header = z.object({ format: z.literal(FORMAT) })

/**
 * Reads what is there into the state, and records every commit from now on.
 *
 * @throws CaravanError STORE_FAILED when the files are damaged or of another version.
 */
export function openJournal(folder: string, state: State, log: Log): Journal {
  const snapshotFile = join(folder, 'state.ndjson')
  const journalFile = join(folder, 'journal.ndjson')
  readFile(snapshotFile, state, { tornTail: false })
  readFile(journalFile, state, { tornTail: true })
  // From here on the journal continues the snapshot, with no torn line in between.
  let snapshotBytes = writeSnapshot(snapshotFile, state)
  const journal = openSync(journalFile, 'w')
  let journalBytes = writeSync(journal, `${JSON.stringify({ format: FORMAT })}\n`)

  const compact = () => {
    snapshotBytes = writeSnapshot(snapshotFile, state)
    ftruncateSync(journal, 0)
    journalBytes = writeSync(journal, `${JSON.stringify({ format: FORMAT })}\n`, 0)
    log.debug('engine state compacted', { index: state.index, snapshotBytes })
  }
  const listeners: (() => void)[] = []
  let pending: string[] = []
  const flush = () => {
    if (pending.length === 0) return
    journalBytes += writeSync(journal, pending.join(''), journalBytes)
    pending = []
    if (journalBytes > Math.max(COMPACT_BYTES_MIN, 2 * snapshotBytes)) compact()
    for (const run of listeners) run()
  }
  const flushLater = () => {
    try {
      flush()
    } catch (cause) {
      // What was not written stays pending, and so do the answers that depend on it.
      log.error('engine state could not be recorded', { folder, cause })
    }
  }
  state.recordWith((index, writes) => {
    if (pending.push(`${toLine(state, index, writes)}\n`) === 1) setImmediate(flushLater)
    // A task is let go right after its handle is recorded.
    if (writes.some((write) => write.table === 'task' && write.put)) flush()
  })
  return {
    flush,
    onFlush: (run) => void listeners.push(run),
    close() {
      flush()
      state.recordWith(() => undefined)
      compact()
      closeSync(journal)
    },
  }
}

function readFile(file: string, state: State, options: { tornTail: boolean }): void {
  if (!existsSync(file)) return
  const lines = readFileSync(file, 'utf8').split('\n')
  // The last piece is empty, or it is what a killed process did not finish writing.
  const tail = lines.pop()
  if (tail !== '' && !options.tornTail) throw toDamage(file, new Error('the last line has no end'))
  try {
    const [first, ...rest] = lines
    if (first === undefined) return
    header.parse(JSON.parse(first))
    for (const text of rest) {
      const { i, w } = line.parse(JSON.parse(text))
      state.apply(i, [])
      // One after the other: an allocation names a job version that may stand before it.
      for (const write of w) state.apply(i, [fromStored(state, write)])
    }
  } catch (cause) {
    throw toDamage(file, cause)
  }
}

function toDamage(file: string, cause: unknown): CaravanError {
  return new CaravanError(
    'STORE_FAILED',
    `${file} can not be read: it is damaged, or of another version. Move the folder away to start anew`,
    { cause },
  )
}

/** Written beside the old one and then moved over it, so that there is always a whole one. */
function writeSnapshot(file: string, state: State): number {
  const next = `${file}.next`
  const descriptor = openSync(next, 'w')
  try {
    writeSync(descriptor, `${JSON.stringify({ format: FORMAT })}\n`)
    let batch: Write[] = []
    const flush = () => {
      writeSync(descriptor, `${toLine(state, state.index, batch)}\n`)
      batch = []
    }
    for (const write of toWrites(state)) {
      if (batch.push(write) >= SNAPSHOT_LINE_WRITES) flush()
    }
    flush()
  } finally {
    closeSync(descriptor)
  }
  renameSync(next, file)
  return statSync(file).size
}

function toLine(view: View, index: number, writes: readonly Write[]): string {
  return JSON.stringify({ i: index, w: writes.map((write) => toStored(view, write)) })
}

/** An allocation names its job's version instead of holding it, as long as the jobs table has it. */
function toStored(view: View, write: Write): unknown {
  if (write.table !== 'allocation') return write
  const allocation = write.put ?? write.patch
  if (allocation?.Job === undefined) return write
  const { Version, CreateIndex } = allocation.Job
  const key = jobKeyOf({ Namespace: allocation.Job.Namespace, JobID: allocation.Job.ID })
  const known = view.indexes
    .versions(key)
    .some((each) => each.Version === Version && each.CreateIndex === CreateIndex)
  if (!known) return write
  const stored = { ...allocation, Job: { key, Version } }
  return write.put ? { ...write, put: stored } : { ...write, patch: stored }
}

function fromStored(view: View, write: Write): Write {
  if (write.table !== 'allocation') return write
  const allocation = write.put ?? write.patch
  const stored = allocation?.Job as { key?: string; Version: number } | undefined
  if (stored?.key === undefined) return write
  const Job = view.indexes.versions(stored.key).find((each) => each.Version === stored.Version)
  if (Job === undefined) throw new Error(`version ${stored.Version} of ${stored.key} is missing`)
  const whole = { ...allocation, Job } as Allocation
  return write.put ? { ...write, put: whole } : { ...write, patch: whole }
}
