/**
 * The last commits as events, for `/v1/event/stream`.
 *
 * A fixed number of batches and no more: who falls behind loses them and has to list anew, exactly as
 * on a real server.
 */
import type { Allocation } from '../objects/allocation.ts'
import type { Evaluation } from '../objects/evaluation.ts'
import { toAllocationView, toEvaluationView, toNodeView } from '../objects/views.ts'
import type { Commit, RowChange } from './rows.ts'

export interface EngineEvent {
  Topic: 'Job' | 'Evaluation' | 'Allocation' | 'Node' | 'NodePool'
  Key: string
  Namespace: string
  FilterKeys: string[] | null
  /** The event as JSON; made when first asked for, then kept for all subscribers. */
  json(): string
}

export interface EventBatch {
  /** Counts batches from the start of this process, without gaps. */
  position: number
  index: number
  events: EngineEvent[]
}

/** Nomad's `event_buffer_size` default. */
const BATCHES_MAX = 100

export class EventBuffer {
  readonly #batches: EventBatch[] = []
  readonly #readers = new Set<() => void>()
  #nextPosition = 0

  append(commit: Commit): void {
    const events = commit.changes.flatMap((change) => toEvent(commit, change) ?? [])
    if (events.length === 0) return
    this.#batches.push({ position: this.#nextPosition++, index: commit.index, events })
    if (this.#batches.length > BATCHES_MAX) this.#batches.shift()
    for (const wake of this.#readers) wake()
  }

  /** The batch that holds the index, else the closest one after it, else the next to come. */
  positionOf(index: number): number {
    return this.#batches.find((batch) => batch.index >= index)?.position ?? this.#nextPosition
  }

  /** @returns undefined when it has not happened yet, null when it is no longer kept. */
  at(position: number): EventBatch | undefined | null {
    const oldest = this.#batches[0]
    if (oldest !== undefined && position < oldest.position) return null
    return this.#batches[position - (oldest?.position ?? 0)]
  }

  /** @returns a function that stops it. */
  onAppend(wake: () => void): () => void {
    this.#readers.add(wake)
    return () => void this.#readers.delete(wake)
  }
}

function toEvent(commit: Commit, change: RowChange): EngineEvent | null {
  const make = (
    Topic: EngineEvent['Topic'],
    row: { Namespace?: string },
    Key: string,
    FilterKeys: string[] | null,
    payload: () => object,
  ): EngineEvent => {
    const Namespace = row.Namespace ?? ''
    const head = { Topic, Type: commit.type, Key, Namespace, FilterKeys, Index: commit.index }
    let json: string | null = null
    return { ...head, json: () => (json ??= JSON.stringify({ ...head, Payload: payload() })) }
  }
  const row = change.after ?? change.before
  if (row === undefined) return null
  switch (change.table) {
    case 'job': {
      const job = change.after ?? change.before
      if (job === undefined) return null
      const deleted = change.after === undefined ? { Deleted: true } : {}
      return make('Job', job, job.ID, null, () => ({ Job: job, ...deleted }))
    }
    case 'evaluation':
      return change.after === undefined ? null : toEvaluationEvent(make, change.after)
    case 'allocation':
      return change.after === undefined ? null : toAllocationEvent(make, change.after)
    case 'node': {
      const node = change.after ?? change.before
      if (node === undefined) return null
      return make('Node', {}, node.ID, null, () => ({ Node: toNodeView(node) }))
    }
    case 'pool': {
      const pool = change.after
      if (pool === undefined) return null
      return make('NodePool', {}, pool.Name, null, () => ({ NodePool: pool }))
    }
    default:
      return null
  }
}

type Make = (
  topic: EngineEvent['Topic'],
  row: { Namespace?: string },
  key: string,
  filterKeys: string[] | null,
  payload: () => object,
) => EngineEvent

/** The second filter key is the deployment's, of which this engine has none. */
function toEvaluationEvent(make: Make, row: Evaluation): EngineEvent {
  return make('Evaluation', row, row.ID, [row.JobID, ''], () => ({
    Evaluation: toEvaluationView(row),
  }))
}

/** The payload leaves out the job, which would be most of it. */
function toAllocationEvent(make: Make, row: Allocation): EngineEvent {
  return make('Allocation', row, row.ID, [row.JobID, ''], () => {
    const timeout = row.ClientDescription === TIMEOUT_DESCRIPTION
    const { Job: _job, ...Allocation } = toAllocationView(row)
    return timeout
      ? { Allocation, Timeout: true, TimeoutReason: TIMEOUT_DESCRIPTION }
      : { Allocation }
  })
}

/** What the client writes when `max_run_duration` ended an allocation. */
export const TIMEOUT_DESCRIPTION = 'allocation exceeded max_run_duration'
