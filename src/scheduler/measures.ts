/**
 * What the life of slices comes to in numbers.
 *
 * Durations are differences of times in the rows: those outlive a restart, which the clock that never
 * jumps does not. A correction of the wall clock shows as one odd value, and never as one below zero.
 */
import {
  DEFAULT_RESOURCE_CLASS,
  isResult,
  REASONS,
  type Reason,
  type ResourceClass,
} from '../model/index.ts'
import type { MetricSink } from '../platform/index.ts'
import type { AppliedFact, Ledger } from './ledger.ts'
import { keyOf } from './open-slices.ts'
import type { OutputStore } from './ports.ts'
import type { SliceRow, StepRow } from './store/index.ts'

/** How long slices may wait: of what is at hand everywhere, and of what takes a large machine. */
const PROMISE_MS = { ordinary: 1000, expensive: 10_000 }

/** Reasons that say that no place could be found at all. */
const NO_CONTAINER: readonly Reason[] = ['no_placement', 'cluster_rejected']

export function measureLedger(
  ledger: Pick<Ledger, 'onFact' | 'open'>,
  metrics: MetricSink,
  classes: ReadonlyMap<string, ResourceClass>,
): void {
  ledger.onFact((applied) => {
    const name = ledger.open.get(keyOf(applied.after))?.build.resource_class
    if (name !== undefined)
      measureFact(metrics, applied, { name, promiseMs: promiseOf(name, classes) })
  })
}

/** The same store, which tells how much is put into it. */
export function measureOutput(outputs: OutputStore, metrics: MetricSink): OutputStore {
  return {
    append(key, offset, bytes) {
      metrics.count('circle.output.bytes', bytes.length)
      return outputs.append(key, offset, bytes)
    },
    length: (key) => outputs.length(key),
    read: (key, range) => outputs.read(key, range),
    sha256: (key) => outputs.sha256(key),
    watch: (slice, onAppend) => outputs.watch(slice, onAppend),
    close: () => outputs.close(),
  }
}

/** What an agent told of itself: steps that are over, and the most that its disk held for us. */
export function measureReport(
  metrics: MetricSink,
  told: { finished: readonly Pick<StepRow, 'output_length'>[]; spoolPeak: number | null },
): void {
  for (const { output_length } of told.finished) {
    metrics.count('circle.agent.output.bytes', output_length ?? 0)
  }
  if (told.spoolPeak !== null) metrics.measure('circle.agent.spool.peak', told.spoolPeak)
}

interface MeasuredClass {
  name: string
  promiseMs: number
}

export function measureFact(
  metrics: MetricSink,
  { before, after, fact }: AppliedFact,
  { name, promiseMs }: MeasuredClass,
): void {
  const tags = { resource_class: name }
  const measure = (metric: string, fromMs: number | null, toMs: number | null) => {
    if (fromMs === null || toMs === null) return
    metrics.measure(metric, Math.max(0, toMs - fromMs) / 1000, tags)
  }
  if (fact.kind === 'placed') {
    measure('circle.slice.placement.latency', after.submitted_ms, after.placed_ms)
  } else if (fact.kind === 'claimed') {
    measure('circle.agent.registration.latency', after.placed_ms, after.claimed_ms)
  } else if (fact.kind === 'accepted') {
    measureStart(metrics, after, { name, promiseMs })
  } else if (fact.kind === 'retried') {
    metrics.count('circle.scheduler.slices.retried', 1, { reason: fact.reason })
    countError(metrics, fact.reason)
  } else if (isResult(after.state) && !isResult(before.state)) {
    measureEnd(metrics, after, name)
  }
}

/** From ready, not from stored: a slice that rests before it is tried again waits for nobody. */
export function readySinceMs(slice: Pick<SliceRow, 'queued_ms' | 'due_ms'>): number {
  return Math.max(slice.queued_ms, slice.due_ms ?? 0)
}

function measureStart(
  metrics: MetricSink,
  slice: SliceRow,
  { name, promiseMs }: MeasuredClass,
): void {
  const tags = { resource_class: name }
  const waitedMs = Math.max(0, (slice.started_ms ?? 0) - readySinceMs(slice))
  metrics.measure('circle.run-queue.latency', waitedMs)
  metrics.measure('circle.scheduler.queue.latency', waitedMs / 1000, tags)
  metrics.count('circle.scheduler.slices.started', 1, tags)
  // Nothing in place of a zero would leave the share of those without a value while all is well.
  metrics.count('circle.scheduler.queue.exceeded', waitedMs > promiseMs ? 1 : 0, tags)
}

function measureEnd(metrics: MetricSink, slice: SliceRow, resource_class: string): void {
  const { started_ms, finished_ms, state: result, reason } = slice
  if (started_ms !== null && finished_ms !== null) {
    const seconds = Math.max(0, finished_ms - started_ms) / 1000
    metrics.measure('circle.slice.duration', seconds, { result, resource_class })
  }
  if (reason === null) return
  if (REASONS[reason].result === 'infrastructure_failed') countError(metrics, reason)
  if (NO_CONTAINER.includes(reason)) metrics.count('circle.dispatcher.find-containers-failed')
}

function countError(metrics: MetricSink, reason: Reason): void {
  metrics.count('circle.system.errors', 1, { reason })
}

function promiseOf(name: string, classes: ReadonlyMap<string, ResourceClass>): number {
  const [own, usual] = [classes.get(name), classes.get(DEFAULT_RESOURCE_CLASS)]
  if (own === undefined || usual === undefined) return PROMISE_MS.ordinary
  const isLarger = own.vcpu > usual.vcpu || own.memoryMiB > usual.memoryMiB
  return isLarger ? PROMISE_MS.expensive : PROMISE_MS.ordinary
}
