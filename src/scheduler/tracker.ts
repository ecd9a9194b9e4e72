/**
 * Follows what Nomad does with our jobs.
 *
 * The event stream is a hint that something may have changed; lists are the truth. They are read at
 * start, after every gap of the stream and once a minute for all open slices, and for single slices
 * when an event, or the time that has passed, makes a look worth while.
 */
import { isResult, type SliceKey } from '../model/index.ts'
import type { NomadAllocation, NomadEvaluation, NomadEvent, StreamItem } from '../nomad/index.ts'
import type { RandomSource } from '../platform/index.ts'
import { explainEvaluations } from './explain.ts'
import { closesInMs, createInspection, type Inspection, type InspectionDeps } from './inspection.ts'
import { startLoop, type Loop } from './loop.ts'
import type { OpenSlice } from './open-slices.ts'
import type { SliceRow } from './store/index.ts'

export interface TrackerDeps extends InspectionDeps {
  random: RandomSource
  /** Called when Nomad can be heard, at first or again. */
  onConnected: () => void
  /** Called when nodes came, went or changed. */
  onNodesChanged: () => void
}

export interface Tracker {
  /** Looks at what is new about these slices before long. */
  note(slices: readonly SliceRow[]): void
  forget(entry: SliceRow & { key: SliceKey }): void
  faults(): string[]
  stop(): Promise<void>
}

const FULL_LOOK_MS = 60_000

/** Without the stream, lists are all there is. */
const FULL_LOOK_BLIND_MS = 5000

const LOOKS_APART_MS = 250

/** Most slices are placed by then; why one is not is worth telling soon after. */
const UNPLACED_LOOK_MS = 3000

/** A registration is answered by then, or its outcome is being asked for. */
const SUBMITTING_LOOK_MS = 1000

/** An agent that reported ends, and Nomad's client tells so within a second or two. */
const OVER_LOOK_MS = 2000

export function startTracker(deps: TrackerDeps): Tracker {
  const { clock, random, log, nomad } = deps
  const tracking = new Tracking(deps)
  const common = { clock, random, log }
  const lists = startLoop({
    ...common,
    name: 'tracking',
    turn: (signal) => tracking.turn(signal),
  })
  tracking.onNews = () => lists.wake()
  const stream: Loop = startLoop({
    ...common,
    name: 'the event stream',
    async turn(signal, isWell) {
      try {
        for await (const item of nomad.events({ topics: TOPICS }, signal)) {
          isWell()
          tracking.take(item)
        }
      } finally {
        tracking.isBlind = true
      }
      return 0
    },
  })
  return {
    note: (slices) => tracking.note(slices),
    forget: (slice) => tracking.forget(slice),
    faults: () => [lists.fault(), stream.fault()].filter((fault) => fault !== null),
    async stop() {
      await Promise.all([stream.stop(), lists.stop()])
    },
  }
}

/** Not Job: its events hold whole jobs, and that one is stopped is told by an evaluation too. */
const TOPICS = [{ topic: 'Allocation' }, { topic: 'Evaluation' }, { topic: 'Node' }] as const

class Tracking {
  onNews: () => void = () => undefined
  /** No events arrive. */
  isBlind = true
  readonly #deps: TrackerDeps
  readonly #inspection: Inspection
  /** Allocations that events told of, the newest word on each. No more than there are open slices. */
  #inbox = new Map<string, NomadAllocation>()
  /** When to look at a slice again; monotonic. */
  readonly #looks = new Map<SliceKey, number>()
  /** The last ModifyIndex dealt with, by allocation: events come again after every reconnection. */
  readonly #seen = new Map<string, number>()
  /** Jobs that were seen to be stopped, so that one that is gone was not merely forgotten. */
  readonly #stopped = new Set<string>()
  #fullLookMs = 0
  /** When the next turn is planned; monotonic. */
  #nextMs = 0

  constructor(deps: TrackerDeps) {
    this.#deps = deps
    this.#inspection = createInspection(deps)
  }

  /** Never waits: the stream must not. */
  take(item: StreamItem): void {
    if (item.kind === 'batch') {
      for (const event of item.events) this.#takeEvent(event)
      return
    }
    this.isBlind = false
    this.#fullLookMs = 0
    this.#deps.onConnected()
    this.onNews()
  }

  note(slices: readonly SliceRow[]): void {
    const { ledger } = this.#deps
    for (const slice of slices) {
      const entry = ledger.open.ofJob(slice.nomad_job_id)
      if (entry === undefined) continue
      if (isResult(slice.state)) this.#lookIn(entry.key, OVER_LOOK_MS)
      else if (slice.state === 'placing' && slice.allocation_id === null) {
        this.#lookIn(entry.key, UNPLACED_LOOK_MS)
      }
    }
  }

  forget({ key, nomad_job_id, allocation_id }: SliceRow & { key: SliceKey }): void {
    this.#looks.delete(key)
    this.#stopped.delete(nomad_job_id)
    if (allocation_id !== null) this.#seen.delete(allocation_id)
  }

