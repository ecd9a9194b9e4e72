/** An agent's ordered events, each applied exactly once. */
import { REASONS, isResult, type AgentEvent } from '../../model/index.ts'
import type { Clock, Log, MetricSink } from '../../platform/index.ts'
import type { Ledger, LedgerEntry } from '../ledger.ts'
import { measureReport } from '../measures.ts'
import type { AgentGate } from '../ports.ts'
import type { Reading } from '../reading.ts'
import {
  insertNotice,
  readAttempt,
  readSlice,
  readSteps,
  saveStep,
  updateAttempt,
  type AttemptRow,
  type StepRow,
} from '../store/index.ts'
import { refuse, type Identify, type KnownCaller } from './callers.ts'
import type { Delivery } from './delivery.ts'
import type { Orders } from './orders.ts'

export interface EventDeps {
  identify: Identify
  ledger: Ledger
  delivery: Delivery
  reading: Reading
  orders: Orders
  clock: Clock
  log: Log
  metrics: MetricSink
}

/** Many times what a sane job causes. The agent counts its own; this is for one that does not. */
const NOTICES_MAX = 1000

export function createEvents(deps: EventDeps): AgentGate['events'] {
  const { identify, ledger, delivery, reading, orders } = deps
  return async (caller, events) => {
    const known = await identify(caller)
    if (!known.ok) return known
    const who = known.value
    if (who.isOver) return answerOver(orders, who, events)
    const { spec } = await reading.texts(who.place.build)
    const batch = await ledger.write(
      (entry) => applyAll(deps, entry, { who, events, stepCount: spec.steps.length }),
      who.place,
    )
    if (batch === null) return refuse('fenced')
    measureReport(deps.metrics, batch)
    if (batch.finished.length > 0) await delivery.finished(who, batch.finished)
    if (batch.finished.length > 0 || batch.reported) delivery.check(who.key)
    const { slice } = ledger.open.get(who.key) ?? who
    return { ok: true, value: { applied: batch.applied, control: orders.of(slice) } }
  }
}

/** The answer to the last events was lost: they are repeated, and acknowledged once more. */
function answerOver(
  orders: Orders,
  { attempt, slice }: KnownCaller,
  events: readonly AgentEvent[],
): Awaited<ReturnType<AgentGate['events']>> {
  const applied = attempt.events_applied
  if (events.some((event) => event.seq > applied)) return refuse('fenced')
  return { ok: true, value: { applied, control: orders.of(slice) } }
}

interface Batch {
  who: KnownCaller
  events: readonly AgentEvent[]
  stepCount: number
}

interface Applied {
  applied: number
  /** Steps that are over since. */
  finished: StepRow[]
  reported: boolean
  /** Bytes; null unless it was told just now. */
  spoolPeak: number | null
}

/** @returns null when the agent has no say any more. */
async function applyAll(
  deps: EventDeps,
  entry: LedgerEntry,
  { who, events, stepCount }: Batch,
): Promise<Applied | null> {
  const { place } = who
  const slice = await readSlice(entry.writer, place)
  const before = await readAttempt(entry.writer, place)
  if (slice === null || before === null || slice.epoch !== place.epoch) return null
  if (isResult(slice.state)) return null

  const steps = await readSteps(entry.writer, place)
  const run = new Application(deps, entry, { who, stepCount, steps, attempt: before })
  for (const event of events) {
    if (event.seq <= run.attempt.events_applied) continue
    // A gap: what comes after it is not taken, and the answer says from where to go on.
    if (event.seq > run.attempt.events_applied + 1) break
    await run.apply(event)
  }
  const { events_applied, reported_reason, reported_detail } = run.attempt
  if (events_applied > before.events_applied) {
    await updateAttempt(entry.writer, place, { events_applied, reported_reason, reported_detail })
    entry.attempted(run.attempt)
  }
  const { finished, spoolPeak } = run
  return { applied: events_applied, finished, reported: reported_reason !== null, spoolPeak }
}

/** One batch on its way into the rows. */
class Application {
  readonly finished: StepRow[] = []
  spoolPeak: number | null = null
  attempt: AttemptRow
  readonly #deps: EventDeps
  readonly #entry: LedgerEntry
  readonly #who: KnownCaller
  readonly #stepCount: number
  readonly #steps: Map<string, StepRow>

