/**
 * Looks once a second whether time alone asks for something: limits, silent agents, jobs that linger.
 *
 * Measured by the monotonic clock from when a state was first seen, so that a jump of the wall clock
 * changes nothing. After a restart everybody gets the whole of their time again, save for how long a
 * slice may run.
 */
import { isResult, type SliceKey, type Settings } from '../model/index.ts'
import type { Clock, Log, RandomSource } from '../platform/index.ts'
import type { Delivery } from './agents/index.ts'
import type { Hints } from './hints.ts'
import type { JobStops } from './job-stops.ts'
import type { Leases } from './leases.ts'
import { placeOf, type Ledger } from './ledger.ts'
import { startLoop, type Loop } from './loop.ts'
import type { OpenSlice } from './open-slices.ts'
import { findDue, type Due, type SliceTimes } from './overdue.ts'
import type { SliceRow } from './store/index.ts'

export interface WatchDeps {
  ledger: Ledger
  leases: Leases
  hints: Hints
  stops: JobStops
  delivery: Delivery
  limits: Settings['limits']
  clock: Clock
  random: RandomSource
  log: Log
}

const TURN_MS = 1000

/** Our own loop stood still for so long that agents may have called in vain. */
const STALL_MS = 5000

/** A check that failed, or that a restart interrupted, is made again this often. */
const DELIVERY_CHECK_MS = 5000

export interface Watch extends Loop {
  forget(key: SliceKey): void
}

export function startWatch(deps: WatchDeps): Watch {
  const { clock, random, log } = deps
  const watching = new Watching(deps)
  const loop = startLoop({ name: 'the watch', turn: () => watching.turn(), clock, random, log })
  return { ...loop, forget: (key) => watching.forget(key) }
}

/** More than a word for people. */
function isUrgent({ end, ask, stopJob, deliver }: Due): boolean {
  return Boolean(end ?? ask ?? stopJob ?? deliver)
}

/** When each was first seen; monotonic. */
interface Sightings {
  epoch: number
  state: SliceRow['state']
  stateMs: number
  placedMs: number | null
  cancelMs: number | null
  runningMs: number | null
  checkedMs: number
}

class Watching {
  readonly #deps: WatchDeps
  readonly #sightings = new Map<SliceKey, Sightings>()
  /** When the last turn began; null before the first one. */
  #turnMs: number | null = null

  constructor(deps: WatchDeps) {
    this.#deps = deps
  }

  forget(key: SliceKey): void {
    this.#sightings.delete(key)
  }

  async turn(): Promise<number> {
    const { clock, leases, ledger, hints, log } = this.#deps
    const nowMs = clock.monotonic()
    const stalledMs = this.#turnMs === null ? 0 : nowMs - this.#turnMs - TURN_MS
    if (stalledMs > STALL_MS) {
      leases.extendAll()
      this.#extendAll(stalledMs)
      log.warn('the scheduler stood still; all leases are extended', { stalledMs })
    }
    await ledger.catchUp()
    for (const entry of ledger.open) {
      const sighting = this.#see(entry, nowMs)
      const due = findDue(
        entry.slice,
        this.#times(entry, sighting, nowMs),
        this.#deps.limits,
        Boolean(entry.attempt?.reported_reason),
      )
      // Thousands wait at the same time, and next to none of them is due.
      if (isUrgent(due)) await this.#act(entry, due)
      if (!isResult(entry.slice.state)) hints.set(entry.key, 'agent', due.suspect ?? null)
      if (entry.slice.state === 'finishing' && nowMs - sighting.checkedMs > DELIVERY_CHECK_MS) {
        sighting.checkedMs = nowMs
        this.#deps.delivery.check(entry.key)
      }
    }
    this.#turnMs = nowMs
    return TURN_MS
  }

  #see({ key, slice }: OpenSlice, nowMs: number): Sightings {
    const known = this.#sightings.get(key)
    // Another attempt: nothing of the one before counts for it.
    const before = known?.epoch === slice.epoch ? known : undefined
    const stays = before?.state === slice.state
    const now: Sightings = {
      epoch: slice.epoch,
      state: slice.state,
      stateMs: stays ? before.stateMs : nowMs,
      placedMs: slice.allocation_id === null ? null : (before?.placedMs ?? nowMs),
      cancelMs: slice.cancel_reason === null ? null : (before?.cancelMs ?? nowMs),
      runningMs: slice.started_ms === null ? null : (before?.runningMs ?? this.#startOf(slice)),
      checkedMs: before?.checkedMs ?? nowMs,
    }
    this.#sightings.set(key, now)
    return now
  }

  /** A slice that runs when we start has used up part of its time already. */
  #startOf(slice: SliceRow): number {
    const { clock } = this.#deps
    const isFirstTurn = this.#turnMs === null
    const agoMs = isFirstTurn ? clock.now() - (slice.started_ms ?? clock.now()) : 0
    return clock.monotonic() - Math.max(0, agoMs)
  }

  /** Nobody could do anything meanwhile that we would have seen. Only running goes on without us. */
  #extendAll(ms: number): void {
    for (const sighting of this.#sightings.values()) {
      sighting.stateMs += ms
      if (sighting.placedMs !== null) sighting.placedMs += ms
      if (sighting.cancelMs !== null) sighting.cancelMs += ms
    }
  }

  #times(entry: OpenSlice, sighting: Sightings, nowMs: number): SliceTimes {
    const since = (ms: number | null) => (ms === null ? null : nowMs - ms)
    return {
      stateMs: nowMs - sighting.stateMs,
      placedMs: since(sighting.placedMs),
      cancelMs: since(sighting.cancelMs),
      runningMs: since(sighting.runningMs),
      silentMs: this.#deps.leases.silentMs(entry.key),
    }
  }

  async #act(entry: OpenSlice, due: Due): Promise<void> {
    const { ledger, stops, delivery, log } = this.#deps
    const { key, slice } = entry
    const { epoch } = slice
    if (due.end) {
      const ended = await ledger.record(placeOf(slice), { kind: 'ended', epoch, ...due.end })
      if (ended !== null) log.warn('a slice was ended by its limits', { slice: key, ...due.end })
    }
    if (due.ask) await ledger.record(placeOf(slice), { kind: 'cancel', epoch, reason: due.ask })
    if (due.stopJob) stops.stop(entry)
    if (due.deliver) delivery.conclude(key)
  }
}