  /** @returns how long to rest. */
  async turn(signal: AbortSignal): Promise<number> {
    await this.#readInbox()
    const isFull = this.#now() >= this.#fullLookMs
    await (isFull ? this.#lookAtAll(signal) : this.#lookAtDue(signal))
    this.#nextMs = this.#fullLookMs
    for (const dueMs of this.#looks.values()) this.#nextMs = Math.min(this.#nextMs, dueMs)
    return Math.max(0, this.#nextMs - this.#now())
  }

  #now(): number {
    return this.#deps.clock.monotonic()
  }

  async #lookAtAll(signal: AbortSignal): Promise<void> {
    const entries = [...this.#deps.ledger.open].filter(({ slice }) => slice.job_open === 1)
    // Forgotten before the look: what changes while it lasts asks for another one.
    for (const [key, dueMs] of this.#looks) if (dueMs <= this.#now()) this.#looks.delete(key)
    this.#forgetOld(entries)
    this.#fullLookMs = this.#now() + (this.isBlind ? FULL_LOOK_BLIND_MS : FULL_LOOK_MS)
    try {
      await this.#deps.cluster.nodes(0)
      await this.#reconcile(entries, signal)
    } catch (cause) {
      this.#fullLookMs = 0
      throw cause
    }
  }

  async #lookAtDue(signal: AbortSignal): Promise<void> {
    const due: OpenSlice[] = []
    for (const [key, dueMs] of this.#looks) {
      if (dueMs > this.#now()) continue
      this.#looks.delete(key)
      const entry = this.#deps.ledger.open.get(key)
      if (entry?.slice.job_open === 1) due.push(entry)
    }
    if (due.length === 0) return
    try {
      await this.#reconcile(due, signal)
    } catch (cause) {
      for (const { key } of due) this.#lookIn(key, 0)
      throw cause
    }
  }

  /** What was of attempts that another one has followed. */
  #forgetOld(entries: readonly OpenSlice[]): void {
    const open = new Set(entries.map(({ slice }) => slice.allocation_id))
    for (const id of this.#seen.keys()) if (!open.has(id)) this.#seen.delete(id)
    for (const job of this.#stopped) {
      if (this.#deps.ledger.open.ofJob(job) === undefined) this.#stopped.delete(job)
    }
  }

  #reconcile(entries: readonly OpenSlice[], signal: AbortSignal): Promise<void> {
    // Not looked at while their registration is under way, and yet something is to be seen: later, then.
    for (const { key, slice } of entries) {
      if (slice.state === 'submitting') this.#lookIn(key, SUBMITTING_LOOK_MS)
      const isUnsettled = isResult(slice.state) && slice.job_modify_index === null
      const leftMs = isUnsettled ? closesInMs(slice, this.#deps.clock.now()) : 0
      if (leftMs > 0) this.#lookIn(key, leftMs)
    }
    return this.#inspection.reconcile(
      entries,
      ({ slice }) => this.#stopped.has(slice.nomad_job_id),
      signal,
    )
  }

  async #readInbox(): Promise<void> {
    const inbox = this.#inbox
    this.#inbox = new Map()
    for (const allocation of inbox.values()) {
      const entry = this.#deps.ledger.open.ofJob(allocation.JobID)
      const isOld = allocation.ModifyIndex <= (this.#seen.get(allocation.ID) ?? -1)
      if (entry === undefined || isOld) continue
      if (await this.#inspection.observe(entry, allocation)) this.#lookIn(entry.key, 0)
      this.#seen.set(allocation.ID, allocation.ModifyIndex)
    }
  }

  #lookIn(key: SliceKey, delayMs: number): void {
    const atMs = this.#now() + delayMs
    // Looks that may come a moment later come together: one list for all of them.
    const dueMs = delayMs === 0 ? atMs : Math.ceil(atMs / LOOKS_APART_MS) * LOOKS_APART_MS
    this.#looks.set(key, Math.min(dueMs, this.#looks.get(key) ?? Infinity))
    if (dueMs < this.#nextMs) this.onNews()
  }

  #takeEvent(event: NomadEvent): void {
    const { Allocation: allocation, Evaluation: evaluation } = event.Payload
    if (event.Topic === 'Node') {
      this.#deps.cluster.invalidate()
      this.#deps.onNodesChanged()
      return
    }
    const id = allocation?.JobID ?? evaluation?.JobID
    const entry = id === undefined ? undefined : this.#deps.ledger.open.ofJob(id)
    if (entry === undefined) return
    if (allocation !== undefined) {
      this.#inbox.set(allocation.ID, allocation)
      this.onNews()
    } else if (evaluation !== undefined) this.#takeEvaluation(entry, evaluation)
  }

  #takeEvaluation({ key, slice }: OpenSlice, evaluation: NomadEvaluation): void {
    if (evaluation.TriggeredBy === 'job-deregister') {
      this.#stopped.add(slice.nomad_job_id)
      this.#lookIn(key, 0)
      return
    }
    // It may be told before the answer to the registration is here.
    const isUnplaced =
      ['submitting', 'placing'].includes(slice.state) && slice.allocation_id === null
    if (!isUnplaced) return
    const hint = explainEvaluations([evaluation])
    if (hint !== null) this.#deps.hints.set(key, 'nomad', hint)
    if (evaluation.Status === 'failed') this.#lookIn(key, 0)
  }
}