  constructor(
    deps: EventDeps,
    entry: LedgerEntry,
    known: { who: KnownCaller; stepCount: number; steps: StepRow[]; attempt: AttemptRow },
  ) {
    this.#deps = deps
    this.#entry = entry
    this.#who = known.who
    this.#stepCount = known.stepCount
    this.#steps = new Map(known.steps.map((row) => [`${row.step_index}.${row.attempt}`, row]))
    this.attempt = known.attempt
  }

  async apply(event: AgentEvent): Promise<void> {
    if ('step' in event && event.step !== undefined && event.step >= this.#stepCount) {
      // Counted all the same: refusing it would make the agent send it for ever.
      this.#deps.log.warn('an event names a step that the job does not have', {
        slice: this.#who.key,
        type: event.type,
        step: event.step,
      })
    } else {
      await this.#applyKnown(event)
    }
    this.attempt = { ...this.attempt, events_applied: event.seq }
  }

  async #applyKnown(event: AgentEvent): Promise<void> {
    switch (event.type) {
      case 'step_started':
        await this.#saveStep(event, {
          state: 'running',
          shell: event.shell ?? null,
          started_ms: this.#deps.clock.now(),
        })
        return
      case 'step_finished':
        return this.#finishStep(event)
      case 'notice':
        return this.#notice(event)
      case 'slice_finished':
        return this.#report(event)
    }
  }

  async #finishStep(event: Extract<AgentEvent, { type: 'step_finished' }>): Promise<void> {
    const saved = await this.#saveStep(event, {
      state: event.state,
      exit_code: event.exit_code,
      signal: event.signal,
      reason: event.reason,
      finished_ms: this.#deps.clock.now(),
      duration_ms: event.duration_ms,
      output_length: event.output.length,
      output_sha256: event.output.sha256,
      output_dropped: event.output.dropped,
    })
    if (saved !== null) this.finished.push(saved)
  }

  /** @returns null for a step that is over: it stays as it is, whatever a confused agent says later. */
  async #saveStep(
    { step, attempt }: { step: number; attempt: number },
    change: Partial<StepRow>,
  ): Promise<StepRow | null> {
    const id = `${step}.${attempt}`
    const before = this.#steps.get(id) ?? this.#newStep(step, attempt)
    if (before.finished_ms !== null) return null
    const row = { ...before, ...change }
    this.#steps.set(id, row)
    await saveStep(this.#entry.writer, row)
    const { build, index: slice } = this.#who.place
    this.#entry.announce(build, { kind: 'step', slice, step })
    return row
  }

  #newStep(step: number, attempt: number): StepRow {
    const { build, index, epoch } = this.#who.place
    return {
      build_id: build,
      slice_index: index,
      epoch,
      step_index: step,
      attempt,
      state: 'waiting',
      shell: null,
      exit_code: null,
      signal: null,
      reason: null,
      started_ms: null,
      finished_ms: null,
      duration_ms: null,
      output_length: null,
      output_sha256: null,
      output_dropped: 0,
      output_state: null,
    }
  }

  async #notice({ text, step }: Extract<AgentEvent, { type: 'notice' }>): Promise<void> {
    const { build, index: slice, epoch } = this.#who.place
    const kept = await insertNotice(
      this.#entry.writer,
      {
        build_id: build,
        slice_index: slice,
        epoch,
        step_index: step ?? null,
        at_ms: this.#deps.clock.now(),
        text,
      },
      NOTICES_MAX,
    )
    if (kept) this.#entry.announce(build, { kind: 'notice', slice, text })
  }

  async #report(event: Extract<AgentEvent, { type: 'slice_finished' }>): Promise<void> {
    if (this.attempt.reported_reason !== null) return
    const { result, reason, detail } = event
    this.spoolPeak = event.spool_peak_bytes ?? null
    if (REASONS[reason].result !== result) {
      this.#deps.log.warn('an agent reported a result that does not go with its reason', {
        slice: this.#who.key,
        result,
        reason,
      })
    }
    this.attempt = { ...this.attempt, reported_reason: reason, reported_detail: detail }
    await this.#entry.record(this.#who.place, { kind: 'reported', epoch: this.#who.place.epoch })
  }
}
